//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum, value_parser};
use jiff::Timestamp;

use crate::packages::{self, service_url, variable_of_processor};
use crate::replay::Options;
use crate::up::options::{BufferMb, DataStreamName, FieldName, PipelineOptions, StreamName, StreamOptions};
use crate::up::settings::{Settings, SettingsError};
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, Limits};
use firehose_model::source::SourceType;
use redrive::{Again, InvalidSource, ObjectSource, OnDamage, Selection, StreamRef, When};

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

    /// A variable of the function's environment; may be given several times. The function inherits MYSFITS_* (except
    /// MYSFITS_API_URL: use --service), ON_*, MYSFIT_ATTRIBUTES, CLICK_FIELDS, RECORD_FIELDS, PARTITION_KEYS,
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

/// Puts records from Firehose's error output back into the stream, each record once.
///
/// Reads error objects: JSON objects with `rawData`, with or without white space between them, plain or GZIP. Puts the original
/// records into a delivery stream with PutRecordBatch, or, with --data-stream, into the data stream that a delivery stream reads,
/// with PutRecords. A journal on this machine has the state of each record, so a run continues where the last one stopped. With
/// another journal, or without it, records are put twice. First fix what made the records fail. Then check with --dry-run, and try
/// a few records with --limit.
///
/// The AWS_… variables set the region and the credentials: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
/// (`aws configure export-credentials --format env` prints those of a profile).
#[derive(Args)]
#[command(
    group = ArgGroup::new("target").required(true).args(["stream", "data_stream"]),
    after_help = "Exit codes: 0 all selected records are in the stream; 1 the operator must act \
                        (held back, uncertain, corrupt, not moved), or it failed; 2 wrong usage; 130 interrupted by Ctrl-C, \
                        SIGTERM or SIGHUP. The first interrupt finishes the current call; the second aborts it."
)]
pub(crate) struct Redrive {
    /// The error objects; a file is a single one. Hidden files and unfinished ones (`NAME#1`) are skipped.
    #[arg(value_name = "s3://BUCKET/PREFIX|DIR")]
    source: String,

    /// The delivery stream. Its source must be Direct PUT.
    #[arg(long, value_name = "NAME")]
    stream: Option<StreamName>,

    /// The data stream that the delivery stream reads, if its source is Kinesis Data Streams. Records are put with PutRecords.
    #[arg(long, value_name = "NAME")]
    data_stream: Option<DataStreamName>,

    /// The field of a record's JSON object that is its partition key: a string or a number, of at most 256 characters. Any other
    /// record, and each without this option, gets a hash of its bytes, which distributes records over the shards.
    #[arg(long, value_name = "FIELD", requires = "data_stream", conflicts_with = "stream")]
    partition_key: Option<FieldName>,

    /// Only report what would be put: nothing is put, moved or written, and the service is not called. So the journal's stream is not
    /// checked, and a data stream is assumed to accept records of 10 MiB, the largest possible limit.
    #[arg(long)]
    dry_run: bool,

    /// Only records with this error code, such as Lambda.FunctionError; may be given several times.
    #[arg(long, value_name = "CODE", help_heading = "Which records")]
    error_code: Vec<String>,

    /// Only records that arrived at this time or later: 2026-11-26T10:00:00Z, 2026-11-26 (UTC), or an age: 90m, 12h, 3d.
    #[arg(long, value_name = "WHEN", help_heading = "Which records")]
    since: Option<When>,

    /// Only records that arrived before this time.
    #[arg(long, value_name = "WHEN", help_heading = "Which records")]
    until: Option<When>,

    /// The most records of this run.
    #[arg(long, value_name = "N", help_heading = "Which records", value_parser = value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Also put records that are held back: `failed` ones failed again after they were put; `uncertain` ones were sent without a
    /// response and may be in the stream. Without a value: `failed`.
    #[arg(
        long,
        value_name = "WHICH",
        help_heading = "Which records",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "failed"
    )]
    again: Option<HeldBack>,

    /// The most records per second, which leaves capacity for live ones. A larger record counts as one for each 512 bytes. The
    /// smallest default quota of a stream is 1 MiB/s.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000))]
    rate: u32,

    /// The file with the state of each record [default: ~/.local/state/clicks/redrive/STREAM@REGION.journal, for a data stream
    /// STREAM@kinesis@REGION.journal]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Continue with a journal that is damaged or missing; records may be put twice. Without this option, that is an error.
    #[arg(long, value_name = "HOW")]
    damaged_journal: Option<DamagedJournal>,

    /// Move finished objects to this prefix of the bucket or folder.
    #[arg(long, value_name = "PREFIX", value_parser = redrive::archive)]
    archive: Option<String>,

    /// The URL of another Firehose or Kinesis than AWS, such as http://127.0.0.1:8001 or http://127.0.0.1:8003 of `clicks up`.
    #[arg(long, value_name = "URL", value_parser = service_url)]
    endpoint: Option<String>,

    /// The URL of another S3 than AWS, such as http://127.0.0.1:9000.
    #[arg(long, value_name = "URL")]
    s3_endpoint: Option<String>,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The values of `--again`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HeldBack {
    Failed,
    Uncertain,
    All,
}

/// The values of `--damaged-journal`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum DamagedJournal {
    /// Continue from the last readable commit: records that were put after it may be put twice
    Older,
    /// Start a new journal: all records may be put twice
    New,
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

impl TryFrom<Redrive> for redrive::Options {
    type Error = InvalidSource;

    fn try_from(asked: Redrive) -> Result<Self, InvalidSource> {
        let now = Timestamp::now();
        let moment = |when: Option<When>| when.map(|when| when.milliseconds(now));
        let stream = match (asked.stream, asked.data_stream) {
            (_, Some(DataStreamName(name))) => {
                StreamRef::Data { name, partition_key_field: asked.partition_key.map(|FieldName(name)| name) }
            }
            (stream, None) => StreamRef::Delivery(stream.map(|StreamName(name)| name).unwrap_or_default()),
        };
        let again = |which: HeldBack| matches!(asked.again, Some(HeldBack::All)) || asked.again == Some(which);
        Ok(Self {
            source: ObjectSource::parse(&asked.source, asked.s3_endpoint.as_deref())?,
            again: Again { failed: again(HeldBack::Failed), uncertain: again(HeldBack::Uncertain) },
            archive: asked.archive,
            stream,
            endpoint: asked.endpoint,
            selection: Selection {
                error_codes: asked.error_code,
                since_ms: moment(asked.since),
                until_ms: moment(asked.until),
            },
            limit: asked.limit,
            rate: asked.rate,
            journal: asked.journal,
            on_damage: asked.damaged_journal.map(|how| match how {
                DamagedJournal::Older => OnDamage::Older,
                DamagedJournal::New => OnDamage::New,
            }),
            dry_run: asked.dry_run,
        })
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
