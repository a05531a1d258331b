//! DescribeStream, DescribeStreamSummary, ListStreams and ListShards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::model::{Input, ShardFilter};
use crate::api::request::{ApiError, seconds};
use crate::control::{MIN_HOURS, Status};
use crate::stream::DataStream;
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::kinesis::shard::{ShardId, Shards};
use firehose_model::scope::Scope;

/// The default `Limit` (Kinesis API reference, "ListStreams").
const DEFAULT_LIMIT: usize = 100;

pub(super) fn summary(stream: &DataStream, status: Status, caller: &Scope) -> Value {
    let mut summary = full_description(stream, status, caller);
    summary["OpenShardCount"] = json!(stream.settings.shards().count());
    summary["ConsumerCount"] = json!(0);
    summary["MaxRecordSizeInKiB"] = json!(MAX_RECORD_BYTES / 1024);
    json!({ "StreamDescriptionSummary": summary })
}

/// The most shards of a response, and the default `Limit` (Kinesis API reference, "DescribeStream").
const MAX_DESCRIBED: usize = 100;

pub(super) fn stream(stream: &DataStream, status: Status, input: &Input, caller: &Scope) -> Value {
    let mut description = full_description(stream, status, caller);
    let (shards, has_more) =
        page(stream.settings.shards(), input.exclusive_start_shard_id.as_ref(), input.limit, MAX_DESCRIBED);
    description["Shards"] = json!(shards);
    description["HasMoreShards"] = json!(has_more);
    json!({ "StreamDescription": description })
}

/// `streams` are in alphabetical order. A token is the last name of the page before.
pub(super) fn streams(input: &Input, streams: &[(DataStream, Status)], caller: &Scope) -> Value {
    let after = input.next_token.as_ref().max(input.exclusive_start_stream_name.as_ref());
    let mut wanted = streams.iter().filter(|(stream, _)| after.is_none_or(|after| stream.name() > after.as_str()));
    let listed: Vec<&(DataStream, Status)> = wanted.by_ref().take(input.limit.unwrap_or(DEFAULT_LIMIT)).collect();
    let names: Vec<&str> = listed.iter().map(|(stream, _)| stream.name()).collect();
    let has_more = wanted.next().is_some();
    let mut page = json!({
        "StreamNames": names,
        "HasMoreStreams": has_more,
        "StreamSummaries": listed.iter().map(|(stream, status)| description(stream, *status, caller)).collect::<Vec<_>>(),
    });
    if has_more {
        page["NextToken"] = json!(names.last());
    }
    page
}

/// What DescribeStream and DescribeStreamSummary have in common. A configured stream keeps records until they are delivered, and has the
/// default retention.
fn full_description(stream: &DataStream, status: Status, caller: &Scope) -> Value {
    let mut full = description(stream, status, caller);
    full["RetentionPeriodHours"] = json!(stream.retention().map_or(MIN_HOURS, |retention| retention.hours()));
    full["EnhancedMonitoring"] = json!([{ "ShardLevelMetrics": [] }]);
    full["EncryptionType"] = json!("NONE");
    full
}

fn description(stream: &DataStream, status: Status, caller: &Scope) -> Value {
    let mode = if stream.settings.provisioned.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
    json!({
        "StreamName": stream.name(),
        "StreamARN": caller.data_stream_arn(stream.name()),
        "StreamStatus": status,
        "StreamModeDetails": { "StreamMode": mode },
        "StreamCreationTimestamp": seconds(stream.created.as_millisecond()),
    })
}

/// The default of `MaxResults`, and the most shards of a response (Kinesis API reference, "ListShards").
const MAX_RESULTS: usize = 1000;
/// The only type of a filter that does not select every shard, because shards are never split or merged.
const AFTER: &str = "AFTER_SHARD_ID";

impl ShardFilter {
    /// Which type needs which member is documented (Kinesis API reference, "ShardFilter"), the messages are an assumption.
    fn validate(&self) -> Result<(), ApiError> {
        let of_type = &self.r#type;
        for (member, is_given, is_needed) in [
            ("ShardId", self.shard_id.is_some(), of_type == AFTER),
            ("Timestamp", self.timestamp.is_some(), of_type.ends_with("_TIMESTAMP")),
        ] {
            if is_given != is_needed {
                let must = if is_needed { "must" } else { "must not" };
                let message = format!("{member} {must} be specified in ShardFilter when its Type is {of_type}.");
                return Err(ApiError::invalid_argument(message));
            }
        }
        Ok(())
    }
}

/// Replaces the token of a request for the next page by its stream, and the last shard of the page before.
pub(super) fn resume(input: &mut Input) -> Result<(), ApiError> {
    input.shard_filter.as_ref().map_or(Ok(()), ShardFilter::validate)?;
    let Some(token) = input.next_token.take() else { return Ok(()) };
    for (member, is_given) in [
        ("StreamName", input.stream_name.is_some()),
        ("StreamARN", input.stream_arn.is_some()),
        ("ExclusiveStartShardId", input.exclusive_start_shard_id.is_some()),
        ("ShardFilter", input.shard_filter.is_some()),
    ] {
        if is_given {
            // Seen of Kinesis: boto3's own paginator gets this error (botocore issue 2009).
            return Err(ApiError::invalid_argument(format!("NextToken and {member} cannot be provided together.")));
        }
    }
    // Tokens of Kinesis expire after 300 seconds, these do not.
    let read = STANDARD.decode(token).ok().and_then(|token| serde_json::from_slice::<(String, String)>(&token).ok());
    // An assumption.
    let (stream, after) = read.ok_or_else(|| ApiError::invalid_argument("NextToken is invalid."))?;
    (input.stream_name, input.exclusive_start_shard_id) = (Some(stream), Some(after));
    Ok(())
}

pub(super) fn shards(stream: &DataStream, input: &Input) -> Value {
    let of_filter = input.shard_filter.as_ref().and_then(|filter| filter.shard_id.as_ref());
    let after = input.exclusive_start_shard_id.as_ref().max(of_filter);
    let (shards, has_more) = page(stream.settings.shards(), after, input.max_results, MAX_RESULTS);
    let mut page = json!({ "Shards": shards });
    if has_more {
        let token = json!([stream.name(), shards.last().map(|last| &last["ShardId"])]);
        page["NextToken"] = json!(STANDARD.encode(token.to_string()));
    }
    page
}

/// The shards after one, and whether there are more.
fn page(shards: Shards, after: Option<&String>, limit: Option<usize>, most: usize) -> (Vec<Value>, bool) {
    let mut wanted = shards.iter().filter(|shard| after.is_none_or(|after| shard.to_string() > *after));
    let listed = wanted.by_ref().take(limit.unwrap_or(most).min(most)).map(|shard| described(shards, shard)).collect();
    (listed, wanted.next().is_some())
}

fn described(shards: Shards, shard: ShardId) -> Value {
    let hash_keys = shards.range(shard);
    json!({
        "ShardId": shard,
        "HashKeyRange": {
            "StartingHashKey": hash_keys.start().to_string(),
            "EndingHashKey": hash_keys.end().to_string(),
        },
        // An open shard has no ending number.
        "SequenceNumberRange": { "StartingSequenceNumber": shard.sequence_number(0) },
    })
}
