//! All streams, and which of them receives the clicks.

use std::num::NonZeroU32;
use std::path::Path;
use std::slice;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Found, Layers, SettingsContext, function, invalid, table};
use crate::error::UsageError;
use crate::up::options::{self, BufferMb, Encoding, File, PipelineOptions, StreamName, StreamOptions, Whole};
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, Limits, MB};
use firehose_model::event::STREAM;
use firehose_model::limits::MIN_PARTITIONED_MB;
use firehose_model::prefix::{Compression, Prefix};
use firehose_model::processors::Processors;
use firehose_model::scope::Scope;
use local_firehose::control::FunctionMap;
use local_firehose::stream::{Buffering, DataStreamSettings, Source, StreamSettings};
use object_storage::{Destination, DestinationError};

const S3: &str = "s3://";
const ERROR_PREFIX: &str = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/";

const COUNTED_FIELDS: [&str; 4] = ["mysfitId", "species", "goodevil", "lawchaos"];

pub(super) fn from_options(
    pipeline: &Layers<'_, PipelineOptions>,
    command_line: &StreamOptions,
    file: Option<(&Path, &File)>,
    functions: &FunctionMap,
    context: &SettingsContext<'_>,
) -> Result<Vec<StreamSettings>, UsageError> {
    let only = pipeline.find("stream", |options| options.stream.clone());
    let collector = pipeline.value(|options| options.collector_stream.clone());
    let command_line = (None, command_line);
    let defaults = file.map(|(path, file)| (Some(table(path, "defaults")), &file.defaults));
    let tables: Vec<(String, Option<_>)> = match (file.filter(|(_, file)| !file.streams.is_empty()), only) {
        (Some((path, file)), Some(Found { option, .. })) => {
            let streams = file.streams.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let path = path.display();
            return invalid(
                &option,
                format_args!("accepted without tables [streams.NAME] only; {path} has the streams {streams}"),
            );
        }
        (Some((path, file)), None) => {
            let of_stream = |name: &str| Some(table(path, &format!("streams.{name}")));
            file.streams.iter().map(|(name, options)| (name.clone(), Some((of_stream(name), options)))).collect()
        }
        (None, only) => vec![(only.map_or_else(|| STREAM.to_owned(), |only| only.value.0), None)],
    };
    let tables_only = tables.iter().filter_map(|(_, table)| table.clone());
    let all = Layers([command_line.clone()].into_iter().chain(defaults.clone()).chain(tables_only).collect());
    endpoint_is_used(&all)?;
    let mut streams = Vec::new();
    for (name, table) in tables {
        let is_of_collector = collector.as_ref().is_some_and(|collector| collector.0 == name);
        let layers = Layers([command_line.clone()].into_iter().chain(table.clone()).chain(defaults.clone()).collect());
        let stream = stream(name, &layers, is_of_collector, functions, context)?;
        shards_are_used(&Layers(table.into_iter().collect()), slice::from_ref(&stream))?;
        streams.push(stream);
    }
    shards_are_used(&all, &streams)?;
    Ok(streams)
}

/// An option for all streams is for those that read a data stream.
fn shards_are_used(layers: &Layers<'_, StreamOptions>, streams: &[StreamSettings]) -> Result<(), UsageError> {
    let shards = layers.find("shards", |options| options.shards.map(drop));
    let key = layers.find("partition-key-field", |options| options.partition_key_field.as_ref().map(drop));
    match shards.or(key) {
        Some(found) if streams.iter().all(|stream| stream.source == Source::DirectPut) => {
            invalid(&found.option, "needs a stream with `source = \"kinesis\"`; set that, or leave the option out")
        }
        _ => Ok(()),
    }
}

fn endpoint_is_used(all: &Layers<'_, StreamOptions>) -> Result<(), UsageError> {
    let has_s3 = |options: &StreamOptions| options.destination.as_deref().filter(|text| text.starts_with(S3)).map(drop);
    match all.find("s3-endpoint", |options| options.s3_endpoint.as_ref()) {
        Some(endpoint) if all.value(has_s3).is_none() => {
            invalid(&endpoint.option, "needs a destination s3://BUCKET; no stream has one")
        }
        _ => Ok(()),
    }
}

/// One of Direct PUT, as in the cloud. Without one, there is no route for clicks.
pub(super) fn click_stream(
    layers: &Layers<'_, PipelineOptions>,
    streams: &[StreamSettings],
) -> Result<Option<String>, UsageError> {
    let direct = streams.iter().filter(|stream| stream.source == Source::DirectPut);
    let names: Vec<&str> = direct.map(|stream| stream.name.as_str()).collect();
    let accepted = names.join(", ");
    match layers.find("click-stream", |options| options.click_stream.clone()) {
        Some(Found { value: StreamName(name), .. }) if names.contains(&name.as_str()) => Ok(Some(name)),
        Some(Found { option, value: StreamName(found), .. }) => {
            let problem = if streams.iter().any(|stream| stream.name == found) {
                format!(
                    "found {found}, which reads a data stream; accepted is one of the streams of Direct PUT: {accepted}"
                )
            } else {
                format!("found {found}; accepted is one of the streams: {accepted}")
            };
            invalid(&option, problem)
        }
        None if names.contains(&STREAM) => Ok(Some(STREAM.to_owned())),
        None => match names[..] {
            [] => Ok(None),
            [only] => Ok(Some(only.to_owned())),
            _ => Err(UsageError(format!(
                "no stream is chosen for the clicks: found {accepted}; choose one with `--click-stream` (or `click-stream` of \
                 [pipeline])"
            ))),
        },
    }
}

fn stream(
    name: String,
    layers: &Layers<'_, StreamOptions>,
    is_of_collector: bool,
    functions: &FunctionMap,
    context: &SettingsContext<'_>,
) -> Result<StreamSettings, UsageError> {
    let source = source(layers);
    let function = function::from_options(layers, &source, functions, context)?;
    let default_prefix = match source {
        Source::DirectPut => "firehose/".to_owned(),
        Source::Kinesis(_) if is_of_collector => "rawdata/".to_owned(),
        Source::Kinesis(_) | Source::DataStream { .. } => format!("{name}/"),
    };
    let prefix = layers.find_or("prefix", |options| options.prefix.as_deref(), default_prefix.as_str());
    let partitioning = layers.find("dynamic-partitioning", |options| options.dynamic_partitioning);
    let partitioning = partitioning.filter(|partitioning| partitioning.value).map(|found| found.option);
    if let (Some(partitioning), None) = (&partitioning, &function) {
        let function = layers.find_or("function", |options| options.function.as_deref(), "").option;
        let problem = format!("needs a function that returns partition keys; {function} is `none`");
        return invalid(partitioning, problem);
    }
    let megabytes =
        layers.value(|options| options.buffer_mb).map_or(DEFAULT_BUFFER_MB, |BufferMb(megabytes)| megabytes);
    let records = layers.number(|options| options.buffer_records, DEFAULT_BUFFER_RECORDS);
    let Limits { bytes, records } = Limits::new(megabytes, records as usize);
    let compression = match layers.value(|options| options.compression) {
        None | Some(Encoding::None) => Compression::None,
        Some(Encoding::Gzip) => Compression::Gzip,
    };
    let errors = layers.find_or("error-prefix", |options| options.error_prefix.as_deref(), ERROR_PREFIX);
    let backup = layers.find("backup-prefix", |options| options.backup_prefix.as_deref());
    Ok(StreamSettings {
        prefix: parse_prefix(&prefix, partitioning.is_some())?,
        name,
        scope: Scope::default(),
        source,
        version: 1,
        function_arn: function.as_ref().and_then(|function| function.arn.clone()),
        function,
        buffer: Buffering { bytes, interval: seconds(layers.number(|options| options.buffer_seconds, 1)) },
        buffer_records: records,
        concurrency: layers.number(|options| options.concurrency, 5) as usize,
        retries: layers.number(|options| options.retries, 3),
        processors: Processors::default(),
        destination: destination(layers)?,
        destination_buffer: destination_buffer(layers, partitioning.as_deref())?,
        error_prefix: Prefix::for_errors(errors.value).or_else(|error| invalid(&errors.option, error))?,
        time_zone: TimeZone::UTC,
        compression,
        file_extension: None,
        // Without partition keys: the function has not processed source records.
        backup_prefix: backup.map(|found| parse_prefix(&found, false)).transpose()?,
        backup_compression: compression,
        dynamic_partitioning: partitioning.is_some(),
        backlog_bytes: layers.number(|options| options.backlog_mb, 256) as usize * MB,
        count_fields: COUNTED_FIELDS.map(str::to_owned).to_vec(),
    })
}

fn source(layers: &Layers<'_, StreamOptions>) -> Source {
    match layers.value(|options| options.source) {
        None | Some(options::SourceKind::DirectPut) => Source::DirectPut,
        Some(options::SourceKind::Kinesis) => Source::Kinesis(DataStreamSettings {
            provisioned: layers.value(|options| options.shards).and_then(|shards| NonZeroU32::new(shards.0)),
            partition_key_field: layers.value(|options| options.partition_key_field.clone()).map(|field| field.0),
        }),
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn destination(layers: &Layers<'_, StreamOptions>) -> Result<Destination, UsageError> {
    let place = layers.find_or("destination", |options| options.destination.as_deref(), "out/bucket");
    // The endpoint may be given for all streams. Those that deliver to a folder ignore it.
    let endpoint = layers.find("s3-endpoint", |options| options.s3_endpoint.as_deref());
    let endpoint = endpoint.filter(|_| place.value.starts_with(S3));
    Destination::parse(place.value, endpoint.as_ref().map(|endpoint| endpoint.value)).or_else(|error| {
        let endpoint = endpoint.filter(|_| matches!(error, DestinationError::Endpoint(_)));
        invalid(&endpoint.map_or(place.option, |endpoint| endpoint.option), error)
    })
}

fn destination_buffer(layers: &Layers<'_, StreamOptions>, partitioning: Option<&str>) -> Result<Buffering, UsageError> {
    let default = if partitioning.is_some() { MIN_PARTITIONED_MB } else { 5 };
    let size = layers.find_or("destination-mb", |options| options.destination_mb.map(|Whole(number)| number), default);
    if let Some(partitioning) = partitioning.filter(|_| size.value < MIN_PARTITIONED_MB) {
        let problem = format!("found {}; accepted is {MIN_PARTITIONED_MB} to 128 with {partitioning}", size.value);
        return invalid(&size.option, problem);
    }
    let interval = seconds(layers.number(|options| options.destination_seconds, 3));
    Ok(Buffering { bytes: size.value as usize * MB, interval })
}

fn parse_prefix(found: &Found<&str>, dynamic_partitioning: bool) -> Result<Prefix, UsageError> {
    Prefix::parse(found.value, dynamic_partitioning).or_else(|error| invalid(&found.option, error))
}
