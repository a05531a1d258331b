//! One stream's settings: Firehose's configuration of a stream, and the options of this machine.

use std::num::NonZeroU32;
use std::time::Duration;

use super::function;
use super::layers::{Found, Layers};
use super::{SettingsContext, SettingsError, invalid};
use crate::up::options::{self, BufferMb, Encoding, FieldName, StreamOptions, Whole};
use firehose_model::batch::{DEFAULT_BUFFER_MB, DEFAULT_BUFFER_RECORDS, Limits, MB};
use firehose_model::prefix::{Compression, ErrorPrefix, Prefix};
use local_firehose::stream::{Buffering, DataStreamSettings, Source, StreamSettings};
use object_storage::{Destination, DestinationError};

pub(super) const S3: &str = "s3://";

/// The smallest buffer of a stream with partitions, in MB (Firehose developer guide, "Enable dynamic partitioning").
const PARTITIONED_MB: u32 = 64;

const COUNTED_FIELDS: [&str; 4] = ["mysfitId", "species", "goodevil", "lawchaos"];

pub(super) fn from_options(
    name: String,
    layers: &Layers<'_, StreamOptions>,
    is_of_collector: bool,
    context: &SettingsContext<'_>,
) -> Result<StreamSettings, SettingsError> {
    let source = source(layers);
    let function = function::from_options(layers, &source, context)?;
    let default_prefix = match source {
        Source::DirectPut => "firehose/".to_owned(),
        Source::Kinesis(_) if is_of_collector => "rawdata/".to_owned(),
        Source::Kinesis(_) => format!("{name}/"),
    };
    let prefix = layers.find_or("prefix", |options| options.prefix.as_deref(), default_prefix.as_str());
    let partitioning = layers.find("dynamic-partitioning", |options| options.dynamic_partitioning);
    let partitioning = partitioning.filter(|partitioning| partitioning.value).map(|found| found.option);
    if let (Some(partitioning), None) = (&partitioning, &function) {
        let function = layers.find_or("function", |options| options.function.as_deref(), "").option;
        let problem = format!("needs a function that returns partition keys; {function} is `none`");
        return invalid(partitioning, problem);
    }
    let megabytes = layers.value(|options| options.buffer_mb).map_or(DEFAULT_BUFFER_MB, BufferMb::get);
    let records = layers.number(|options| options.buffer_records, DEFAULT_BUFFER_RECORDS);
    let Limits { bytes, records } = Limits::new(megabytes, records as usize);
    let backlog_mb = layers.number(|options| options.backlog_mb, 256);
    Ok(StreamSettings {
        prefix: parse_prefix(&prefix, partitioning.is_some())?,
        name,
        source,
        function,
        buffer: Buffering { bytes, interval: seconds(layers.number(|options| options.buffer_seconds, 1)) },
        buffer_records: records,
        concurrency: layers.number(|options| options.concurrency, 5) as usize,
        retries: layers.number(|options| options.retries, 3),
        destination: destination(layers)?,
        destination_buffer: destination_buffer(layers, partitioning.as_deref())?,
        error_prefix: error_prefix(layers)?,
        compression: match layers.value(|options| options.compression) {
            None | Some(Encoding::None) => Compression::None,
            Some(Encoding::Gzip) => Compression::Gzip,
        },
        backup_prefix: backup_prefix(layers)?,
        dynamic_partitioning: partitioning.is_some(),
        backlog_bytes: backlog_mb as usize * MB,
        count_fields: COUNTED_FIELDS.map(str::to_owned).to_vec(),
    })
}

fn source(layers: &Layers<'_, StreamOptions>) -> Source {
    match layers.value(|options| options.source) {
        None | Some(options::Source::DirectPut) => Source::DirectPut,
        Some(options::Source::Kinesis) => Source::Kinesis(DataStreamSettings {
            provisioned: layers.value(|options| options.shards).and_then(|shards| NonZeroU32::new(shards.get())),
            partition_key_field: layers
                .value(|options| options.partition_key_field.clone())
                .map(|FieldName(name)| name),
        }),
    }
}

/// The first option that only a data stream has.
pub(super) fn option_of_data_streams(layers: &Layers<'_, StreamOptions>) -> Option<String> {
    let shards = layers.find("shards", |options| options.shards).map(|found| found.option);
    shards.or_else(|| Some(layers.find("partition-key-field", |options| options.partition_key_field.as_ref())?.option))
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn destination(layers: &Layers<'_, StreamOptions>) -> Result<Destination, SettingsError> {
    let place = layers.find_or("destination", |options| options.destination.as_deref(), "out/bucket");
    // The endpoint may be given for all streams. Those that deliver to a folder ignore it.
    let endpoint = layers.find("s3-endpoint", |options| options.s3_endpoint.as_deref());
    let endpoint = endpoint.filter(|_| place.value.starts_with(S3));
    Destination::parse(place.value, endpoint.as_ref().map(|endpoint| endpoint.value)).or_else(|error| {
        let endpoint = endpoint.filter(|_| matches!(error, DestinationError::Endpoint(_)));
        invalid(&endpoint.map_or(place.option, |endpoint| endpoint.option), error)
    })
}

fn destination_buffer(
    layers: &Layers<'_, StreamOptions>,
    partitioning: Option<&str>,
) -> Result<Buffering, SettingsError> {
    let default = if partitioning.is_some() { PARTITIONED_MB } else { 5 };
    let size = layers.find_or("destination-mb", |options| options.destination_mb.map(Whole::get), default);
    if let Some(partitioning) = partitioning.filter(|_| size.value < PARTITIONED_MB) {
        let problem = format!("found {}; accepted is 64 to 128 with {partitioning}", size.value);
        return invalid(&size.option, problem);
    }
    let interval = seconds(layers.number(|options| options.destination_seconds, 3));
    Ok(Buffering { bytes: size.value as usize * MB, interval })
}

fn parse_prefix(found: &Found<&str>, dynamic_partitioning: bool) -> Result<Prefix, SettingsError> {
    Prefix::parse(found.value, dynamic_partitioning).or_else(|error| invalid(&found.option, error))
}

fn error_prefix(layers: &Layers<'_, StreamOptions>) -> Result<ErrorPrefix, SettingsError> {
    let default = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/";
    let found = layers.find_or("error-prefix", |options| options.error_prefix.as_deref(), default);
    ErrorPrefix::parse(found.value).or_else(|error| invalid(&found.option, error))
}

/// Without partition keys: the function has not processed source records.
fn backup_prefix(layers: &Layers<'_, StreamOptions>) -> Result<Option<Prefix>, SettingsError> {
    let found = layers.find("backup-prefix", |options| options.backup_prefix.as_deref());
    found.map(|found| parse_prefix(&found, false)).transpose()
}
