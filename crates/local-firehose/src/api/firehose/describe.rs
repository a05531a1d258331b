//! DescribeDeliveryStream and ListDeliveryStreams.

use jiff::Timestamp;
use runtime_api::ACCOUNT;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::constraints::{Constraints, MAX_DELIVERY_STREAM_NAME};
use crate::api::request::{ApiError, parse, seconds};
use crate::stream::{Source, StreamSettings};
use firehose_model::batch::MB;
use firehose_model::event::stream_arn;
use firehose_model::kinesis::data_stream_arn;
use firehose_model::prefix::{Compression, Prefix};
use object_storage::Destination;

const DESTINATION_ID: &str = "destinationId-000000000001";
/// The default of the partitioning's `DurationInSeconds` (API reference, "RetryOptions").
const PARTITIONING_RETRY_SECONDS: u32 = 300;

pub(super) const DIRECT_PUT: &str = "DirectPut";
const KINESIS: &str = "KinesisStreamAsSource";
const TYPES: [&str; 4] = [DIRECT_PUT, KINESIS, "MSKAsSource", "DatabaseAsSource"];

/// The default `Limit` (API reference).
const DEFAULT_LIMIT: usize = 10;

pub(super) fn type_of(settings: &StreamSettings) -> &'static str {
    match settings.source {
        Source::DirectPut => DIRECT_PUT,
        Source::Kinesis(_) => KINESIS,
    }
}

/// The name of a stream, and the id after which its destinations are wanted.
pub(super) fn request(body: &[u8]) -> Result<(String, Option<String>), ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        delivery_stream_name: Option<String>,
        limit: Option<i64>,
        exclusive_start_destination_id: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(input.delivery_stream_name);
    constraints.limit(input.limit, "limit", 1);
    let after = input.exclusive_start_destination_id;
    if let Some(id) = &after {
        constraints.text(id, "exclusiveStartDestinationId", 100, |char| char == '-', "[a-zA-Z0-9-]+");
    }
    constraints.validate()?;
    Ok((stream, after))
}

pub(super) fn response(
    after: Option<&str>,
    settings: &StreamSettings,
    started: Timestamp,
    function_arn: Option<&str>,
) -> Value {
    let is_wanted = after.is_none_or(|after| DESTINATION_ID > after);
    let mut description = json!({
        "DeliveryStreamName": settings.name,
        "DeliveryStreamARN": stream_arn(&settings.name),
        "DeliveryStreamStatus": "ACTIVE",
        "DeliveryStreamType": type_of(settings),
        // Settings do not change while a stream runs.
        "VersionId": "1",
        "CreateTimestamp": seconds(started),
        "HasMoreDestinations": false,
        "Destinations": is_wanted.then(|| destination(settings, function_arn)).as_slice(),
    });
    match settings.source {
        // A data stream has its own encryption (Firehose API reference, "StartDeliveryStreamEncryption").
        Source::DirectPut => description["DeliveryStreamEncryptionConfiguration"] = json!({ "Status": "DISABLED" }),
        Source::Kinesis(_) => {
            description["Source"] = json!({ "KinesisStreamSourceDescription": {
                "KinesisStreamARN": data_stream_arn(&settings.name),
                "RoleARN": role_arn(),
                "DeliveryStartTimestamp": seconds(started),
            } });
        }
    }
    json!({ "DeliveryStreamDescription": description })
}

fn destination(settings: &StreamSettings, function_arn: Option<&str>) -> Value {
    let mut s3 = s3(settings, &settings.prefix);
    s3["ErrorOutputPrefix"] = json!(settings.error_prefix.text());
    let mut extended = s3.clone();
    let processors = function_arn.map(|function_arn| processor(settings, function_arn));
    extended["ProcessingConfiguration"] =
        json!({ "Enabled": processors.is_some(), "Processors": processors.as_slice() });
    extended["S3BackupMode"] = json!(if settings.backup_prefix.is_some() { "Enabled" } else { "Disabled" });
    if let Some(prefix) = &settings.backup_prefix {
        extended["S3BackupDescription"] = self::s3(settings, prefix);
    }
    if settings.dynamic_partitioning {
        let retry = json!({ "DurationInSeconds": PARTITIONING_RETRY_SECONDS });
        extended["DynamicPartitioningConfiguration"] = json!({ "Enabled": true, "RetryOptions": retry });
    }
    json!({
        "DestinationId": DESTINATION_ID,
        "ExtendedS3DestinationDescription": extended,
        // The older form, which Firehose still sends.
        "S3DestinationDescription": s3,
    })
}

fn s3(settings: &StreamSettings, prefix: &Prefix) -> Value {
    let bucket = match &settings.destination {
        // A folder has no ARN, but the member is required.
        Destination::Folder(_) => "local-folder",
        Destination::S3 { bucket, .. } => bucket,
    };
    let compression = match settings.compression {
        Compression::None => "UNCOMPRESSED",
        Compression::Gzip => "GZIP",
    };
    json!({
        "RoleARN": role_arn(),
        "BucketARN": format!("arn:aws:s3:::{bucket}"),
        "Prefix": prefix.text(),
        "BufferingHints": {
            "SizeInMBs": settings.destination_buffer.bytes / MB,
            "IntervalInSeconds": settings.destination_buffer.interval.as_secs(),
        },
        "CompressionFormat": compression,
        "EncryptionConfiguration": { "NoEncryptionConfig": "NoEncryption" },
        "CloudWatchLoggingOptions": { "Enabled": false },
    })
}

fn processor(settings: &StreamSettings, function_arn: &str) -> Value {
    let parameter = |name, value: String| json!({ "ParameterName": name, "ParameterValue": value });
    json!({
        "Type": "Lambda",
        "Parameters": [
            parameter("LambdaArn", function_arn.to_owned()),
            parameter("NumberOfRetries", settings.retries.to_string()),
            parameter("RoleArn", role_arn()),
            parameter("BufferSizeInMBs", megabytes(settings.buffer.bytes).to_string()),
            parameter("BufferIntervalInSeconds", settings.buffer.interval.as_secs().to_string()),
        ],
    })
}

fn role_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/firehose_delivery_role")
}

#[expect(clippy::cast_precision_loss, reason = "a buffer has at most 3 MB")]
fn megabytes(bytes: usize) -> f64 {
    (bytes as f64 / MB as f64 * 100.0).round() / 100.0
}

/// `streams` are names in alphabetical order with their types.
pub(super) fn list<'a>(body: &[u8], streams: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit: Option<i64>,
        delivery_stream_type: Option<String>,
        exclusive_start_delivery_stream_name: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let limit = constraints.limit(input.limit, "limit", DEFAULT_LIMIT);
    let wanted_type = input.delivery_stream_type.as_deref();
    if let Some(wanted) = wanted_type {
        constraints.one_of(wanted, "deliveryStreamType", &TYPES);
    }
    let after = input.exclusive_start_delivery_stream_name.as_deref();
    constraints.name(after, "exclusiveStartDeliveryStreamName", MAX_DELIVERY_STREAM_NAME);
    constraints.validate()?;

    let of_type = streams.filter(|(_, of)| wanted_type.is_none_or(|wanted| wanted == *of));
    let mut names = of_type.map(|(name, _)| name).filter(|name| after.is_none_or(|after| *name > after));
    let listed: Vec<&str> = names.by_ref().take(limit).collect();
    Ok(json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": names.next().is_some() }))
}

#[cfg(test)]
mod tests;
