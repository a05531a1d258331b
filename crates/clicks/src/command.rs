//! The command line: what may be asked, and what it means.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, value_parser};

use crate::firehose::batch::{
    DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, LARGEST_BUFFER_MB, Limits, SMALLEST_BUFFER_MB,
};
use crate::packages::{self, service_url, variable_of_processor};
use crate::replay::Options;
use crate::up::options::{PipelineOptions, StreamOptions};
use crate::up::settings::{Settings, SettingsError};

/// Runs the click processor on this machine as Amazon Data Firehose would.
#[derive(Parser)]
#[command(name = "clicks", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Replay(Replay),
    Up(Box<Up>),
}

/// Puts files through the processor, as Firehose would, and writes what Firehose would deliver.
///
/// Takes Firehose events (JSON with `records`), Firehose error objects (lines of JSON with `rawData`, whose original records are
/// put through again) and clicks as lines of JSON; tells them apart by content, also gzipped. Clicks are batched into events as
/// Firehose's buffer does it. Partition keys (`metadata.partitionKeys`) are not looked at: all records go to one prefix.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 done; 1 a record failed (see --allow-failed), or the replay did; 2 wrong usage or \
                        unknown input; 130 interrupted by Ctrl-C, SIGTERM or SIGHUP, with the numbers of what was done."
)]
pub(crate) struct Replay {
    /// Files, folders (walked in order, without hidden files), or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR")]
    inputs: Vec<PathBuf>,

    /// The function's executable [default: the processor of this workspace, built when needed]
    #[arg(long, value_name = "PATH")]
    function: Option<PathBuf>,

    /// The mysfits service's base URL [default: a local service that is started]
    #[arg(long, value_name = "URL", value_parser = service_url)]
    service: Option<String>,

    /// What the local service waits before each answer, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "service")]
    service_latency_ms: u64,

    /// A variable of the function's environment; may be given several times. Its own configuration is taken over from this
    /// environment: MYSFITS_* (except MYSFITS_API_URL: use --service), ON_*, MYSFIT_ATTRIBUTES, CLICK_FIELDS, RECORD_FIELDS,
    /// PARTITION_KEYS, AWS_LAMBDA_LOG_LEVEL, SSL_CERT_FILE.
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable_of_processor)]
    env: Vec<(String, String)>,

    /// The folder of the delivered and the error objects, new or empty [default: out/replay-TIME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3.
    #[arg(long, value_name = "MB", default_value_t = DEFAULT_BUFFER_MB, value_parser = buffer_mb)]
    buffer_mb: f64,

    /// The most records of a batch. Firehose documents no such number.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUFFER_RECORDS, value_parser = value_parser!(u32).range(1..=100_000))]
    buffer_records: u32,

    /// How often a failed invocation is tried again, as Firehose's NumberOfRetries.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=300))]
    retries: u32,

    /// The function's timeout in seconds; Firehose waits for 300 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=300))]
    timeout_seconds: u64,

    /// Exit with 0 although records failed.
    #[arg(long)]
    pub(crate) allow_failed: bool,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Show the function's log, which is in `function.log` in any case.
    #[arg(long, short)]
    verbose: bool,
}

/// Runs the whole pipeline on this machine: a page to click, a Firehose, the function, and the objects that are delivered.
///
/// Every option can be in the file of `--config` too, by the same name without dashes in front; the command line counts first.
/// The file can have several streams, each with a table of its own: see `fixtures/up.toml`, and `fixtures/ways-in.toml` for
/// streams of services and the collector.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 stopped by Ctrl-C, SIGTERM or SIGHUP; 1 something failed; 2 wrong usage; \
                        130 interrupted once more, before everything was delivered.")]
pub(crate) struct Up {
    // In this order the help ends with the group of the others.
    #[command(flatten)]
    pub(crate) stream: StreamOptions,

    #[command(flatten)]
    pub(crate) pipeline: PipelineOptions,

    /// A TOML file with options; relative paths in it are, as on the command line, of the current folder [default: none]
    #[arg(long, value_name = "FILE", help_heading = "Other")]
    pub(crate) config: Option<PathBuf>,
}

impl TryFrom<Up> for Settings {
    type Error = SettingsError;

    fn try_from(asked: Up) -> Result<Self, SettingsError> {
        Self::read(&asked.pipeline, &asked.stream, asked.config.as_deref())
    }
}

impl From<Replay> for Options {
    fn from(asked: Replay) -> Self {
        let mut env = packages::inherited(std::env::vars_os());
        env.extend(asked.env);
        Self {
            inputs: asked.inputs,
            function: asked.function,
            service: asked.service,
            service_latency: Duration::from_millis(asked.service_latency_ms),
            env,
            out: asked.out,
            limits: Limits::new(asked.buffer_mb, asked.buffer_records as usize),
            retries: asked.retries,
            timeout: Duration::from_secs(asked.timeout_seconds),
            verbose: asked.verbose,
        }
    }
}

fn buffer_mb(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(megabytes) if (SMALLEST_BUFFER_MB..=LARGEST_BUFFER_MB).contains(&megabytes) => Ok(megabytes),
        _ => Err(format!("accepted is a number from {SMALLEST_BUFFER_MB} to {LARGEST_BUFFER_MB}")),
    }
}
