//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};

use crate::packages::{self, service_url, variable_of_processor};
#[cfg(feature = "aws")]
use crate::redrive::Redrive;
use crate::replay::Options;
use crate::up::options::{BufferMb, PipelineOptions, StreamOptions};
use crate::up::settings::{Settings, SettingsError};
#[cfg(not(feature = "aws"))]
use crate::without_aws::Redrive;
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, Limits};
use firehose_model::source::SourceType;

/// Runs the click processor on this machine, with the transformation of Amazon Data Firehose.
#[derive(Parser)]
#[command(name = "clicks", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Replay(Replay),
    Redrive(Redrive),
    Up(Box<Up>),
}

/// Transforms files with the processor, and writes the objects that Firehose would deliver.
///
/// Reads Firehose events (JSON with `records`), Firehose error objects (JSON with `rawData`, the source record), and clicks or a
/// source backup (any other JSON objects). The content decides the kind, also if gzipped. Each JSON value is one record, with or
/// without white space between them. Other content, and a record that is too large, is skipped: it is reported with its place, and
/// copied into `skipped.jsonl` next to the objects. Clicks are batched into events as by Firehose's buffer. Partition keys
/// (`metadata.partitionKeys`) are ignored: all records have one prefix.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 a record failed (see --allow-failed), something was skipped, or the replay failed; \
                        2 wrong usage or unknown input; 130 interrupted by Ctrl-C, SIGTERM or SIGHUP, with a report of the processed records."
)]
pub(crate) struct Replay {
    /// Files, folders (in order, without hidden files), or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,

    /// The function's executable [default: the processor of this workspace, built when needed]
    #[arg(long, value_name = "PATH")]
    function: Option<PathBuf>,

    /// The mysfits service's base URL [default: a local service, which is started]
    #[arg(long, value_name = "URL", value_parser = service_url)]
    service: Option<String>,

    /// The delay of each response of the local service, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "service")]
    service_latency_ms: u64,

    /// A variable of the function's environment; may be given several times. The function inherits LOOKUP_* (except
    /// LOOKUP_API_URL: use --service), ON_*, EVENT_FIELDS, REQUIRED_FIELDS, RECORD_FIELDS, PARTITION_KEYS, MYSFITS_API_KEY,
    /// AWS_LAMBDA_LOG_LEVEL and SSL_CERT_FILE from this environment.
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable_of_processor)]
    env: Vec<(String, String)>,

    /// The folder of the delivered and the error objects, new or empty [default: out/replay-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The source of clicks, backups and error objects. It sets the form of events, and the largest record (1,000 KiB for Direct
    /// PUT; 10 MiB for a data stream, within Lambda's 6 MB). Events have a source of their own.
    #[arg(long, value_name = "SOURCE", default_value = "direct-put")]
    source: RecordSource,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3.
    #[arg(long, value_name = "MB", default_value_t = DEFAULT_BUFFER_MB, value_parser = buffer_mb)]
    buffer_mb: f64,

    /// The most records of a batch. Firehose documents no such limit.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUFFER_RECORDS, value_parser = value_parser!(u32).range(1..=100_000))]
    buffer_records: u32,

    /// Retries of a failed invocation, as Firehose's NumberOfRetries.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=300))]
    retries: u32,

    /// The function's timeout in seconds; Firehose waits for 300 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=300))]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RecordSource {
    DirectPut,
    Kinesis,
}

/// Runs the whole pipeline on this machine: the page, a local Firehose, the function, and the storage.
///
/// Every option can also be in the file of `--config`, by the same name without dashes: in [pipeline], for options that exist
/// once; in [defaults], for options of every stream; or in [streams.NAME], for options of one stream. The command line overrides
/// [streams.NAME], which overrides [defaults]. See `fixtures/up.toml`, and `fixtures/ways-in.toml` for data streams and the
/// collector.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 stopped by Ctrl-C, SIGTERM or SIGHUP, with all records delivered; 1 an error, or a destination \
                        that has accepted no object (--stop-seconds); 2 wrong usage; 130 aborted by a second interrupt."
)]
pub(crate) struct Up {
    // This order puts the group "Other" last in the help.
    #[command(flatten)]
    pub(crate) stream: StreamOptions,

    #[command(flatten)]
    pub(crate) pipeline: PipelineOptions,

    /// A TOML file with options; relative paths in it are relative to the current folder [default: none]
    #[arg(long, value_name = "FILE", help_heading = "Other")]
    pub(crate) config: Option<PathBuf>,
}

impl TryFrom<Up> for Settings {
    type Error = SettingsError;

    fn try_from(up: Up) -> Result<Self, SettingsError> {
        Self::read(&up.pipeline, &up.stream, up.config.as_deref())
    }
}

impl From<Replay> for Options {
    fn from(replay: Replay) -> Self {
        let mut env = packages::inherited(std::env::vars_os());
        env.extend(replay.env);
        Self {
            inputs: replay.inputs,
            function: replay.function,
            service: replay.service,
            service_latency: Duration::from_millis(replay.service_latency_ms),
            env,
            out: replay.out,
            source_type: match replay.source {
                RecordSource::DirectPut => SourceType::DirectPut,
                RecordSource::Kinesis => SourceType::Kinesis,
            },
            limits: Limits::new(replay.buffer_mb, replay.buffer_records as usize),
            retries: replay.retries,
            timeout: Duration::from_secs(replay.timeout_seconds),
            verbose: replay.verbose,
        }
    }
}

fn buffer_mb(text: &str) -> Result<f64, String> {
    text.parse().map(BufferMb::get)
}
