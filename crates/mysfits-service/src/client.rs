//! The DynamoDB client: one set of limits, whatever it talks to.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use thiserror::Error;

/// No client can be made of the environment.
#[derive(Debug, Error)]
pub enum ClientError {
    /// DynamoDB has no address without a region, not even an embedded one.
    #[error("no AWS region: set AWS_REGION, or a region in the AWS profile")]
    NoRegion,
}

/// The client by the environment, as every AWS tool reads it: region, credentials, profile,
/// `AWS_ENDPOINT_URL_DYNAMODB`.
pub async fn from_env() -> Result<Client, ClientError> {
    // ring, because the SDK's own default would bring aws-lc.
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await;
    config.region().ok_or(ClientError::NoRegion)?;
    Ok(with_limits((&config).into()))
}

/// The client of a DynamoDB-compatible engine on this machine, which takes any region and any credentials.
#[cfg(feature = "local")]
#[must_use]
pub fn for_endpoint(url: &str) -> Client {
    use aws_sdk_dynamodb::config::{Config, Credentials, Region};

    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "mysfits-local"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    with_limits(config)
}

/// An answer takes milliseconds, but the first one of a Lambda with 128 MB needs a TLS handshake before it, on a fourteenth
/// of a core: an attempt has 2 s. All attempts together have 5 s, because whoever asks this service waits: better a prompt
/// 503 than a late list.
fn with_limits(config: Builder) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(5))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(3);
    Client::from_conf(config.timeout_config(timeouts).retry_config(retries).build())
}
