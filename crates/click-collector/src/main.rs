//! The Lambda executable: sets up logs and configuration, then handles invocations.

mod client;
mod deadline;
mod logs;
mod metrics;

use std::cell::RefCell;
use std::io;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use click_collector::config::Config;
use click_collector::{Collector, Report, Response};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use service_kit::env::{Env, VariableError};
use tokio::time::Instant;

use metrics::Metrics;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    let Err(error) = run().await else {
        return ExitCode::SUCCESS;
    };
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
    let function_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").context("AWS_LAMBDA_FUNCTION_NAME is not set")?;
    let collector = Collector::new(&config, client::from_env().await?, deadline::REQUEST_TIMEOUT);
    let metrics = RefCell::new(Metrics::new(function_name));
    let serve = service_fn(|event| serve(event, &collector, &metrics));
    lambda_runtime::run(serve).await.map_err(anyhow::Error::from_boxed)
}

async fn serve(
    event: LambdaEvent<Box<RawValue>>,
    collector: &Collector,
    metrics: &RefCell<Metrics>,
) -> Result<Response, Diagnostic> {
    let started = Instant::now();
    let deadline = started + deadline::put_timeout(event.context.deadline, SystemTime::now());
    let mut report = Report::default();
    let response = collector.handle(event.payload.get(), deadline, &mut report).await;

    logs::invocation(&report, started.elapsed());
    if let Err(error) = metrics.borrow_mut().write(&report, SystemTime::now(), &mut io::stdout().lock()) {
        tracing::error!("could not write the metrics of this invocation: {error}");
    }
    response.map_err(|error| Diagnostic { error_type: "NotAnEvent".to_owned(), error_message: error.to_string() })
}
