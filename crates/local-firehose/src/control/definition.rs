//! The definition of a delivery stream that a caller has created, and the settings that it stands for.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::data_streams::KinesisSource;
use super::functions::FunctionMap;
use super::processing::{FieldError, Processing, Transformation};
use crate::stream::{Buffering, Source, StreamSettings};
use firehose_model::batch::{DEFAULT_BUFFER_RECORDS, Limits, MB};
use firehose_model::excerpt::excerpt;
use firehose_model::limits::MIN_PARTITIONED_MB;
use firehose_model::prefix::{Compression, Prefix, time_zone};
use firehose_model::processors::Processors;
use firehose_model::query::Query;
use firehose_model::scope::Scope;
use object_storage::Destination;

/// Firehose's default `BufferingHints` (API reference, "BufferingHints").
const DEFAULT_SIZE_MB: u32 = 5;
const DEFAULT_INTERVAL_SECONDS: u32 = 300;
/// Concurrent invocations of a stream, and the data that it holds: those of `clicks up`.
const CONCURRENCY: usize = 5;
const BACKLOG_BYTES: usize = 256 * MB;

/// The largest destination as JSON, a limit of this server: all are in memory, and in one file.
const MAX_DESTINATION_BYTES: usize = 64 * 1024;

const BUCKET_ARN: &str = "arn:aws:s3:::";
const BACKUP: &str = "S3BackupConfiguration";
const BACKUP_UPDATE: &str = "S3BackupUpdate";

/// Where buckets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// A bucket is a folder of its name in this one.
    Folder(PathBuf),
    /// A bucket is the one of its name in S3.
    S3 {
        /// The URL of an S3-compatible service; none for AWS.
        endpoint: Option<String>,
    },
}

impl Root {
    fn bucket(&self, arn: &str) -> Result<Destination, String> {
        // The partition may be another one, such as `aws-cn`.
        let (_, name) = arn.rsplit_once(':').ok_or_else(|| format!("accepted is {BUCKET_ARN}NAME"))?;
        let endpoint = if let Self::S3 { endpoint } = self { endpoint.as_deref() } else { None };
        let url = format!("s3://{name}");
        let bucket =
            Destination::parse(&url, endpoint).map_err(|error| error.to_string().replace(&url, &excerpt(arn, 64)))?;
        Ok(match self {
            Self::Folder(folder) => Destination::Folder(folder.join(name)),
            Self::S3 { .. } => bucket,
        })
    }
}

/// A delivery stream as its caller has configured it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The region and the account of the caller that created it.
    pub scope: Scope,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was updated, in milliseconds since 1970.
    pub updated_ms: Option<i64>,
    /// 1, and one more with each update.
    pub version: u64,
    /// The data stream that it reads; none for Direct PUT.
    #[serde(default)]
    pub source: Option<KinesisSource>,
    /// An `ExtendedS3DestinationConfiguration` within the constraints of the service model.
    pub destination: Map<String, Value>,
}

/// The settings of a definition, and the bucket of its source backup.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) settings: StreamSettings,
    pub(super) backup: Destination,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    #[serde(rename = "BucketARN")]
    bucket_arn: Option<String>,
    prefix: Option<String>,
    error_output_prefix: Option<String>,
    buffering_hints: Option<BufferingHints>,
    compression_format: Option<String>,
    cloud_watch_logging_options: Option<Switch>,
    custom_time_zone: Option<String>,
    file_extension: Option<String>,
    processing_configuration: Option<Processing>,
    s3_backup_mode: Option<String>,
    /// With the members of an `S3DestinationConfiguration`.
    s3_backup_configuration: Option<Box<Configuration>>,
    dynamic_partitioning_configuration: Option<Switch>,
    data_format_conversion_configuration: Option<Switch>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BufferingHints {
    #[serde(rename = "SizeInMBs")]
    size_mb: Option<u32>,
    interval_in_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Switch {
    enabled: Option<bool>,
}

impl Definition {
    /// The bucket, the prefixes and the other members are validated here, as far as the service model does not. `at` is the member of
    /// the request that has the configuration, for errors.
    pub(super) fn plan(&self, at: &str, root: &Root, functions: &FunctionMap) -> Result<Plan, FieldError> {
        let refused = |member: &'static str| move |problem: String| FieldError::new(format!("{at}.{member}"), problem);
        let configuration = self.read_configuration(at)?;
        refuse_unsupported(&configuration, at)?;
        let (transformation, processors) = configuration.processing(at)?;

        let partitioned = configuration.is_partitioned();
        let is_by_function = partitioned && transformation.is_some();
        let keys = processors.query.as_ref().map(Query::keys).unwrap_or_default();
        let prefix_text = configuration.prefix.as_deref().unwrap_or_default();
        let prefix = Prefix::with_keys(prefix_text, is_by_function, keys).map_err(refused("Prefix"))?;
        let error_prefix = error_prefix(prefix_text, configuration.error_output_prefix.as_deref())
            .map_err(refused("ErrorOutputPrefix"))?;
        // An empty one is the default: so an update removes one.
        let time_zone = match configuration.custom_time_zone.as_deref() {
            None | Some("") => TimeZone::UTC,
            Some(zone) => time_zone(zone).map_err(refused("CustomTimeZone"))?,
        };
        let destination_buffer =
            buffering(configuration.buffering_hints.as_ref(), partitioned).map_err(refused("BufferingHints"))?;
        let destination =
            root.bucket(configuration.bucket_arn.as_deref().unwrap_or_default()).map_err(refused("BucketARN"))?;
        let compression =
            compression(configuration.compression_format.as_deref()).map_err(refused("CompressionFormat"))?;
        let is_buffered_alike = |hints: &BufferingHints| buffering(Some(hints), partitioned) == Ok(destination_buffer);
        let is_backed_up = configuration.s3_backup_mode.as_deref() == Some("Enabled");
        let backup = backup_of(configuration.s3_backup_configuration, is_backed_up, at, root, is_buffered_alike)?;
        let (backup_prefix, backup_compression, backup_destination) =
            backup.unwrap_or_else(|| (None, Compression::None, destination.clone()));

        let (buffer, retries) = function_buffer(transformation.as_ref());
        let function_arn = transformation.map(|transformation| transformation.arn);
        let settings = StreamSettings {
            name: self.name.clone(),
            scope: self.scope.clone(),
            source: Source::DirectPut,
            version: self.version,
            function: function_arn.as_deref().and_then(|arn| functions.find(arn)),
            function_arn,
            buffer,
            buffer_records: DEFAULT_BUFFER_RECORDS as usize,
            concurrency: CONCURRENCY,
            retries,
            processors,
            destination,
            destination_buffer,
            prefix,
            error_prefix,
            time_zone,
            compression,
            file_extension: configuration.file_extension.filter(|extension| !extension.is_empty()),
            backup_prefix,
            backup_compression,
            dynamic_partitioning: partitioned,
            backlog_bytes: BACKLOG_BYTES,
            count_fields: Vec::new(),
        };
        Ok(Plan { settings, backup: backup_destination })
    }

    fn read_configuration(&self, at: &str) -> Result<Configuration, FieldError> {
        let destination = Value::Object(self.destination.clone());
        let bytes = destination.to_string().len();
        if bytes > MAX_DESTINATION_BYTES {
            let problem = format!("has {bytes} bytes; this local Firehose accepts {MAX_DESTINATION_BYTES}");
            return Err(FieldError::new(at, problem));
        }
        Configuration::deserialize(destination).map_err(|error| FieldError::new(at, error.to_string()))
    }

    /// The definition after an update. A member that the update has replaces the one of before; others are retained. Members of
    /// `S3BackupUpdate` are merged one by one, which is an assumption.
    pub(super) fn merged(&self, at: &str, change: Map<String, Value>, now_ms: i64) -> Result<Self, FieldError> {
        let mut merged = self.clone();
        merged.version += 1;
        merged.updated_ms = Some(now_ms);
        // Those of the backup are the destination's.
        if change.contains_key("BufferingHints")
            && let Some(Value::Object(backup)) = merged.destination.get_mut(BACKUP)
        {
            backup.remove("BufferingHints");
        }
        for (member, value) in change {
            if member != BACKUP_UPDATE {
                merged.destination.insert(member, value);
                continue;
            }
            let before = merged.destination.entry(BACKUP).or_insert_with(|| json!({}));
            if let (Value::Object(before), Value::Object(change)) = (before, value) {
                before.extend(change);
            }
        }
        // API reference, "ExtendedS3DestinationUpdate", "S3BackupMode".
        if self.has_backup() && !merged.has_backup() {
            return Err(FieldError::new(format!("{at}.S3BackupMode"), "cannot be disabled once it is enabled"));
        }
        // Developer guide, "Enable dynamic partitioning": only when a stream is created.
        if self.is_partitioned() != merged.is_partitioned() {
            let field = format!("{at}.DynamicPartitioningConfiguration.Enabled");
            return Err(FieldError::new(field, "cannot be changed after the stream is created"));
        }
        Ok(merged)
    }

    fn has_backup(&self) -> bool {
        self.destination.get("S3BackupMode").is_some_and(|mode| mode == "Enabled")
    }

    fn is_partitioned(&self) -> bool {
        let found = self.destination.get("DynamicPartitioningConfiguration");
        found.and_then(|found| found.get("Enabled")).is_some_and(|enabled| *enabled == true)
    }

    /// In MB and seconds.
    pub(crate) fn buffering_hints(&self) -> (u64, u64) {
        let hint = |member: &str| self.destination.get("BufferingHints")?.get(member)?.as_u64();
        let default_mb = if self.is_partitioned() { MIN_PARTITIONED_MB } else { DEFAULT_SIZE_MB };
        (
            hint("SizeInMBs").unwrap_or(default_mb.into()),
            hint("IntervalInSeconds").unwrap_or(DEFAULT_INTERVAL_SECONDS.into()),
        )
    }
}

fn refuse_unsupported(configuration: &Configuration, at: &str) -> Result<(), FieldError> {
    // API reference, "DataFormatConversionConfiguration": `Enabled` is true by default.
    match &configuration.data_format_conversion_configuration {
        None | Some(Switch { enabled: Some(false) }) => Ok(()),
        Some(_) => {
            let problem = "is true, also by default, which is not supported by this local Firehose; accepted is false";
            Err(FieldError::new(format!("{at}.DataFormatConversionConfiguration.Enabled"), problem))
        }
    }
}

type Backup = (Option<Prefix>, Compression, Destination);

/// None unless it is enabled. Its configuration is validated all the same.
fn backup_of(
    configuration: Option<Box<Configuration>>,
    is_enabled: bool,
    at: &str,
    root: &Root,
    is_buffered_alike: impl FnOnce(&BufferingHints) -> bool,
) -> Result<Option<Backup>, FieldError> {
    let at = format!("{at}.{}", if at.ends_with("Update") { BACKUP_UPDATE } else { BACKUP });
    let backup = configuration.map(|found| found.backup(&at, root, is_buffered_alike)).transpose()?;
    if is_enabled && backup.is_none() {
        return Err(FieldError::new(at, "is required when S3BackupMode is Enabled"));
    }
    Ok(backup.filter(|_| is_enabled))
}

/// The buffer of the function, and its retries. Without a function, there is nothing to collect records for.
fn function_buffer(transformation: Option<&Transformation>) -> (Buffering, u32) {
    match transformation {
        Some(Transformation { buffer_mb, buffer_seconds, retries, .. }) => {
            let Limits { bytes, .. } = Limits::new(*buffer_mb, 0);
            (Buffering { bytes, interval: seconds(*buffer_seconds) }, *retries)
        }
        None => (Buffering { bytes: MB, interval: Duration::ZERO }, 0),
    }
}

fn is_enabled(switch: Option<&Switch>) -> bool {
    switch.is_some_and(|switch| switch.enabled == Some(true))
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

/// Without one, Firehose puts error objects below the prefix, which is an assumption, and the error type before the time ("Use Amazon S3
/// bucket prefix to deliver data").
fn error_prefix(prefix: &str, given: Option<&str>) -> Result<Prefix, String> {
    match given.filter(|given| !given.is_empty()) {
        Some(given) => Prefix::for_errors(given),
        None if prefix.contains("!{") => Err("cannot be null or empty when Prefix contains expressions".to_owned()),
        None => Prefix::for_errors(&format!("{prefix}!{{firehose:error-output-type}}/!{{timestamp:yyyy/MM/dd/HH}}/")),
    }
}

fn compression(format: Option<&str>) -> Result<Compression, String> {
    match format {
        None | Some("UNCOMPRESSED") => Ok(Compression::None),
        Some("GZIP") => Ok(Compression::Gzip),
        Some(other) => {
            Err(format!("{other} is not supported by this local Firehose; accepted are UNCOMPRESSED and GZIP"))
        }
    }
}

fn buffering(hints: Option<&BufferingHints>, partitioned: bool) -> Result<Buffering, String> {
    let default_mb = if partitioned { MIN_PARTITIONED_MB } else { DEFAULT_SIZE_MB };
    let (size_mb, interval) = match hints {
        None | Some(BufferingHints { size_mb: None, interval_in_seconds: None }) => {
            (default_mb, DEFAULT_INTERVAL_SECONDS)
        }
        Some(BufferingHints { size_mb: Some(size_mb), interval_in_seconds: Some(interval) }) => (*size_mb, *interval),
        // API reference, "BufferingHints".
        Some(_) => return Err("SizeInMBs and IntervalInSeconds must be specified together".to_owned()),
    };
    if partitioned && size_mb < MIN_PARTITIONED_MB {
        return Err(format!("SizeInMBs must be at least {MIN_PARTITIONED_MB} with dynamic partitioning"));
    }
    Ok(Buffering { bytes: size_mb as usize * MB, interval: seconds(interval) })
}

impl Configuration {
    fn is_partitioned(&self) -> bool {
        is_enabled(self.dynamic_partitioning_configuration.as_ref())
    }

    fn processing(&self, at: &str) -> Result<(Option<Transformation>, Processors), FieldError> {
        let partitioned = self.is_partitioned();
        let processing = format!("{at}.ProcessingConfiguration");
        let read = self.processing_configuration.as_ref().map(|found| found.read(&processing, partitioned));
        let (transformation, processors) = read.transpose()?.unwrap_or_default();
        if partitioned && transformation.is_none() && processors.query.is_none() {
            let problem =
                "needs a processor of type Lambda that returns partition keys, or one of type MetadataExtraction";
            return Err(FieldError::new(format!("{at}.DynamicPartitioningConfiguration.Enabled"), problem));
        }
        Ok((transformation, processors))
    }

    /// The prefix, the compression and the bucket of the source backup. It shares the buffering hints of the destination, so it has no
    /// others. Errors go to the destination.
    fn backup(
        self,
        at: &str,
        root: &Root,
        is_buffered_alike: impl FnOnce(&BufferingHints) -> bool,
    ) -> Result<Backup, FieldError> {
        let refuse = |member: &str, problem: &str| Err(FieldError::new(format!("{at}.{member}"), problem));
        if self.buffering_hints.is_some_and(|hints| !is_buffered_alike(&hints)) {
            let problem = "other hints than those of the destination are not supported by this local Firehose";
            return refuse("BufferingHints", problem);
        }
        if is_enabled(self.cloud_watch_logging_options.as_ref()) {
            let problem = "is not supported by this local Firehose; accepted is false";
            return refuse("CloudWatchLoggingOptions.Enabled", problem);
        }
        if self.error_output_prefix.is_some() {
            return refuse("ErrorOutputPrefix", "is not supported by this local Firehose");
        }
        if self.role_arn.is_none() {
            return refuse("RoleARN", "is required");
        }
        let Some(bucket) = self.bucket_arn else { return refuse("BucketARN", "is required") };
        let refused = |member: &'static str| move |problem: String| FieldError::new(format!("{at}.{member}"), problem);
        let bucket = root.bucket(&bucket).map_err(refused("BucketARN"))?;
        // The function has not processed source records, so they have no partition keys.
        let prefix = Prefix::parse(&self.prefix.unwrap_or_default(), false).map_err(refused("Prefix"))?;
        let compression = compression(self.compression_format.as_deref()).map_err(refused("CompressionFormat"))?;
        Ok((Some(prefix), compression, bucket))
    }
}

#[cfg(test)]
mod tests;
