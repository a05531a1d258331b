//! `clicks replay`: processes the records of files with the function, as Firehose would.

mod feed;
mod report;
mod session;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, value_parser};
use indicatif::ProgressBar;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::feed::{Fed, feed};
use self::report::Report;
use self::session::Session;
use crate::error::UsageError;
use crate::examples::{TEMPLATE, examples};
use crate::input::{self, Contents, Input};
use crate::output::{self, Output};
use crate::packages::{self, PROCESSOR, variable_of_processor};
use crate::progress::Bar;
use crate::service::{self, MysfitsFileServer};
use crate::up::options::{self, BufferMb, ServiceUrl};
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, Limits};
use firehose_model::source::SourceType;
use service_kit::count::records;

/// Transforms files with the processor, and writes the objects that Firehose would deliver.
///
/// Reads Firehose events (JSON with `records`), Firehose error objects (JSON with `rawData`, the source record), and clicks or a
/// source backup (any other JSON objects). The content decides the kind, also if gzipped. Each JSON value is one record, with or
/// without white space between them. Other content, and a record that is too large, is skipped: it is reported with its place, and
/// copied into `skipped.jsonl` next to the objects. Clicks are batched into events as by Firehose's buffer. Partition keys
/// (`metadata.partitionKeys`) are ignored: all records have one prefix.
#[derive(Args)]
#[command(
    help_template = TEMPLATE,
    before_help = examples(&[
        ("Events, clicks, a source backup or error objects", "clicks replay fixtures/direct-put.json fixtures/clicks.jsonl"),
        ("Do failed records succeed now?", "clicks replay out/bucket/errors"),
        ("Another service, and standard input", "zcat backup.gz | clicks replay - --service https://api.example/prod"),
    ]),
    after_help = "Exit codes: 0 done; 1 a record failed (see --allow-failed), something was skipped, or the replay failed; \
                        2 wrong usage or unknown input; 130 interrupted by Ctrl-C, SIGTERM or SIGHUP, with a report of the processed records."
)]
pub(crate) struct Replay {
    /// Files, folders (in order, without hidden files), or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,

    /// The function's executable [default: the click processor: in a clone it is built when needed, otherwise it is click-processor
    /// beside `clicks` or in PATH]
    #[arg(long, value_name = "PATH", help_heading = "Function")]
    function: Option<PathBuf>,

    /// The mysfits service's base URL [default: a local service, which is started]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    service: Option<ServiceUrl>,

    /// A folder of JSON files, which the local service serves instead of the mysfits: products/7.json is the response to
    /// GET /products/7, and products.json to GET /products.
    #[arg(long, value_name = "DIR", conflicts_with = "service", help_heading = "Service")]
    service_files: Option<PathBuf>,

    /// The delay of each response of the local service, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "service", help_heading = "Service")]
    service_latency_ms: u64,

    /// A variable of the function's environment; may be given several times. The function inherits LOOKUP_* (except
    /// LOOKUP_API_URL: use --service), ON_*, EVENT_FIELDS, REQUIRED_FIELDS, RECORD_FIELDS, PARTITION_KEYS, AWS_LAMBDA_LOG_LEVEL
    /// and SSL_CERT_FILE from this environment. AWS credentials, for LOOKUP_AUTH=iam or LOOKUP_SECRET_ARN, are not inherited.
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable_of_processor, help_heading = "Function")]
    env: Vec<(String, String)>,

    /// The folder of the delivered and the error objects, new or empty [default: out/replay-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The source of clicks, backups and error objects. It sets the form of events, and the largest record (1,000 KiB for Direct
    /// PUT; 10 MiB for a data stream, within Lambda's 6 MB). Events have a source of their own.
    #[arg(long, value_name = "SOURCE", default_value = "direct-put", help_heading = "Batches")]
    source: options::SourceKind,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3.
    #[arg(long, value_name = "MB", default_value_t = DEFAULT_BUFFER_MB, value_parser = |text: &str| text.parse().map(|BufferMb(megabytes)| megabytes), help_heading = "Batches")]
    buffer_mb: f64,

    /// The most records of a batch. Firehose documents no such limit.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUFFER_RECORDS, value_parser = value_parser!(u32).range(1..=100_000), help_heading = "Batches")]
    buffer_records: u32,

    /// Retries of a failed invocation, as Firehose's NumberOfRetries.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=300), help_heading = "Function")]
    retries: u32,

    /// The function's timeout in seconds; Firehose waits for 300 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=300), help_heading = "Function")]
    timeout_seconds: u64,

    /// Exit with 0 although records failed. Skipped content still exits with 1.
    #[arg(long)]
    pub(crate) allow_failed: bool,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the function's log, which is in `function.log` in any case.
    #[arg(long, short)]
    verbose: bool,
}

pub(crate) struct Replayed {
    pub(crate) report: Report,
    /// Why it stopped early; none after an interrupt.
    pub(crate) error: Option<anyhow::Error>,
}

/// An interrupt discards the batch in flight: no number and no object has its records.
pub(crate) async fn run(options: Replay, interrupt: impl Future<Output = ()>) -> anyhow::Result<Replayed> {
    let mut interrupt = pin!(interrupt);
    let source_type = match options.source {
        options::SourceKind::DirectPut => SourceType::DirectPut,
        options::SourceKind::Kinesis => SourceType::Kinesis,
    };
    // Check all options before a build, which can take minutes.
    let sources = input::find(&options.inputs)?;
    check(&sources, source_type)?;
    let named = options.function.as_deref().map(|path| {
        let refused = || UsageError(format!("`--function {}` is not an executable file", path.display()));
        packages::executable_at(path).ok_or_else(refused)
    });
    let named = named.transpose()?;
    let responses = service::responses(options.service_files.as_deref())?;
    let output = Output::create(options.out.clone().unwrap_or_else(|| output::default_folder(Timestamp::now())))?;

    let function = if let Some(function) = named {
        function
    } else {
        tokio::select! {
            biased;
            () = &mut interrupt => {
                let report = Report { interrupted: true, out: output.folder, ..Report::default() };
                return Ok(Replayed { report, error: None });
            }
            found = packages::executable_of(PROCESSOR) => found?,
        }
    };
    let (local, service) = if let Some(ServiceUrl(url)) = &options.service {
        (None, url.clone())
    } else {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let latency = Duration::from_millis(options.service_latency_ms);
        let local = MysfitsFileServer::start(responses, any_port, latency).await;
        let local =
            local.context("could not start the local service; to use another one, name it (`--service URL`)")?;
        let url = local.server.url();
        (Some(local), url)
    };

    let progress = Bar::new(sources.iter().map(Input::bytes).sum());
    tracing::info!("running {}", function.display());
    tracing::info!("writing to {}", output.folder.display());
    let limits = Limits::new(options.buffer_mb, options.buffer_records as usize);
    let mut batches = feed(sources, source_type, limits, progress.0.clone());
    let mut session = Session::start(options, function, &service, output, progress).await?;
    let interrupted = process(&mut batches, &mut session, interrupt).await;
    let served = local.as_ref().map(MysfitsFileServer::requests);
    let report = session.stop(matches!(interrupted, Ok(true)), served).await;
    if let Some(local) = local {
        local.server.stop().await;
    }
    match (report, interrupted.err()) {
        (Ok(report), Some(error)) if report.batches == 0 && report.skipped == 0 => Err(error),
        (Ok(report), error) => Ok(Replayed { report, error }),
        (Err(unwritten), error) => Err(error.unwrap_or(unwritten)),
    }
}

/// Checks the start of each file before any is replayed, except of what can be read only once.
fn check(sources: &[Input], source_type: SourceType) -> Result<(), UsageError> {
    for source in sources.iter().filter(|source| source.bytes().is_some()) {
        Contents::open(source, source_type, &ProgressBar::hidden())?.next().transpose()?;
    }
    Ok(())
}

async fn process(
    fed: &mut mpsc::Receiver<Result<Fed, UsageError>>,
    session: &mut Session,
    mut interrupt: Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<bool> {
    loop {
        let next = tokio::select! {
            biased;
            () = &mut interrupt => return Ok(true),
            next = fed.recv() => next,
        };
        let Some(Fed { skipped, event }) = next.transpose()? else { return Ok(false) };
        session.skip(&skipped)?;
        let Some(event) = event else { continue };
        tokio::select! {
            biased;
            () = &mut interrupt => {
                tracing::info!("interrupted: the batch in flight was discarded ({})", records(event.records.len() as u64));
                return Ok(true);
            }
            done = session.process(&event) => done?,
        }
    }
}
