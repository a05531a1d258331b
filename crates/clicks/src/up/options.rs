//! The options of `clicks up`, with the same names on the command line and in the TOML file.
//!
//! Each field is one option. Clap and serde both derive its name from the field's, and both use the bounds of its type.

mod file;
mod value;

use std::path::PathBuf;

use clap::{Args, Command};
use serde::Deserialize;

pub(crate) use self::file::File;
pub(crate) use self::value::{
    BufferMb, Encoding, FieldName, Host, LogFormat, LogLevel, Port, ServiceUrl, SourceKind, StreamName, Whole,
};
use self::value::{path, variables, variables_of_collector, variables_of_function};
use crate::packages::{variable_of_collector, variable_of_processor};

/// The options that exist once: `[pipeline]` in the file.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PipelineOptions {
    /// The address to listen on; one that is not loopback opens all ports to the network [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", help_heading = "Addresses")]
    pub(crate) host: Option<Host>,

    /// The port of the pages and the edge; 0 is any free one [default: 8000]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) port: Option<Port>,

    /// The port of Firehose's API, for `--endpoint-url` of the AWS CLI and SDKs; 0 is any free one [default: 8001]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) firehose_port: Option<Port>,

    /// The port of Kinesis' API, if a stream has --source kinesis; 0 is any free one [default: 8003]
    #[arg(long, value_name = "PORT", help_heading = "Addresses")]
    pub(crate) kinesis_port: Option<Port>,

    /// The port of the local mysfits service; 0 is any free one [default: 8002]
    #[arg(long, value_name = "PORT", help_heading = "Addresses", conflicts_with = "service")]
    pub(crate) service_port: Option<Port>,

    /// The rate of each route of the edge, in requests per second; beyond it the response is 429: 1 to 1000000 [default: 100]
    #[arg(long, value_name = "N", help_heading = "Edge")]
    pub(crate) rate: Option<Whole<1, 1_000_000>>,

    /// The burst of each route of the edge, in requests: 1 to 1000000 [default: 200]
    #[arg(long, value_name = "N", help_heading = "Edge")]
    pub(crate) burst: Option<Whole<1, 1_000_000>>,

    /// The stream of the page's clicks [default: the only one of Direct PUT, or else mysfits-clicks]
    #[arg(long, value_name = "NAME", help_heading = "Edge")]
    pub(crate) click_stream: Option<StreamName>,

    /// The stream whose data stream the collector of `POST /collect` puts into; without one, no collector runs [default: none]
    #[arg(long, value_name = "NAME", help_heading = "Collector")]
    pub(crate) collector_stream: Option<StreamName>,

    /// The collector's command, a Lambda runtime client in any language [default: the collector of this project: in a
    /// clone it is built when needed, otherwise it is click-collector beside `clicks` or in PATH]
    #[arg(long, value_name = "COMMAND", help_heading = "Collector")]
    pub(crate) collector: Option<String>,

    /// A variable of the collector's environment; may be given several times
    ///
    /// In the file: collector-env = { KEY = "VALUE" }. The collector inherits COLLECTOR_* (except COLLECTOR_STREAM: use
    /// --collector-stream) and AWS_LAMBDA_LOG_LEVEL from this environment.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Collector", value_parser = variable_of_collector)]
    #[serde(deserialize_with = "variables_of_collector")]
    pub(crate) collector_env: Vec<(String, String)>,

    /// The timeout of a request, including the wait for a process, after which the response is 504, as API Gateway's integration
    /// timeout: 1 to 29 [default: 29]
    #[arg(long, value_name = "N", help_heading = "Collector")]
    pub(crate) collector_timeout_seconds: Option<Whole<1, 29>>,

    /// Concurrent invocations of the collector, each in a process of its own; other requests wait: 1 to 100 [default: 5]
    #[arg(long, value_name = "N", help_heading = "Collector")]
    pub(crate) collector_concurrency: Option<Whole<1, 100>>,

    /// The folder of the pages [default: the pages in this executable; in a clone, its `web`]
    #[arg(long, value_name = "DIR", help_heading = "Edge")]
    #[serde(deserialize_with = "path")]
    pub(crate) web: Option<PathBuf>,

    /// The service's base URL [default: a local service, which is started]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(crate) service: Option<ServiceUrl>,

    /// A folder of JSON files, which the local service serves instead of the mysfits [default: none]
    ///
    /// products/7.json is the response to GET /products/7, and products.json to GET /products.
    #[arg(long, value_name = "DIR", help_heading = "Service", conflicts_with = "service")]
    #[serde(deserialize_with = "path")]
    pub(crate) service_files: Option<PathBuf>,

    /// The delay of each response of the local service, in milliseconds: 0 to 60000 [default: 0]
    #[arg(long, value_name = "N", help_heading = "Service", conflicts_with = "service")]
    pub(crate) service_latency_ms: Option<Whole<0, 60_000>>,

    /// The name of the only stream; several streams need tables in the file [default: mysfits-clicks]
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<StreamName>,

    /// A folder for accepted records that are not delivered yet; the next start delivers them after a kill [default: none]
    #[arg(long, value_name = "DIR")]
    #[serde(deserialize_with = "path")]
    pub(crate) state: Option<PathBuf>,

    /// The memory for the records of all data streams that callers create, in MB: 1 to 65536 [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) retention_mb: Option<Whole<1, 65_536>>,

    /// The memory for the latest records of all streams, which the page shows and `clicks tap` reads, in MB: 0 to 1024 [default: 32]
    ///
    /// Of a record and of its output, the first 64 KiB are kept. Streams share the memory in equal parts. 0 keeps none.
    #[arg(long, value_name = "N")]
    pub(crate) recent_records_mb: Option<Whole<0, 1024>>,

    /// How long a stop waits for a destination that has accepted no object of this run, in seconds: 0 to 3600 [default: 30]
    ///
    /// Then the process exits with 1, and reports how many records are lost, or kept in --state. Once the destination has accepted
    /// an object, a stop waits for the others without a limit, until a second Ctrl-C.
    #[arg(long, value_name = "N")]
    pub(crate) stop_seconds: Option<Whole<0, 3600>>,

    /// The file of the functions' logs [default: out/function.log]
    #[arg(long, value_name = "FILE")]
    #[serde(deserialize_with = "path")]
    pub(crate) function_log: Option<PathBuf>,

    /// Print the functions' logs, which are in `--function-log` in any case [default: false]
    #[arg(long, short, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide_possible_values = true)]
    pub(crate) verbose: Option<bool>,

    /// Print JSON lines instead of text: what is ready, and then events [default: false]
    ///
    /// Their fields are in docs/reference/pipeline.md, "JSON lines". Lines for people are still on standard error.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide_possible_values = true)]
    pub(crate) json: Option<bool>,
}

/// The options of a stream: `[streams.NAME]` in the file, and `[defaults]` for every stream.
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct StreamOptions {
    /// The stream's source: Direct PUT, or a Kinesis data stream of the same name, which `POST /v2/NAME` puts into, too [default:
    /// direct-put]
    #[arg(long, value_name = "SOURCE", help_heading = "Source", ignore_case = true)]
    pub(crate) source: Option<SourceKind>,

    /// The data stream's provisioned shards: 1 to 100 [default: none; on demand, with 4 shards]
    #[arg(long, value_name = "N", help_heading = "Source")]
    pub(crate) shards: Option<Whole<1, 100>>,

    /// The field with the partition key at `POST /v2/NAME`, without a header x-partition-key [default: none; the request's id]
    #[arg(long, value_name = "FIELD", help_heading = "Source")]
    pub(crate) partition_key_field: Option<FieldName>,

    /// The function's command, a Lambda runtime client in any language; `none` delivers records unchanged, and `processor` is the
    /// click processor: in a clone it is built when needed, otherwise it is click-processor beside `clicks` or in PATH [default: the
    /// processor; with --source kinesis, none]
    ///
    /// Quotes are as in a shell. A command without a `/` is searched in this PATH. The function itself has Lambda's PATH, or that of
    /// `--env PATH=…`. NAME of a table [functions.NAME] in the file is that function; the stream's options, also those of [defaults],
    /// override those of its table. On the command line it is the function of all streams of the file.
    #[arg(long, value_name = "COMMAND", help_heading = "Function")]
    pub(crate) function: Option<String>,

    /// A variable of the function's environment; may be given several times
    ///
    /// In the file: env = { KEY = "VALUE" }. The function inherits LOOKUP_* (except LOOKUP_API_URL: use --service), ON_*,
    /// EVENT_FIELDS, REQUIRED_FIELDS, RECORD_FIELDS, PARTITION_KEYS, AWS_LAMBDA_LOG_LEVEL and SSL_CERT_FILE from this environment.
    /// AWS credentials, for LOOKUP_AUTH=iam or LOOKUP_SECRET_ARN, are not inherited.
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Function", value_parser = variable_of_processor)]
    #[serde(deserialize_with = "variables")]
    pub(crate) env: Vec<(String, String)>,

    /// Keep the id and the time of each click, by which repeats are known: EVENT_FIELDS=userId,mysfitId,clickId,clickedAt, unless
    /// `env` sets it [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Function", hide_possible_values = true)]
    pub(crate) click_identity: Option<bool>,

    /// The function's memory in AWS_LAMBDA_FUNCTION_MEMORY_SIZE, not enforced: 128 to 10240 [default: 128]
    #[arg(long, value_name = "MB", help_heading = "Function")]
    pub(crate) memory_mb: Option<Whole<128, 10_240>>,

    /// The function's timeout in seconds: 1 to 300; Lambda allows 900, but Firehose waits for 300 at most [default: 30]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) timeout_seconds: Option<Whole<1, 300>>,

    /// The function's AWS_LAMBDA_LOG_FORMAT [default: json]
    #[arg(long, value_name = "FORMAT", help_heading = "Function", ignore_case = true)]
    pub(crate) log_format: Option<LogFormat>,

    /// The function's AWS_LAMBDA_LOG_LEVEL [default: the function's own]
    #[arg(long, value_name = "LEVEL", help_heading = "Function", ignore_case = true)]
    pub(crate) log_level: Option<LogLevel>,

    /// Retries of a failed invocation, as Firehose's NumberOfRetries: 0 to 300 [default: 3]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) retries: Option<Whole<0, 300>>,

    /// Concurrent invocations, each in a process of its own: 1 to 100 [default: 5]
    #[arg(long, value_name = "N", help_heading = "Function")]
    pub(crate) concurrency: Option<Whole<1, 100>>,

    /// The size of a batch's data, as Firehose's BufferSizeInMBs: 0.2 to 3 [default: 1]
    #[arg(long, value_name = "MB", help_heading = "Buffers")]
    pub(crate) buffer_mb: Option<BufferMb>,

    /// The longest time of a batch in the buffer, as Firehose's BufferIntervalInSeconds: 0 to 900 [default: 1]
    ///
    /// Firehose's default is 60. Here a developer waits for the result.
    #[arg(long, value_name = "N", help_heading = "Buffers")]
    pub(crate) buffer_seconds: Option<Whole<0, 900>>,

    /// The most records of a batch: 1 to 100000; Firehose documents no such limit [default: 10000]
    #[arg(long, value_name = "N", help_heading = "Buffers")]
    pub(crate) buffer_records: Option<Whole<1, 100_000>>,

    /// The largest backlog of accepted data that is not delivered; beyond it the response is "Slow down.": 8 to 65536 [default: 256]
    #[arg(long, value_name = "MB", help_heading = "Buffers")]
    pub(crate) backlog_mb: Option<Whole<8, 65_536>>,

    /// The destination of objects: a folder, or s3://BUCKET [default: out/bucket]
    ///
    /// Keys in S3 are unchanged. In a folder, a part that is no valid file name is encoded: see "Keys in a folder" in
    /// crates/object-storage/README.md.
    #[arg(long, value_name = "DIR|URL", help_heading = "Destination")]
    pub(crate) destination: Option<String>,

    /// The URL of an S3-compatible service, such as MinIO [default: Amazon's]
    #[arg(long, value_name = "URL", help_heading = "Destination")]
    pub(crate) s3_endpoint: Option<String>,

    /// The size of an object's data, as Firehose's SizeInMBs: 1 to 128, with --dynamic-partitioning from 64 [default: 5, or 64]
    #[arg(long, value_name = "MB", help_heading = "Destination")]
    pub(crate) destination_mb: Option<Whole<1, 128>>,

    /// The longest time of an object in the buffer, as Firehose's IntervalInSeconds: 0 to 900 [default: 3]
    ///
    /// Firehose's default is 300. Here a developer waits for the result.
    #[arg(long, value_name = "N", help_heading = "Destination")]
    pub(crate) destination_seconds: Option<Whole<0, 900>>,

    /// The prefix of delivered objects, with Firehose's expressions; with --source kinesis NAME/, or rawdata/ for the collector's
    /// stream [default: firehose/]
    ///
    /// Expressions are !{timestamp:FORMAT}, !{firehose:random-string} and, with --dynamic-partitioning,
    /// !{partitionKeyFromLambda:NAME}. Without a timestamp and without keys, yyyy/MM/dd/HH/ is appended.
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) prefix: Option<String>,

    /// The prefix of error objects, with Firehose's expressions [default:
    /// errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/]
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) error_prefix: Option<String>,

    /// The prefix of the source backup; without one, there is no backup [default: none]
    #[arg(long, value_name = "PREFIX", help_heading = "Destination")]
    pub(crate) backup_prefix: Option<String>,

    /// The compression of objects [default: none]
    #[arg(long, value_name = "HOW", help_heading = "Destination", ignore_case = true)]
    pub(crate) compression: Option<Encoding>,

    /// Partition objects by the keys that the function returns [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(help_heading = "Destination", hide_possible_values = true)]
    pub(crate) dynamic_partitioning: Option<bool>,
}

/// A function: `[functions.NAME]` in the file. Names and values are those of a stream's options.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FunctionOptions {
    pub(crate) command: String,
    #[serde(default, deserialize_with = "path")]
    pub(crate) directory: Option<PathBuf>,
    #[serde(default, deserialize_with = "variables_of_function")]
    pub(crate) env: Vec<(String, String)>,
    pub(crate) memory_mb: Option<Whole<128, 10_240>>,
    pub(crate) timeout_seconds: Option<Whole<1, 300>>,
}

/// The names of options, the same on the command line and in the file.
pub(super) fn names<A: Args>() -> Vec<String> {
    let command = A::augment_args(Command::new(""));
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
}
