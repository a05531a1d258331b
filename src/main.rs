//! The Lambda executable: logs, configuration, then one invocation after the other.

use std::cell::RefCell;
use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use click_processor::config::Config;
use click_processor::metrics::Metrics;
use click_processor::mysfits::ClientError;
use click_processor::{Invocation, Processor, Report, deadline, logs};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn, tracing};
use serde_json::value::RawValue;
use service_kit::env::VariableError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    keep_memory();
    let Err(error) = run().await else {
        return ExitCode::SUCCESS;
    };
    tracing::error!("{error:#}");
    // A mistake in the configuration is the user's, as a wrong option on a command line is.
    let is_usage = error.is::<VariableError>() || error.is::<ClientError>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Makes glibc keep what is freed, for the next batch: it would give the megabytes of each batch back to the system, and the
/// page faults of having them anew would take a fifth of a batch's time.
///
/// Blocks above a threshold are mapped and unmapped one by one, and above twice that threshold free memory is given back. To
/// free a larger block raises the threshold to its size, to 32 MiB at the most (mallopt(3), "M_MMAP_THRESHOLD"). The block is
/// never written to, so it costs no memory.
fn keep_memory() {
    const THRESHOLD_BYTES: usize = 31 << 20;
    drop(black_box(Vec::<u8>::with_capacity(THRESHOLD_BYTES)));
}

async fn run() -> anyhow::Result<()> {
    let config = Config::from_env()?;
    let processor = Processor::new(&config)?;
    if config.sends_key_in_the_clear() {
        tracing::warn!("MYSFITS_API_KEY is sent without TLS: MYSFITS_API_URL is http, and not on this machine");
    }
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda, or locally by `cargo clicks replay`"
    );
    let function_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").context("AWS_LAMBDA_FUNCTION_NAME is not set")?;
    let metrics = RefCell::new(Metrics::new(function_name));
    let serve = service_fn(|event| serve(event, &processor, &metrics));
    lambda_runtime::run(serve).await.map_err(anyhow::Error::from_boxed)
}

/// One invocation: what the runtime hands over goes through the processor, and what happened is told.
async fn serve(
    event: LambdaEvent<Box<RawValue>>,
    processor: &Processor,
    metrics: &RefCell<Metrics>,
) -> Result<Box<RawValue>, Diagnostic> {
    let started = Instant::now();
    let payload = event.payload.get();
    let time = deadline::time_for_look_ups(event.context.deadline, SystemTime::now(), payload.len());
    let invocation = Invocation { look_ups_end: started + time, trace_id: event.context.xray_trace_id };
    let mut report = Report::default();
    let reply = processor.handle(payload, &invocation, &mut report).await;

    logs::invocation(&report, started.elapsed(), reply.is_ok());
    if let Err(error) = metrics.borrow_mut().write(&report, SystemTime::now(), &mut io::stdout().lock()) {
        tracing::error!("the metrics of this invocation are lost: {error}");
    }
    let reply = String::from_utf8(reply.map_err(|error| diagnostic(error.kind(), &error))?);
    RawValue::from_string(reply.map_err(|error| diagnostic("Reply", &error))?)
        .map_err(|error| diagnostic("Reply", &error))
}

fn diagnostic(error_type: &str, error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
}
