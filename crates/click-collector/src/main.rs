//! The Lambda executable: sets up logs and configuration, then handles invocations.

mod logs;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_kinesis::Client;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use click_collector::config::Config;
use click_collector::{Collector, Report, Response};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use service_kit::deadline::time_left;
use service_kit::env::{Env, VariableError};
use tokio::time::Instant;

/// API Gateway's time-out is 29 s ("Quotas for REST APIs", Amazon API Gateway Developer Guide), and a cold start may take a part of it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(25);
/// For sending the response, with a margin for slow machines.
const RESERVE: Duration = Duration::from_millis(250);
/// Within a region, connecting takes milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A call takes tens of milliseconds. The first call of a Lambda with 256 MB also needs a TLS handshake, and encodes 5 MiB, on 1/7 core. A
/// call that times out too early is stored twice.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    tracing::error!("{error:#}");
    // Exit code 2 for an invalid configuration, as command lines do for invalid options.
    ExitCode::from(if error.is::<VariableError>() { 2 } else { 1 })
}

async fn run() -> anyhow::Result<()> {
    let config = Config::read(&Env::of_process())?;
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda, or locally by `cargo clicks up`"
    );
    let collector = Collector::new(&config, client().await?, REQUEST_TIMEOUT);
    let serve = service_fn(|event| serve(event, &collector));
    lambda_runtime::run(serve).await.map_err(anyhow::Error::from_boxed)
}

/// Configured as every AWS tool: region, credentials, `AWS_ENDPOINT_URL_KINESIS`. The collector retries, so the client does not.
async fn client() -> Result<Client, VariableError> {
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

async fn serve(event: LambdaEvent<Box<RawValue>>, collector: &Collector) -> Result<Response, Diagnostic> {
    let started = Instant::now();
    let deadline = started + time_left(event.context.deadline, SystemTime::now(), RESERVE);
    let mut report = Report::default();
    let response = collector.handle(event.payload.get(), deadline, &mut report).await;

    logs::invocation(&report, started.elapsed());
    response.map_err(|error| Diagnostic { error_type: "NotAnEvent".to_owned(), error_message: error.to_string() })
}
