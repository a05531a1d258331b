//! What may be asked of `clicks up`: the same options, by the same names, on the command line and in the TOML file.
//!
//! Each field is one option: clap and serde both make its name of the field's, and its type holds the bounds for both.

mod file;
mod value;

use std::path::PathBuf;

use clap::{Args, Command};
use serde::Deserialize;

pub(crate) use self::file::{File, FileError};
pub(crate) use self::value::{
    BufferMb, DataStreamName, Encoding, FieldName, Host, LogFormat, LogLevel, Port, ServiceUrl, Source, StreamName,
    Whole,
};
use self::value::{by_name, from_text, path, variable, variable_of_collector, variables, variables_of_collector};

/// The options of the whole command. In the file they are at the top.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PipelineOptions {
    /// Where to listen; an address that is not loopback opens everything to the network [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "Addresses")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) host: Option<Host>,

    /// The port of the pages and of the edge that takes their clicks; 0 takes a free one [default: 8000]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) port: Option<Port>,

    /// The port of Firehose's own API, for `--endpoint-url` of the AWS CLI and every SDK; 0 takes a free one [default: 8001]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) firehose_port: Option<Port>,

    /// The port of Kinesis' own API, where a stream reads one; 0 takes a free one [default: 8003]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) kinesis_port: Option<Port>,

    /// The port of the local mysfits service; 0 takes a free one [default: 8002]
    #[arg(long, value_name = "PORT", help_heading = "Addresses", conflicts_with = "service")]
    pub(crate) service_port: Option<Port>,

    /// How many requests each way of the edge takes in a second, before it answers 429: 1 to 1000000 [default: 100]
    #[arg(long, value_name = "N", help_heading = "Edge")]
    pub(crate) rate: Option<Whole<1, 1_000_000>>,

    /// How many requests each way of the edge takes at once after a quiet time: 1 to 1000000 [default: 200]
    #[arg(long, value_name = "N", help_heading = "Edge")]
    pub(crate) burst: Option<Whole<1, 1_000_000>>,

    /// The stream that gets the page's clicks [default: the only one of Direct PUT, or else mysfits-clicks]
    #[arg(long, value_name = "NAME", help_heading = "Edge")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) click_stream: Option<StreamName>,

    /// The data stream that gets what the collector keeps of `POST /collect`; without one, no collector runs [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Collector")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) collector_stream: Option<StreamName>,

    /// The collector's command, a Lambda runtime client in any language [default: the collector of this workspace, built when
    /// needed]
    #[arg(long, value_name = "COMMAND", help_heading = "Collector")]
    pub(crate) collector: Option<String>,

    /// A variable of the collector's environment; may be given several times
    ///
    /// In the file: collector-env = { KEY = "VALUE" }. Its own configuration is taken over from this environment: COLLECTOR_*
    /// (except COLLECTOR_STREAM: use --collector-stream), AWS_LAMBDA_LOG_LEVEL.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Collector", value_parser = variable_of_collector)]
    #[serde(deserialize_with = "variables_of_collector")]
    pub(crate) collector_env: Vec<(String, String)>,

    /// How long a request may take, with its wait for a process of the collector, before it is answered 504, as API Gateway's
    /// integration timeout: 1 to 29 [default: 29]
    #[arg(long, value_name = "N", help_heading = "Collector")]
    pub(crate) collector_timeout_seconds: Option<Whole<1, 29>>,

    /// How many requests the collector has at once, each in a process of its own; others wait: 1 to 100 [default: 5]
    #[arg(long, value_name = "N", help_heading = "Collector")]
    pub(crate) collector_concurrency: Option<Whole<1, 100>>,

    /// The folder of the pages [default: the `web` of this workspace]
    #[arg(long, value_name = "DIR", help_heading = "Edge")]
    #[serde(deserialize_with = "path")]
    pub(crate) web: Option<PathBuf>,

    /// The mysfits service's base URL [default: a local service that is started]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) service: Option<ServiceUrl>,

    /// What the local service waits before each answer, in milliseconds: 0 to 60000 [default: 0]
    #[arg(long, value_name = "N", help_heading = "Service", conflicts_with = "service")]
    pub(crate) service_latency_ms: Option<Whole<0, 60_000>>,

    /// The name of the only stream; several are tables in the file [default: mysfits-clicks]
    #[arg(long, value_name = "NAME", help_heading = "Other")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) stream: Option<StreamName>,

    /// A folder for what is accepted and not delivered yet, which a killed process then leaves to the next one [default: none]
    #[arg(long, value_name = "DIR", help_heading = "Other")]
    #[serde(deserialize_with = "path")]
    pub(crate) state: Option<PathBuf>,

    /// How long a stop waits for a destination that has not taken a single object of this run: 0 to 3600 [default: 30]
    ///
    /// Then the process ends with exit code 1 and reports how many records are lost, or kept in --state. Once an object has
    /// reached the destination, a stop waits for the others however long that takes, until a second Ctrl-C.
    #[arg(long, value_name = "N", help_heading = "Other")]
    pub(crate) stop_seconds: Option<Whole<0, 3600>>,

    /// The file of the functions' logs [default: out/function.log]
    #[arg(long, value_name = "FILE", help_heading = "Other")]
    #[serde(deserialize_with = "path")]
    pub(crate) function_log: Option<PathBuf>,

    /// Show the functions' logs, which are in `--function-log` in any case [default: false]
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Other", hide_possible_values = true)]
    pub(crate) verbose: Option<bool>,
}

/// The options of one stream. In the file they are in its table; at the top they are for every stream.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct StreamOptions {
    /// Where records come from: whoever puts them into the stream itself, or a Kinesis data stream of the same name, which
    /// `POST /v2/NAME` puts into, too [default: direct-put]
    #[arg(long, value_name = "SOURCE", help_heading = "Source", ignore_case = true)]
    #[serde(deserialize_with = "by_name")]
    pub(crate) source: Option<Source>,

    /// How many shards the data stream has: 1 to 100 [default: none; it is on demand, which begins with 4]
    #[arg(long, value_name = "N", help_heading = "Source")]
    pub(crate) shards: Option<Whole<1, 100>>,

    /// The field of a JSON object that is its partition key at `POST /v2/NAME`, where no header x-partition-key says another
    /// [default: none; the request's id]
    #[arg(long, value_name = "FIELD", help_heading = "Source")]
    #[serde(deserialize_with = "from_text")]
    pub(crate) partition_key_field: Option<FieldName>,

    /// The function's command, a Lambda runtime client in any language; `none` delivers records as they come, and `processor` is
    /// the one of this workspace, built when needed [default: the processor; with --source kinesis, none]
    ///
    /// Quotes are as in a shell. A command without a `/` is looked for in this PATH; the function itself has Lambda's, unless
    /// `--env PATH=…` says another.
    #[arg(long, value_name = "COMMAND", help_heading = "Function")]
    pub(crate) function: Option<String>,

    /// A variable of the function's environment; may be given several times
    ///
    /// In the file: env = { KEY = "VALUE" }. The processor's own configuration is taken over from this environment: MYSFITS_*
    /// (except MYSFITS_API_URL: use --service), ON_*, MYSFIT_ATTRIBUTES, CLICK_FIELDS, RECORD_FIELDS, PARTITION_KEYS,
    /// AWS_LAMBDA_LOG_LEVEL, SSL_CERT_FILE.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Function", value_parser = variable)]
    #[serde(deserialize_with = "variables")]
    pub(crate) env: Vec<(String, String)>,

    /// The memory that the function is told it has, not enforced: 128 to 10240 [default: 128]
    #[arg(long, value_name = "MB", help_heading = "Function")]
    pub(crate) memory_mb: Option<Whole<128, 10_240>>,

    /// The function's timeout: 1 to 300; Lambda allows 900, but Firehose waits no longer than 300 [default: 30]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) timeout_seconds: Option<Whole<1, 300>>,

    /// The function's AWS_LAMBDA_LOG_FORMAT [default: json]
    #[arg(long, value_name = "FORMAT", help_heading = "Function", ignore_case = true)]
    #[serde(deserialize_with = "by_name")]
    pub(crate) log_format: Option<LogFormat>,

    /// The function's AWS_LAMBDA_LOG_LEVEL [default: the function's own]
    #[arg(long, value_name = "LEVEL", help_heading = "Function", ignore_case = true)]
    #[serde(deserialize_with = "by_name")]
    pub(crate) log_level: Option<LogLevel>,

    /// How often a failed invocation is tried again, as Firehose's NumberOfRetries: 0 to 300 [default: 3]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) retries: Option<Whole<0, 300>>,

    /// How many invocations may be on their way at once, each in a process of its own: 1 to 100 [default: 5]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) concurrency: Option<Whole<1, 100>>,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3 [default: 1]
    #[arg(long, value_name = "MB", help_heading = "Buffers")]
    pub(crate) buffer_mb: Option<BufferMb>,

    /// How long a batch is waited for, as Firehose's BufferIntervalInSeconds: 0 to 900 [default: 1]
    ///
    /// Firehose's own default is 60: here somebody waits to see a click arrive.
    #[arg(long, value_name = "N", help_heading = "Buffers")]
    pub(crate) buffer_seconds: Option<Whole<0, 900>>,

    /// The most records of a batch: 1 to 100000. Firehose documents no such number [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Buffers")]
    pub(crate) buffer_records: Option<Whole<1, 100_000>>,

    /// The most data that is accepted and not delivered yet; beyond it the stream answers "Slow down.": 8 to 65536 [default: 256]
    #[arg(long, value_name = "MB", help_heading = "Buffers")]
    pub(crate) backlog_mb: Option<Whole<8, 65_536>>,

    /// Where objects go: a folder, or s3://BUCKET [default: out/bucket]
    ///
    /// S3 gets each key as it is. In a folder, what a file system can't hold is encoded: see "Keys in a folder" in crates/object-storage/README.md.
    #[arg(long, value_name = "DIR|URL", help_heading = "Destination")]
    pub(crate) destination: Option<String>,

    /// Another S3 than Amazon's, such as MinIO: its URL [default: Amazon's]
    #[arg(long, value_name = "URL", help_heading = "Destination")]
    pub(crate) s3_endpoint: Option<String>,

    /// The size of an object's data, as Firehose's SizeInMBs: 1 to 128, with --dynamic-partitioning from 64 [default: 5, or 64]
    #[arg(long, value_name = "MB", help_heading = "Destination")]
    pub(crate) destination_mb: Option<Whole<1, 128>>,

    /// How long an object is waited for, as Firehose's IntervalInSeconds: 0 to 900 [default: 3]
    ///
    /// Firehose's own default is 300: here somebody waits to see a click arrive.
    #[arg(long, value_name = "N", help_heading = "Destination")]
    pub(crate) destination_seconds: Option<Whole<0, 900>>,

    /// What the names of delivered objects begin with, with Firehose's expressions; with --source kinesis NAME/, or rawdata/ of
    /// the collector's stream [default: firehose/]
    ///
    /// Expressions are !{timestamp:FORMAT}, !{firehose:random-string} and, with --dynamic-partitioning,
    /// !{partitionKeyFromLambda:NAME}. Without a timestamp, yyyy/MM/dd/HH/ follows.
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) prefix: Option<String>,

    /// What the names of error objects begin with, with Firehose's expressions [default:
    /// errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/]
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) error_prefix: Option<String>,

    /// What the names of the source records' objects begin with, which are written when this is given [default: none]
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) backup_prefix: Option<String>,

    /// How objects are compressed [default: none]
    #[arg(long, value_name = "HOW", help_heading = "Destination", ignore_case = true)]
    #[serde(deserialize_with = "by_name")]
    pub(crate) compression: Option<Encoding>,

    /// Deliver by the partition keys that the function returns [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Destination", hide_possible_values = true)]
    pub(crate) dynamic_partitioning: Option<bool>,
}

/// The names of options, as they are on the command line and in the file.
fn names<A: Args>() -> Vec<String> {
    let command = A::augment_args(Command::new(""));
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
}
