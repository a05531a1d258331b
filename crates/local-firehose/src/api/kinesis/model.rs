//! Which members of Kinesis's operations are supported. Puts have a reader of their own, which is faster.

use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::SERVICE;
use crate::api::model::{Model, Supported};
use crate::api::request::ApiError;
use crate::control::Tags;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::new(&SERVICE, include_str!("service-model.json"), SUPPORTED));

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

/// The members of all operations but puts. The service model has checked those that an operation requires.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Input {
    pub(super) stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    pub(super) stream_arn: Option<String>,
    pub(super) shard_count: Option<i64>,
    pub(super) stream_mode_details: Option<ModeDetails>,
    #[serde(rename = "MaxRecordSizeInKiB")]
    pub(super) max_record_kib: Option<usize>,
    pub(super) retention_period_hours: i64,
    pub(super) tags: Tags,
    pub(super) tag_keys: Vec<String>,
    pub(super) limit: Option<usize>,
    pub(super) max_results: Option<usize>,
    pub(super) next_token: Option<String>,
    pub(super) exclusive_start_shard_id: Option<String>,
    pub(super) exclusive_start_stream_name: Option<String>,
    pub(super) exclusive_start_tag_key: String,
    pub(super) shard_filter: Option<ShardFilter>,
    pub(super) shard_id: String,
    pub(super) shard_iterator: String,
    pub(super) shard_iterator_type: String,
    pub(super) starting_sequence_number: Option<String>,
    pub(super) timestamp: Option<f64>,
    pub(super) dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModeDetails {
    pub(super) stream_mode: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShardFilter {
    pub(super) r#type: String,
    pub(super) shard_id: Option<String>,
    pub(super) timestamp: Option<f64>,
}

/// Reads the input of an operation.
pub(super) fn read(operation: &str, body: &[u8]) -> Result<Input, ApiError> {
    let input = MODEL.read(operation, body)?;
    serde_json::from_value(Value::Object(input)).map_err(|error| ApiError::serialization(error.to_string()))
}

/// The only member of puts without an effect.
pub(super) fn refuse_stream_id(stream_id: Option<IgnoredAny>) -> Result<(), ApiError> {
    stream_id.map_or(Ok(()), |_| Err(MODEL.unsupported("StreamId")))
}

/// The code is that of the API reference, the text is an assumption.
pub(super) fn refuse_dry_run(dry_run: Option<bool>) -> Result<(), ApiError> {
    if dry_run == Some(true) {
        let message = "The request was rejected because the DryRun parameter was specified.";
        return Err(ApiError::bad_request("DryRunOperationException", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
