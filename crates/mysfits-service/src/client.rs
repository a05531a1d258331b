//! The DynamoDB client.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// The client from the environment, as in every AWS tool: region, credentials, profile, `AWS_ENDPOINT_URL_DYNAMODB`.
pub async fn from_env() -> anyhow::Result<Client> {
    // ring, because the SDK's own default would bring aws-lc.
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(https).load().await;
    anyhow::ensure!(
        config.region().is_some(),
        "AWS_REGION: found no value; accepted: an AWS region, such as us-east-1, here or in the AWS profile"
    );
    Ok(with_limits((&config).into()))
}

/// The client of a local DynamoDB-compatible engine, which accepts any region and credentials.
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

/// A response takes milliseconds, but the first one of a Lambda with 128 MB also needs a TLS handshake on 1/14 core: an attempt has 2 s. All
/// attempts have 5 s, because a prompt 503 is better than a late list.
fn with_limits(config: Builder) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(2))
        .operation_timeout(Duration::from_secs(5))
        .build();
    let retries = RetryConfig::standard().with_max_attempts(3);
    Client::from_conf(config.timeout_config(timeouts).retry_config(retries).build())
}
