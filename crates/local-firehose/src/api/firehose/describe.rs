//! DescribeDeliveryStream and ListDeliveryStreams.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::model::limit;
use crate::api::request::seconds;
use crate::control::{DESTINATION_ID, Definition, DeliveryStreamEntry, KinesisSource, Status};
use crate::stream::{Source, StreamSettings};
use firehose_model::batch::MB;
use firehose_model::prefix::{Compression, Prefix};
use firehose_model::scope::Scope;
use object_storage::Destination;

/// The default of the partitioning's `DurationInSeconds` (API reference, "RetryOptions").
const PARTITIONING_RETRY_SECONDS: u32 = 300;

pub(super) const DIRECT_PUT: &str = "DirectPut";
pub(super) const KINESIS: &str = "KinesisStreamAsSource";

/// The default `Limit` (API reference).
const DEFAULT_LIMIT: usize = 10;

pub(super) fn type_of(settings: &StreamSettings) -> &'static str {
    match settings.source {
        Source::DirectPut => DIRECT_PUT,
        Source::Kinesis(_) | Source::DataStream { .. } => KINESIS,
    }
}

/// `after` is the id after which destinations are wanted.
pub(super) fn response(
    DeliveryStreamEntry { definition, status }: &DeliveryStreamEntry,
    after: &str,
    caller: &Scope,
) -> Value {
    let Definition { name, created_ms, updated_ms, version, source, .. } = definition;
    let is_wanted = DESTINATION_ID > after;
    let mut description = json!({
        "DeliveryStreamName": name,
        "DeliveryStreamARN": caller.delivery_stream_arn(name),
        "DeliveryStreamStatus": status,
        "DeliveryStreamType": if source.is_some() { KINESIS } else { DIRECT_PUT },
        "VersionId": version.to_string(),
        "CreateTimestamp": seconds(*created_ms),
        "HasMoreDestinations": false,
        "Destinations": is_wanted.then(|| destination(definition)).as_slice(),
    });
    if let Some(updated_ms) = updated_ms {
        description["LastUpdateTimestamp"] = json!(seconds(*updated_ms));
    }
    match source {
        // A data stream has its own encryption (Firehose API reference, "StartDeliveryStreamEncryption").
        None => description["DeliveryStreamEncryptionConfiguration"] = json!({ "Status": "DISABLED" }),
        Some(KinesisSource { stream, role_arn, .. }) => {
            description["Source"] = json!({ "KinesisStreamSourceDescription": {
                "KinesisStreamARN": caller.data_stream_arn(stream),
                "RoleARN": role_arn,
                "DeliveryStartTimestamp": seconds(*created_ms),
            } });
        }
    }
    json!({ "DeliveryStreamDescription": description })
}

/// What the caller has not set has Firehose's default.
fn destination(definition: &Definition) -> Value {
    let configuration = &definition.destination;
    let s3 = s3(configuration, definition.buffering_hints());
    let mut extended = s3.clone();
    extended["ProcessingConfiguration"] = json!({ "Enabled": false, "Processors": [] });
    extended["S3BackupMode"] = json!("Disabled");
    if let Some(Value::Object(backup)) = configuration.get("S3BackupConfiguration") {
        extended["S3BackupDescription"] = self::s3(backup, definition.buffering_hints());
    }
    for member in [
        "ProcessingConfiguration",
        "S3BackupMode",
        "DynamicPartitioningConfiguration",
        "DataFormatConversionConfiguration",
        "FileExtension",
        "CustomTimeZone",
    ] {
        if let Some(value) = configuration.get(member) {
            extended[member] = value.clone();
        }
    }
    // Seen of Firehose (LocalStack's snapshot of AWS, 2022-09).
    let partitioning = extended.get_mut("DynamicPartitioningConfiguration");
    if let Some(partitioning) = partitioning.filter(|found| found["Enabled"] == true && found["RetryOptions"].is_null())
    {
        partitioning["RetryOptions"] = json!({ "DurationInSeconds": PARTITIONING_RETRY_SECONDS });
    }
    json!({
        "DestinationId": DESTINATION_ID,
        "ExtendedS3DestinationDescription": extended,
        // The older form, which Firehose still sends.
        "S3DestinationDescription": s3,
    })
}

fn s3(configuration: &Map<String, Value>, (size_mb, interval): (u64, u64)) -> Value {
    let mut s3 = json!({
        "BufferingHints": { "SizeInMBs": size_mb, "IntervalInSeconds": interval },
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": { "NoEncryptionConfig": "NoEncryption" },
        "CloudWatchLoggingOptions": { "Enabled": false },
    });
    for member in
        ["RoleARN", "BucketARN", "Prefix", "ErrorOutputPrefix", "CompressionFormat", "CloudWatchLoggingOptions"]
    {
        if let Some(value) = configuration.get(member) {
            s3[member] = value.clone();
        }
    }
    s3
}

/// A stream that is configured at the start of this process, as if a caller had created it. Its settings do not change while it runs.
pub(super) fn configured(
    settings: &StreamSettings,
    started: Timestamp,
    function_arn: Option<&str>,
    caller: &Scope,
) -> DeliveryStreamEntry {
    let role_arn = format!("arn:aws:iam::{}:role/firehose_delivery_role", caller.account);
    let bucket = match &settings.destination {
        // A folder has no ARN, but the member is required.
        Destination::Folder(_) => "local-folder",
        Destination::S3 { bucket, .. } => bucket,
    };
    let compression = match settings.compression {
        Compression::None => "UNCOMPRESSED",
        Compression::Gzip => "GZIP",
    };
    let s3 = |prefix: &Prefix| {
        json!({
            "RoleARN": role_arn,
            "BucketARN": format!("arn:aws:s3:::{bucket}"),
            "Prefix": prefix.text(),
            "CompressionFormat": compression,
        })
    };
    let mut destination = s3(&settings.prefix);
    destination["ErrorOutputPrefix"] = json!(settings.error_prefix.text());
    destination["BufferingHints"] = json!({
        "SizeInMBs": settings.destination_buffer.bytes / MB,
        "IntervalInSeconds": settings.destination_buffer.interval.as_secs(),
    });
    if let Some(function_arn) = function_arn {
        let parameter = |name, value: &str| json!({ "ParameterName": name, "ParameterValue": value });
        let parameters = [
            parameter("LambdaArn", function_arn),
            parameter("NumberOfRetries", &settings.retries.to_string()),
            parameter("RoleArn", &role_arn),
            parameter("BufferSizeInMBs", &megabytes(settings.buffer.bytes).to_string()),
            parameter("BufferIntervalInSeconds", &settings.buffer.interval.as_secs().to_string()),
        ];
        destination["ProcessingConfiguration"] =
            json!({ "Enabled": true, "Processors": [{ "Type": "Lambda", "Parameters": parameters }] });
    }
    if let Some(prefix) = &settings.backup_prefix {
        destination["S3BackupMode"] = json!("Enabled");
        destination["S3BackupConfiguration"] = s3(prefix);
    }
    if settings.dynamic_partitioning {
        destination["DynamicPartitioningConfiguration"] = json!({ "Enabled": true });
    }
    let source = settings.data_stream().map(str::to_owned);
    let definition = Definition {
        name: settings.name.clone(),
        scope: caller.clone(),
        created_ms: started.as_millisecond(),
        updated_ms: None,
        version: 1,
        source: source.map(|stream| KinesisSource { stream, role_arn: role_arn.clone(), created_ms: None }),
        destination: destination.as_object().cloned().unwrap_or_default(),
    };
    DeliveryStreamEntry { definition, status: Status::Active }
}

#[expect(clippy::cast_precision_loss, reason = "a buffer has at most 3 MB")]
fn megabytes(bytes: usize) -> f64 {
    (bytes as f64 / MB as f64 * 100.0).round() / 100.0
}

/// `streams` are names in alphabetical order with their types.
pub(super) fn list<'a>(input: &Map<String, Value>, streams: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let limit = limit(input).unwrap_or(DEFAULT_LIMIT);
    let wanted_type = input.get("DeliveryStreamType").and_then(Value::as_str);
    let after = input.get("ExclusiveStartDeliveryStreamName").and_then(Value::as_str);

    let of_type = streams.filter(|(_, of)| wanted_type.is_none_or(|wanted| wanted == *of));
    let mut names = of_type.map(|(name, _)| name).filter(|name| after.is_none_or(|after| *name > after));
    let listed: Vec<&str> = names.by_ref().take(limit).collect();
    json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": names.next().is_some() })
}

#[cfg(test)]
mod tests;
