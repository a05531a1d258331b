//! The client of S3 and of what speaks like it.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::{BucketError, cause};

/// A time-out for a connection: far more than any needs that comes about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A time-out for a whole request: an object of 128 MB, Firehose's largest buffer, over 20 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// What a service on this machine is signed for that does not care, or was told so: what LocalStack's documentation has.
const NO_CREDENTIALS: &str = "test";

/// What the `AWS_…` variables say.
pub(super) fn environment() -> AmazonS3Builder {
    AmazonS3Builder::from_env()
}

/// The client of a bucket, with `environment` for what the arguments don't say: credentials, the region (else us-east-1), and
/// the endpoint, where `endpoint` is none.
pub(super) fn open(
    environment: AmazonS3Builder,
    bucket: &str,
    endpoint: Option<&str>,
) -> Result<AmazonS3, BucketError> {
    let place = format!("s3://{bucket}");
    let variable = |key: AmazonS3ConfigKey| environment.get_config_value(&key);
    let endpoint = endpoint
        .map(str::to_owned)
        .or_else(|| variable(AmazonS3ConfigKey::S3Endpoint))
        .or_else(|| variable(AmazonS3ConfigKey::Endpoint));
    let has_credentials = [
        AmazonS3ConfigKey::AccessKeyId,
        AmazonS3ConfigKey::SecretAccessKey,
        AmazonS3ConfigKey::WebIdentityTokenFile,
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        AmazonS3ConfigKey::ContainerCredentialsFullUri,
    ];
    let has_credentials = has_credentials.into_iter().any(|key| variable(key).is_some());

    // The one provider of this workspace; it may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")));
    let mut builder = environment.with_bucket_name(bucket).with_client_options(client).with_retry(short_retries());
    if let Some(endpoint) = &endpoint {
        // Both, because the second beats the first. A service at an endpoint seldom has a name for each bucket.
        builder = builder
            .with_endpoint(endpoint)
            .with_config(AmazonS3ConfigKey::S3Endpoint, endpoint)
            .with_virtual_hosted_style_request(false);
    }
    builder = match (has_credentials, &endpoint) {
        (true, _) => builder,
        (false, Some(_)) => builder.with_access_key_id(NO_CREDENTIALS).with_secret_access_key(NO_CREDENTIALS),
        // The client would go on to ask for those of an EC2 instance, at an address that most machines wait for in vain.
        (false, None) => return Err(BucketError::NoCredentials(place)),
    };
    builder.build().map_err(|error| BucketError::Client { place, cause: cause(&error) })
}

/// For what a moment mends, such as a connection that the service has closed. A stream tries again by itself, for ever.
fn short_retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(50),
            max_backoff: Duration::from_millis(200),
            base: 2.0,
        },
        max_retries: 2,
        retry_timeout: Duration::from_secs(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_the_endpoint_come_from_variables_where_options_do_not_say_them() {
        let keys = || AmazonS3Builder::new().with_access_key_id("id").with_secret_access_key("secret");
        let of_service = || AmazonS3Builder::new().with_config(AmazonS3ConfigKey::S3Endpoint, "http://127.0.0.1:1");
        for (environment, endpoint, expected) in [
            (keys(), None, ("https://s3.us-east-1.amazonaws.com/clicks", "id", false)),
            (keys().with_region("eu-west-1"), None, ("https://s3.eu-west-1.amazonaws.com/clicks", "id", false)),
            (keys(), Some("https://s3.test"), ("https://s3.test/clicks", "id", false)),
            (AmazonS3Builder::new(), Some("http://127.0.0.1:9000"), ("http://127.0.0.1:9000/clicks", "test", true)),
            (of_service(), None, ("http://127.0.0.1:1/clicks", "test", true)),
            (of_service(), Some("http://127.0.0.1:9000"), ("http://127.0.0.1:9000/clicks", "test", true)),
        ] {
            let client = format!("{:?}", open(environment, "clicks", endpoint).unwrap());
            let (url, id, allow_http) = expected;
            assert!(client.contains(&format!("bucket_endpoint: \"{url}\"")), "{client}");
            assert!(client.contains(&format!("key_id: \"{id}\"")), "{client}");
            assert!(client.contains(&format!("allow_http: Parsed({allow_http})")), "{client}");
        }
    }

    #[test]
    fn without_credentials_nothing_is_asked_for_them() {
        let error = open(AmazonS3Builder::new(), "clicks", None).unwrap_err().to_string();
        assert!(error.starts_with("s3://clicks needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET"), "{error}");
        let half = AmazonS3Builder::new().with_access_key_id("id");
        let error = open(half, "clicks", None).unwrap_err().to_string();
        assert_eq!(error, "could not set up s3://clicks: Missing SecretAccessKey");
    }
}
