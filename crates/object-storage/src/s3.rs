//! The client of S3 and of S3-compatible services. Keys are sent unchanged, with each slash and dot.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use aws_config::Region;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::EncodingType;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use bytes::Bytes;
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio::task::spawn_blocking;

use super::names::encoded;
use super::{BucketError, ObjectStart, StoredObject, in_one_line, root_cause, shortened, stored_bytes_for};
use firehose_model::prefix::{Compression, MAX_KEY_BYTES};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An object of 128 MB, Firehose's largest buffer, over 20 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The default credentials for a custom endpoint, as in LocalStack's documentation.
const LOCAL_CREDENTIALS: &str = "test";

/// The content type of Firehose's objects (observed).
const CONTENT_TYPE: &str = "application/octet-stream";

#[derive(Debug, Clone)]
pub(super) struct S3 {
    pub(super) client: Client,
    bucket: String,
}

/// The codes with 400 that do not concern the key (Amazon S3 API Reference, "Error responses"). Those that do vary between services.
const NOT_THE_KEY: [&str; 10] = [
    "BadDigest",
    "ExpiredToken",
    "IncompleteBody",
    "InvalidDigest",
    "InvalidToken",
    "MalformedXML",
    "RequestTimeout",
    "TokenRefreshRequired",
    "AuthorizationHeaderMalformed",
    "EntityTooLarge",
];

const OTHER_CREDENTIALS: [&str; 3] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[derive(Debug)]
struct Settings {
    endpoint: Option<String>,
    region: String,
    keys: Option<Credentials>,
}

impl Settings {
    fn of(variable: impl Fn(&str) -> Option<String>, place: &str, endpoint: Option<&str>) -> Result<Self, BucketError> {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let endpoint =
            endpoint.map(str::to_owned).or_else(|| first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]));
        let keys = |id, secret, token| Some(Credentials::new(id, secret, token, None, "environment"));
        let keys = match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(id), Some(secret)) => keys(id, secret, variable("AWS_SESSION_TOKEN")),
            (Some(_), None) => return Err(incomplete(place, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
            (None, Some(_)) => return Err(incomplete(place, "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
            (None, None) if first(&OTHER_CREDENTIALS).is_some() => None,
            (None, None) if endpoint.is_some() => {
                keys(LOCAL_CREDENTIALS.to_owned(), LOCAL_CREDENTIALS.to_owned(), None)
            }
            // EC2's metadata service is not used: elsewhere its address times out.
            (None, None) => return Err(BucketError::NoCredentials(place.to_owned())),
        };
        let region = first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
        Ok(Self { endpoint, region, keys })
    }
}

fn incomplete(place: &str, is_set: &str, is_missing: &str) -> BucketError {
    let cause = format!("{is_set} is set, and {is_missing} is not");
    BucketError::Operation { operation: "set up", place: place.to_owned(), cause }
}

impl S3 {
    pub(super) fn open(
        variable: impl Fn(&str) -> Option<String>,
        bucket: &str,
        endpoint: Option<&str>,
    ) -> Result<Self, BucketError> {
        let Settings { endpoint, region, keys } = Settings::of(variable, &format!("s3://{bucket}"), endpoint)?;
        // It may be installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let https =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let region = Region::new(region);
        let credentials = if let Some(keys) = keys {
            SharedCredentialsProvider::new(keys)
        } else {
            let around =
                ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(https.clone());
            let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&around).build();
            let container = EcsCredentialsProvider::builder().configure(&around).build();
            let either = CredentialsProviderChain::first_try("web identity", web_identity);
            SharedCredentialsProvider::new(either.or_else("container", container))
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(REQUEST_TIMEOUT)
            .build();
        // Short, for a connection that the service closed, say. A stream retries for ever by itself.
        let retries = RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(50))
            .with_max_backoff(Duration::from_millis(200));
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(credentials)
            .region(region)
            .http_client(https)
            .timeout_config(timeouts)
            .retry_config(retries)
            // Some S3-compatible services do not support the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(endpoint) = endpoint {
            // Such a service seldom has a host name per bucket.
            config = config.endpoint_url(endpoint).force_path_style(true);
        }
        Ok(Self { client: Client::from_conf(config.build()), bucket: bucket.to_owned() })
    }

    /// Returns the key, encoded if the service refuses it: 400 for `..` above the bucket (S3 user guide, "Naming Amazon S3 objects").
    pub(super) async fn put(&self, key: &str, bytes: Bytes, compression: Compression) -> Result<String, String> {
        let encoding = (compression == Compression::Gzip).then(|| "gzip".to_owned());
        let put = |key: &str| {
            let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(CONTENT_TYPE);
            request.set_content_encoding(encoding.clone()).body(ByteStream::from(bytes.clone())).send()
        };
        let Err(error) = put(key).await else { return Ok(key.to_owned()) };
        // Such as `InvalidURI` or `XMinioInvalidObjectName`.
        let is_perhaps_the_key = error.raw_response().is_some_and(|response| response.status().as_u16() == 400)
            && !error.code().is_some_and(|code| NOT_THE_KEY.contains(&code));
        let encoded = shortened(&encoded(key).join("/"), MAX_KEY_BYTES).into_owned();
        if !is_perhaps_the_key || encoded == key {
            return Err(cause(&error));
        }
        put(&encoded).await.map(|_| encoded).map_err(|error| cause(&error))
    }

    pub(super) async fn start(&self, key: &str, at_most: usize) -> Result<Option<ObjectStart>, String> {
        let mut body = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => found.body,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(cause(&error)),
        };
        let mut stored = Vec::new();
        let mut whole = false;
        while !whole && stored.len() <= stored_bytes_for(at_most) {
            match body.try_next().await.map_err(|error| root_cause(&error))? {
                Some(chunk) => stored.extend_from_slice(&chunk),
                None => whole = true,
            }
        }
        // The decompression of a large object takes a second.
        let start = spawn_blocking(move || super::start(stored, whole, at_most));
        start.await.map(Some).map_err(|error| error.to_string())
    }

    pub(super) async fn head(&self, key: &str) -> Result<Option<StoredObject>, String> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(found) => Ok(Some(stored_object(key, found.content_length, found.e_tag, found.last_modified))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(cause(&error)),
        }
    }

    pub(super) async fn list(&self, prefix: &str, one_of: Option<&str>) -> Result<Vec<StoredObject>, String> {
        // XML can't represent some characters of keys.
        let request = self.client.list_objects_v2().bucket(&self.bucket).encoding_type(EncodingType::Url);
        let mut pages = request.set_prefix((!prefix.is_empty()).then(|| prefix.to_owned())).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| cause(&error))?;
            let is_encoded = page.encoding_type == Some(EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let key = object.key.unwrap_or_default();
                let key = if is_encoded { url_decoded(&key) } else { key };
                found.push(stored_object(&key, object.size, object.e_tag, object.last_modified));
            }
        }
        if let Some(key) = one_of
            && found.iter().all(|object| object.key != key)
        {
            found.extend(self.head(key).await?);
        }
        Ok(found)
    }

    pub(super) async fn range(&self, key: &str, from: u64, to: u64) -> Result<Bytes, String> {
        let range = format!("bytes={from}-{}", to - 1);
        let found = self.client.get_object().bucket(&self.bucket).key(key).range(range).send().await;
        let body = found.map_err(|error| cause(&error))?.body;
        Ok(body.collect().await.map_err(|error| root_cause(&error))?.into_bytes())
    }

    pub(super) async fn rename(&self, key: &str, to: &str) -> Result<(), String> {
        let source = url_encoded(&format!("{}/{key}", self.bucket));
        let copied = self.client.copy_object().copy_source(source).bucket(&self.bucket).key(to).send().await;
        copied.map_err(|error| cause(&error))?;
        let deleted = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        deleted.map(drop).map_err(|error| cause(&error))
    }
}

fn stored_object(key: &str, bytes: Option<i64>, e_tag: Option<String>, modified: Option<DateTime>) -> StoredObject {
    let modified_us = modified.map_or(0, |time| time.as_nanos() / 1000);
    StoredObject {
        key: key.to_owned(),
        name: key.to_owned(),
        bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        e_tag,
        modified_us: i64::try_from(modified_us).unwrap_or_default(),
    }
}

fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() == 404)
        && error.code().is_none_or(|code| matches!(code, "NoSuchKey" | "NotFound"))
}

fn cause<E: Error + ProvideErrorMetadata + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let Some(response) = error.raw_response() else { return root_cause(error) };
    let status = StatusCode::from_u16(response.status().as_u16()).map(|status| status.to_string());
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    // Without the markup of a proxy's page.
    let code = error.code().or_else(|| body.split('<').next()).unwrap_or_default();
    in_one_line(&format!("{}: {code}: {}", status.unwrap_or_default(), error.message().unwrap_or_default()))
}

/// The encoding of the source of a copy and of the keys in a list: slashes are not encoded.
fn url_encoded(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A plus sign is a space, too.
fn url_decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_the_endpoint_are_read_from_variables() {
        const KEYS: &[(&str, &str)] = &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        const IN_EUROPE: &[(&str, &str)] =
            &[("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];
        const OF_SERVICE: &[(&str, &str)] = &[("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")];
        const LOCAL: Option<&str> = Some("http://127.0.0.1:9000");
        for (variables, endpoint, expected) in [
            (KEYS, None, (None, "us-east-1", "id")),
            (IN_EUROPE, None, (None, "eu-west-1", "id")),
            (KEYS, Some("https://s3.test"), (Some("https://s3.test"), "us-east-1", "id")),
            (&[], LOCAL, (LOCAL, "us-east-1", "test")),
            (OF_SERVICE, None, (Some("http://127.0.0.1:1"), "us-east-1", "test")),
            (OF_SERVICE, LOCAL, (LOCAL, "us-east-1", "test")),
        ] {
            let settings = Settings::of(among(variables), "s3://clicks", endpoint).unwrap();
            let keys = settings.keys.as_ref().unwrap();
            let found = (settings.endpoint.as_deref(), settings.region.as_str(), keys.access_key_id());
            assert_eq!(found, expected);
            S3::open(among(variables), "clicks", endpoint).unwrap();
        }
    }

    #[test]
    fn without_credentials_nothing_is_asked_for_them() {
        let refused = |variables| Settings::of(among(variables), "s3://clicks", None).unwrap_err().to_string();
        let error = refused(&[]);
        assert!(error.starts_with("s3://clicks needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET"), "{error}");
        let error = refused(&[("AWS_ACCESS_KEY_ID", "id")]);
        let half = "could not set up s3://clicks: AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not";
        assert_eq!(error, half);
    }

    #[test]
    fn keys_of_a_list_are_decoded() {
        for (text, expected) in [
            ("a/b%2Fc+d%25+%C3%A9", "a/b/c d% \u{e9}"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%FF", "%FF"),
            ("%+1", "% 1"),
            ("%01", "\u{1}"),
        ] {
            assert_eq!(url_decoded(text), expected);
        }
        for key in ["/a//b/./../c", "é %+&?#\u{1}"] {
            assert_eq!(url_decoded(&url_encoded(key)), key);
        }
        assert_eq!(url_encoded("clicks//a/../é +"), "clicks//a/../%C3%A9%20%2B");
    }

    fn among(variables: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }
}
