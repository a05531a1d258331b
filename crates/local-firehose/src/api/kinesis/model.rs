//! Which members of Kinesis's operations are supported. Puts have a reader of their own, which is faster.

use std::sync::LazyLock;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::api::model::{Model, Supported};
use crate::api::request::ApiError;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::new("Kinesis", include_str!("service-model.json"), SUPPORTED));

/// Kinesis has not implemented `StreamId`, which is reserved (Kinesis API reference).
const SUPPORTED: Supported = &[
    ("AddTagsToStreamInput", &["StreamARN", "StreamName", "Tags"]),
    ("CreateStreamInput", &["MaxRecordSizeInKiB", "ShardCount", "StreamModeDetails", "StreamName", "Tags"]),
    ("DecreaseStreamRetentionPeriodInput", &["RetentionPeriodHours", "StreamARN", "StreamName"]),
    ("DeleteStreamInput", &["EnforceConsumerDeletion", "StreamARN", "StreamName"]),
    ("DescribeStreamInput", &["ExclusiveStartShardId", "Limit", "StreamARN", "StreamName"]),
    ("DescribeStreamSummaryInput", &["StreamARN", "StreamName"]),
    ("GetRecordsInput", &["DryRun", "Limit", "ShardIterator", "StreamARN"]),
    (
        "GetShardIteratorInput",
        &["DryRun", "ShardId", "ShardIteratorType", "StartingSequenceNumber", "StreamARN", "StreamName", "Timestamp"],
    ),
    ("IncreaseStreamRetentionPeriodInput", &["RetentionPeriodHours", "StreamARN", "StreamName"]),
    (
        "ListShardsInput",
        &["ExclusiveStartShardId", "MaxResults", "NextToken", "ShardFilter", "StreamARN", "StreamName"],
    ),
    ("ListStreamsInput", &["ExclusiveStartStreamName", "Limit", "NextToken"]),
    ("ListTagsForStreamInput", &["ExclusiveStartTagKey", "Limit", "StreamARN", "StreamName"]),
    ("RemoveTagsFromStreamInput", &["StreamARN", "StreamName", "TagKeys"]),
    ("ShardFilter", &["ShardId", "Timestamp", "Type"]),
    ("StreamModeDetails", &["StreamMode"]),
];

/// Reads the input of an operation.
pub(super) fn read<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<T, ApiError> {
    let input = MODEL.read(operation, body)?;
    serde_json::from_value(Value::Object(input)).map_err(|error| ApiError::serialization(error.to_string()))
}

/// The only member of puts without an effect.
pub(super) fn refuse_stream_id(stream_id: Option<IgnoredAny>) -> Result<(), ApiError> {
    stream_id.map_or(Ok(()), |_| Err(MODEL.unsupported("StreamId")))
}

#[cfg(test)]
mod tests;
