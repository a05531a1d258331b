//! A stream's destination on the command line.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// A folder or a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A local folder.
    Folder(PathBuf),
    /// A bucket of S3 or of the S3-compatible service at `endpoint`.
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Such as `http://127.0.0.1:9000`; none for AWS.
        endpoint: Option<String>,
    },
}

/// Why a destination is refused. Each message names what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// It is neither a folder nor a bucket.
    #[error("{0}")]
    Destination(String),
    /// The endpoint is no URL of a service.
    #[error("invalid `s3-endpoint`: {0}; accepted is a URL such as http://127.0.0.1:9000")]
    Endpoint(String),
}

impl Destination {
    /// Parses the options `destination` and `s3-endpoint`.
    pub fn parse(text: &str, s3_endpoint: Option<&str>) -> Result<Self, DestinationError> {
        let invalid = |problem: String| Err(DestinationError::Destination(problem));
        let Some(rest) = text.strip_prefix("s3://") else {
            return match text {
                "" => invalid("no destination; accepted is a folder, or a bucket as s3://BUCKET".to_owned()),
                _ if text.contains("://") => {
                    invalid(format!("invalid destination: {text}; accepted is a folder, or a bucket as s3://BUCKET"))
                }
                _ => Ok(Self::Folder(text.into())),
            };
        };
        let bucket = rest.strip_suffix('/').unwrap_or(rest);
        if let Some((bucket, _key)) = bucket.split_once('/') {
            return invalid(format!(
                "invalid destination: {text}; accepted is s3://{bucket}, and the rest as `prefix`"
            ));
        }
        if !is_bucket_name(bucket) {
            return invalid(format!(
                "invalid bucket: s3://{bucket}; accepted are 3 to 63 lower-case letters, digits, dots and hyphens, \
                 with a letter or digit at both ends"
            ));
        }
        let endpoint = s3_endpoint.map(endpoint).transpose()?;
        Ok(Self::S3 { bucket: bucket.to_owned(), endpoint })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(formatter),
            Self::S3 { bucket, .. } => write!(formatter, "s3://{bucket}"),
        }
    }
}

/// The rules of the Amazon S3 user guide, "General purpose bucket naming rules".
fn is_bucket_name(name: &str) -> bool {
    let is_alphanumeric = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|char| is_alphanumeric(char) || matches!(char, '.' | '-'))
        && name.starts_with(is_alphanumeric)
        && name.ends_with(is_alphanumeric)
}

/// Credentials are refused, because messages would contain them.
fn endpoint(text: &str) -> Result<String, DestinationError> {
    let is_service = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(is_service).ok_or_else(|| DestinationError::Endpoint(text.to_owned()))?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_folders_and_buckets() {
        let s3 = |bucket: &str, endpoint: Option<&str>| Destination::S3 {
            bucket: bucket.to_owned(),
            endpoint: endpoint.map(str::to_owned),
        };
        for (text, endpoint, expected, shown) in [
            ("out/bucket", None, Destination::Folder("out/bucket".into()), "out/bucket"),
            ("/s3:/x y", None, Destination::Folder("/s3:/x y".into()), "/s3:/x y"),
            ("s3://my.clicks-1", None, s3("my.clicks-1", None), "s3://my.clicks-1"),
            ("s3://clicks/", Some("http://[::1]:9000/"), s3("clicks", Some("http://[::1]:9000")), "s3://clicks"),
            ("s3://clicks", Some("https://s3.test/a"), s3("clicks", Some("https://s3.test/a")), "s3://clicks"),
        ] {
            let destination = Destination::parse(text, endpoint).unwrap();
            assert_eq!(destination, expected, "{text}");
            assert_eq!(destination.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn errors_name_the_option_and_what_is_accepted() {
        let long = format!("s3://{}", "x".repeat(64));
        for (text, endpoint, expected) in [
            ("", None, "no destination; accepted is a folder, or a bucket as s3://BUCKET"),
            ("gs://clicks", None, "invalid destination: gs://clicks; accepted is a folder, or a bucket as s3://BUCKET"),
            ("s3://clicks/raw/x", None, "accepted is s3://clicks, and the rest as `prefix`"),
            ("s3://", None, "invalid bucket: s3://;"),
            ("s3://ab", None, "invalid bucket: s3://ab; accepted are 3 to 63"),
            ("s3://Clicks", None, "invalid bucket: s3://Clicks;"),
            ("s3://-clicks", None, "invalid bucket: s3://"),
            (&long, None, "invalid bucket: s3://"),
            ("s3://clicks", Some("127.0.0.1:9000"), "invalid `s3-endpoint`: 127.0.0.1:9000; accepted is a URL"),
            ("s3://clicks", Some("ftp://127.0.0.1"), "invalid `s3-endpoint`: "),
            ("s3://clicks", Some("http://me:secret@127.0.0.1"), "invalid `s3-endpoint`: "),
            ("s3://clicks", Some("http://127.0.0.1/?x"), "invalid `s3-endpoint`: "),
        ] {
            let message = Destination::parse(text, endpoint).unwrap_err().to_string();
            assert!(message.contains(expected), "{text} {endpoint:?}: {message}");
        }
    }
}
