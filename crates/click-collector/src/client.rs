//! The Kinesis client.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kinesis::Client;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use service_kit::env::VariableError;

/// Within a region, connecting takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A call takes tens of milliseconds. The first call of a Lambda with 256 MB also needs a TLS handshake, and encodes 5 MiB, on 1/7 core. A
/// call that times out too early is stored twice.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// The client from the environment, as in every AWS tool: region, credentials, `AWS_ENDPOINT_URL_KINESIS`. It does not retry, because the
/// collector does.
pub(crate) async fn from_env() -> Result<Client, VariableError> {
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
    // The SDK accepts an empty variable as a region.
    if config.region().is_none_or(|region| region.as_ref().is_empty()) {
        return Err(VariableError::new("AWS_REGION", "no value", "the AWS region of the stream, such as us-east-1"));
    }
    Ok(Client::new(&config))
}
