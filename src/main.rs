//! The Lambda executable: sets up logs and configuration, then handles invocations.

use std::cell::RefCell;
use std::hint::black_box;
use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use click_processor::config::Config;
use click_processor::lookup::TlsError;
use click_processor::metrics::Metrics;
use click_processor::{HandleError, Processor, Report, logs};
use firehose_transform::Invocation;
use service_kit::env::{Env, VariableError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    logs::init();
    keep_memory();
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    tracing::error!("{error:#}");
    // Exit code 2 for an invalid configuration, as command lines do for invalid options.
    let is_usage = error.is::<VariableError>() || error.is::<TlsError>();
    ExitCode::from(if is_usage { 2 } else { 1 })
}

/// Makes glibc keep freed memory: page faults of memory that it has returned take a fifth of the next batch's time. Freeing a large
/// allocation raises glibc's threshold for returning memory to the allocation's size, up to 32 MiB (mallopt(3), "M_MMAP_THRESHOLD").
/// This one is never written to, so it takes no memory.
fn keep_memory() {
    const THRESHOLD_BYTES: usize = 31 << 20;
    drop(black_box(Vec::<u8>::with_capacity(THRESHOLD_BYTES)));
}

async fn run() -> anyhow::Result<()> {
    let config = Config::read(&Env::of_process())?;
    let processor = Processor::new(&config)?;
    anyhow::ensure!(
        std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda, or locally by `cargo clicks replay`"
    );
    let function_name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").context("AWS_LAMBDA_FUNCTION_NAME is not set")?;
    let metrics = RefCell::new(Metrics::new(function_name));
    let serve = async |payload: &[u8], invocation: &Invocation| serve(payload, invocation, &processor, &metrics).await;
    firehose_transform::run_bytes(serve).await.map_err(anyhow::Error::from_boxed)
}

async fn serve(
    payload: &[u8],
    invocation: &Invocation,
    processor: &Processor,
    metrics: &RefCell<Metrics>,
) -> Result<Vec<u8>, HandleError> {
    let started = Instant::now();
    let mut report = Report::default();
    let response = processor.handle(payload, invocation, &mut report).await;

    logs::invocation(&report, started.elapsed(), response.is_ok());
    if let Err(error) = metrics.borrow_mut().write(&report, SystemTime::now(), &mut io::stdout().lock()) {
        tracing::error!("could not write the metrics of this invocation: {error}");
    }
    response
}
