//! The Kinesis client: its TLS and its limits.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kinesis::Client;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// No client can be made of the environment.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Kinesis has no address without a region.
    #[error("AWS_REGION: found no value; accepted: the AWS region of the stream, such as us-east-1")]
    NoRegion,
}

/// An address in the same region answers within milliseconds, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A call takes tens of milliseconds, but the first one of a Lambda with 256 MB needs a TLS handshake before it, and 5 MiB to
/// encode, on a seventh of a core. A call that is given up too early is stored all the same, and then once more.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The client by the environment, as every AWS tool reads it: region, credentials, `AWS_ENDPOINT_URL_KINESIS`.
///
/// It tries each call once: [`Stream`](crate::stream::Stream) tries again, and both together would multiply.
///
/// # Errors
/// [`ClientError::NoRegion`]
pub async fn from_env() -> Result<Client, ClientError> {
    // ring, because the SDK's own default would bring aws-lc.
    let https = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .load()
        .await;
    // The SDK takes an empty variable for a region's name.
    config.region().filter(|region| !region.as_ref().is_empty()).ok_or(ClientError::NoRegion)?;
    Ok(Client::new(&config))
}
