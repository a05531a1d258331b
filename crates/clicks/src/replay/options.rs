//! The options of `clicks replay`.

use std::path::PathBuf;

use clap::{Args, value_parser};

use crate::examples::{TEMPLATE, examples};
use crate::packages::variable_of_processor;
use crate::up::options::{BufferMb, ServiceUrl, SourceKind};
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS};

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
    pub(super) inputs: Vec<PathBuf>,

    /// The function's command, a Lambda runtime client in any language [default: the click processor: in a clone it is built when
    /// needed, otherwise it is click-processor beside `clicks` or in PATH]
    ///
    /// Quotes are as in a shell. A command without a `/` is searched in this PATH. The function itself has Lambda's PATH, or that of
    /// `--env PATH=…`.
    #[arg(long, value_name = "COMMAND", help_heading = "Function")]
    pub(super) function: Option<String>,

    /// The service's base URL [default: a local service, which is started]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(super) service: Option<ServiceUrl>,

    /// A folder of JSON files, which the local service serves instead of the mysfits: products/7.json is the response to
    /// GET /products/7, and products.json to GET /products.
    #[arg(long, value_name = "DIR", conflicts_with = "service", help_heading = "Service")]
    pub(super) service_files: Option<PathBuf>,

    /// The delay of each response of the local service, in milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "service", help_heading = "Service")]
    pub(super) service_latency_ms: u64,

    /// A variable of the function's environment; may be given several times. The function inherits LOOKUP_* (except
    /// LOOKUP_API_URL: use --service), ON_*, EVENT_FIELDS, REQUIRED_FIELDS, RECORD_FIELDS, PARTITION_KEYS, AWS_LAMBDA_LOG_LEVEL
    /// and SSL_CERT_FILE from this environment. AWS credentials, for LOOKUP_AUTH=iam or LOOKUP_SECRET_ARN, are not inherited.
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable_of_processor, help_heading = "Function")]
    pub(super) env: Vec<(String, String)>,

    /// The folder of the delivered and the error objects, new or empty [default: out/replay-TIME]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// The source of clicks, backups and error objects. It sets the form of events, and the largest record (1,000 KiB for Direct
    /// PUT; 10 MiB for a data stream, within Lambda's 6 MB). Events have a source of their own.
    #[arg(long, value_name = "SOURCE", default_value = "direct-put", help_heading = "Batches")]
    pub(super) source: SourceKind,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3.
    #[arg(long, value_name = "MB", default_value_t = DEFAULT_BUFFER_MB, value_parser = |text: &str| text.parse().map(|BufferMb(megabytes)| megabytes), help_heading = "Batches")]
    pub(super) buffer_mb: f64,

    /// The most records of a batch. Firehose documents no such limit.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_BUFFER_RECORDS, value_parser = value_parser!(u32).range(1..=100_000), help_heading = "Batches")]
    pub(super) buffer_records: u32,

    /// Retries of a failed invocation, as Firehose's NumberOfRetries.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=300), help_heading = "Function")]
    pub(super) retries: u32,

    /// The function's timeout in seconds; Firehose waits for 300 at most.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = value_parser!(u64).range(1..=300), help_heading = "Function")]
    pub(super) timeout_seconds: u64,

    /// Exit with 0 although records failed. Skipped content still exits with 1.
    #[arg(long)]
    pub(crate) allow_failed: bool,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the function's log, which is in `function.log` in any case.
    #[arg(long, short)]
    pub(super) verbose: bool,
}
