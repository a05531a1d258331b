//! Which members of Firehose's operations are supported.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::SERVICE;
use crate::api::model::{Model, Supported};
use crate::api::request::ApiError;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::new(&SERVICE, include_str!("service-model.json"), SUPPORTED));

/// Every member of other structures is supported.
const SUPPORTED: Supported = &[
    (
        "CreateDeliveryStreamInput",
        &[
            "DeliveryStreamName",
            "DeliveryStreamType",
            "ExtendedS3DestinationConfiguration",
            "KinesisStreamSourceConfiguration",
            "S3DestinationConfiguration",
            "Tags",
        ],
    ),
    (
        "UpdateDestinationInput",
        &[
            "CurrentDeliveryStreamVersionId",
            "DeliveryStreamName",
            "DestinationId",
            "ExtendedS3DestinationUpdate",
            "S3DestinationUpdate",
        ],
    ),
    ("ExtendedS3DestinationConfiguration", &EXTENDED),
    ("ExtendedS3DestinationUpdate", &EXTENDED),
    ("S3DestinationConfiguration", &S3),
    ("S3DestinationUpdate", &S3),
    // What DescribeDeliveryStream returns without encryption and conversion.
    ("EncryptionConfiguration", &["NoEncryptionConfig"]),
    ("DataFormatConversionConfiguration", &["Enabled"]),
    // The retries are described only: uploads are retried without an end.
    ("DynamicPartitioningConfiguration", &["Enabled", "RetryOptions"]),
];
const S3: [&str; 8] = [
    "BucketARN",
    "BufferingHints",
    "CloudWatchLoggingOptions",
    "CompressionFormat",
    "EncryptionConfiguration",
    "ErrorOutputPrefix",
    "Prefix",
    "RoleARN",
];
const EXTENDED: [&str; 16] = [
    "BucketARN",
    "BufferingHints",
    "CloudWatchLoggingOptions",
    "CompressionFormat",
    "CustomTimeZone",
    "DataFormatConversionConfiguration",
    "DynamicPartitioningConfiguration",
    "EncryptionConfiguration",
    "ErrorOutputPrefix",
    "FileExtension",
    "Prefix",
    "ProcessingConfiguration",
    "RoleARN",
    "S3BackupConfiguration",
    "S3BackupMode",
    "S3BackupUpdate",
];

/// Reads the input of an operation.
pub(super) fn read(operation: &str, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    MODEL.read(operation, body)
}

/// Removes a text from an input; empty if the member is missing.
pub(super) fn text(input: &mut Map<String, Value>, member: &str) -> String {
    match input.remove(member) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// `Limit` of an input.
pub(super) fn limit(input: &Map<String, Value>) -> Option<usize> {
    input.get("Limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok())
}

#[cfg(test)]
mod tests;
