//! The source of error objects on the command line.

use std::{fmt, fs};

use object_storage::Destination;

use crate::error::RedriveError;

/// A folder or a bucket, and which objects in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSource {
    pub(super) store: Destination,
    /// The prefix of the objects' keys: empty, or with a trailing slash.
    pub(super) prefix: String,
    /// The key of a single object, if the source may be one; in a folder, the name of its file.
    pub(super) object: Option<String>,
}

impl ObjectSource {
    /// Whether it is a file of this machine.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.store, Destination::Folder(_)) && self.object.is_some()
    }

    /// Parses `s3://BUCKET/PREFIX`, or the path of a folder or a file.
    pub fn parse(text: &str, s3_endpoint: Option<&str>) -> Result<Self, RedriveError> {
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.contains("://") {
                // It has the message about other schemes.
                Destination::parse(text, s3_endpoint).map_err(usage)?;
            }
            return Self::local(text);
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let store = Destination::parse(&format!("s3://{bucket}"), s3_endpoint).map_err(usage)?;
        // Unchanged, because a key may begin with a slash and have empty parts.
        Ok(if prefix.is_empty() || prefix.ends_with('/') {
            Self { store, prefix: prefix.to_owned(), object: None }
        } else {
            Self { store, prefix: format!("{prefix}/"), object: Some(prefix.to_owned()) }
        })
    }

    fn local(text: &str) -> Result<Self, RedriveError> {
        let metadata = fs::metadata(text).map_err(|_| {
            usage(format_args!("{text}: no such file or folder; accepted is a file, a folder, or s3://BUCKET/PREFIX"))
        })?;
        let invalid = || usage(format_args!("{text}: the path is not UTF-8, or can't be resolved"));
        // The client accepts no `..`, and an object has one place in the journal.
        let path = fs::canonicalize(text).map_err(|_| invalid())?;
        if metadata.is_dir() {
            return Ok(Self { store: Destination::Folder(path), prefix: String::new(), object: None });
        }
        let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(invalid());
        };
        let store = Destination::Folder(folder.to_owned());
        Ok(Self { store, prefix: format!("{file}/"), object: Some(file.to_owned()) })
    }

    /// Whether the whole source is below a prefix, so that moving objects there would not move them out of it.
    pub(super) fn is_within(&self, prefix: &str) -> bool {
        self.prefix.starts_with(prefix)
    }

    pub(super) fn archived(&self, archive: &str, object: &str) -> String {
        let below = object.strip_prefix(&self.prefix).filter(|below| !below.is_empty());
        // Otherwise the source is this one object.
        let below = below.unwrap_or_else(|| object.rsplit('/').next().unwrap_or_default());
        format!("{archive}{below}")
    }
}

fn usage(problem: impl fmt::Display) -> RedriveError {
    RedriveError::Usage(problem.to_string())
}

impl fmt::Display for ObjectSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.strip_suffix('/') {
            None => self.store.fmt(formatter),
            Some(prefix) => write!(formatter, "{}/{prefix}", self.store),
        }
    }
}

/// Parses `--archive`: a prefix in the source's bucket or folder. Returns it with a trailing slash.
pub fn parse_archive_prefix(text: &str) -> Result<String, String> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    // An absolute path would be below the folder.
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(|c: char| c.is_ascii_control());
    if text.contains("://") || !prefix.split('/').all(is_part) {
        return Err("accepted is a prefix in the source's bucket or folder, such as redriven/".to_owned());
    }
    Ok(format!("{prefix}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_folders_files_and_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("errors")).unwrap();
        fs::write(root.join("errors/a.jsonl"), "").unwrap();
        let text = |path: &str| root.join(path).display().to_string();
        for (asked, shown) in [
            ("s3://clicks/errors/2026/", "s3://clicks/errors/2026".to_owned()),
            ("s3://clicks", "s3://clicks".to_owned()),
            ("s3://clicks//lead/a//b/../", "s3://clicks//lead/a//b/..".to_owned()),
            (&text("errors"), text("errors")),
            (&text("errors/../errors/"), text("errors")),
            (&text("errors/a.jsonl"), text("errors/a.jsonl")),
        ] {
            assert_eq!(ObjectSource::parse(asked, None).unwrap().to_string(), shown, "{asked}");
        }
    }

    #[test]
    fn errors_say_what_is_accepted() {
        for (text, expected) in [
            ("", ": no such file or folder"),
            ("no/such", "no/such: no such file or folder; accepted is a file, a folder, or s3://BUCKET/PREFIX"),
            (
                "gs://clicks/errors",
                "invalid destination: gs://clicks/errors; accepted is a folder, or a bucket as s3://BUCKET",
            ),
            ("s3://C/errors", "invalid bucket: s3://C; accepted"),
        ] {
            let message = ObjectSource::parse(text, None).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn an_archive_is_a_prefix() {
        for (text, expected) in [("redriven/", "redriven/"), ("errors/done", "errors/done/")] {
            assert_eq!(parse_archive_prefix(text).unwrap(), expected);
        }
        for text in ["", "/", "/tmp/done", "s3://clicks/done", "a/../b", "a//b"] {
            assert!(parse_archive_prefix(text).unwrap_err().starts_with("accepted is a prefix"), "{text}");
        }
    }

    #[test]
    fn archived_keys_keep_the_part_below_the_source() {
        for (source, archive, object, expected) in [
            ("s3://clicks/errors", "done", "errors/2026/11/x", "done/2026/11/x"),
            ("s3://clicks/errors", "errors/done", "errors/x", "errors/done/x"),
            ("s3://clicks/errors/x", "done", "errors/x", "done/x"),
            ("s3://clicks", "done", "errors/x", "done/errors/x"),
            ("s3://clicks/errors", "done", "errors//2026//x", "done//2026//x"),
            ("s3://clicks//errors/", "done", "/errors/x", "done/x"),
        ] {
            let source = ObjectSource::parse(source, None).unwrap();
            assert_eq!(source.archived(&format!("{archive}/"), object), expected);
        }
    }
}
