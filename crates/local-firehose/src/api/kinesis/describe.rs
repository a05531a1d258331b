//! DescribeStream, DescribeStreamSummary, ListStreams and ListShards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::model;
use super::stream_ref::StreamMembers;
use crate::api::request::{ApiError, seconds};
use crate::control::{MIN_HOURS, Status};
use crate::stream::DataStream;
use firehose_model::kinesis::MAX_RECORD_BYTES;
use firehose_model::kinesis::shard::{ShardId, Shards};
use firehose_model::scope::Scope;

/// The default `Limit` (Kinesis API reference, "ListStreams").
const DEFAULT_LIMIT: usize = 100;

pub(super) fn summary_response(stream: &DataStream, status: Status, caller: &Scope) -> Value {
    let mut summary = full_description(stream, status, caller);
    summary["OpenShardCount"] = json!(stream.settings.shards().count());
    summary["ConsumerCount"] = json!(0);
    summary["MaxRecordSizeInKiB"] = json!(MAX_RECORD_BYTES / 1024);
    json!({ "StreamDescriptionSummary": summary })
}

/// The most shards of a response, and the default `Limit` (Kinesis API reference, "DescribeStream").
const MAX_DESCRIBED: usize = 100;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct DescribeStreamRequest {
    pub(super) stream: String,
    limit: usize,
    after: Option<String>,
}

pub(super) fn stream_request(body: &[u8], caller: &Scope) -> Result<DescribeStreamRequest, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(flatten)]
        stream: StreamMembers,
        limit: Option<usize>,
        exclusive_start_shard_id: Option<String>,
    }

    let Input { stream, limit, exclusive_start_shard_id: after } = model::read("DescribeStream", body)?;
    let (stream, limit) = (stream.name(caller)?, limit.unwrap_or(MAX_DESCRIBED).min(MAX_DESCRIBED));
    Ok(DescribeStreamRequest { stream, limit, after })
}

pub(super) fn stream_response(
    stream: &DataStream,
    status: Status,
    request: &DescribeStreamRequest,
    caller: &Scope,
) -> Value {
    let mut description = full_description(stream, status, caller);
    let shards = stream.settings.shards();
    let is_wanted = |shard: &ShardId| request.after.as_ref().is_none_or(|after| shard.to_string() > *after);
    let mut wanted = shards.iter().filter(is_wanted);
    let listed: Vec<Value> = wanted.by_ref().take(request.limit).map(|shard| described(shards, shard)).collect();
    description["Shards"] = json!(listed);
    description["HasMoreShards"] = json!(wanted.next().is_some());
    json!({ "StreamDescription": description })
}

/// `streams` are in alphabetical order. A token is the last name of the page before.
pub(super) fn list(body: &[u8], streams: &[(DataStream, Status)], caller: &Scope) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit: Option<usize>,
        exclusive_start_stream_name: Option<String>,
        next_token: Option<String>,
    }

    let input: Input = model::read("ListStreams", body)?;
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    let after = input.next_token.max(input.exclusive_start_stream_name);
    let mut wanted = streams.iter().filter(|(stream, _)| after.as_deref().is_none_or(|after| stream.name() > after));
    let listed: Vec<&(DataStream, Status)> = wanted.by_ref().take(limit).collect();
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
    Ok(page)
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
        "StreamCreationTimestamp": seconds(stream.created),
    })
}

/// The default of `MaxResults`, and the most shards of a response (Kinesis API reference, "ListShards").
const MAX_RESULTS: usize = 1000;
/// The only type of a filter that does not select every shard, because shards are never split or merged.
const AFTER: &str = "AFTER_SHARD_ID";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListShardsRequest {
    pub(super) stream: String,
    max_results: usize,
    after: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ShardsInput {
    #[serde(flatten)]
    stream: StreamMembers,
    next_token: Option<String>,
    exclusive_start_shard_id: Option<String>,
    max_results: Option<usize>,
    shard_filter: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    r#type: String,
    shard_id: Option<String>,
    timestamp: Option<IgnoredAny>,
}

impl Filter {
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

pub(super) fn shards_request(body: &[u8], caller: &Scope) -> Result<ListShardsRequest, ApiError> {
    let ShardsInput { stream, next_token, exclusive_start_shard_id, max_results, shard_filter } =
        model::read("ListShards", body)?;
    let max_results = max_results.unwrap_or(MAX_RESULTS).min(MAX_RESULTS);
    let more = exclusive_start_shard_id.as_ref().map(|_| "ExclusiveStartShardId");
    let more = more.or(shard_filter.as_ref().map(|_| "ShardFilter"));
    shard_filter.as_ref().map_or(Ok(()), Filter::validate)?;
    let after: Vec<String> =
        exclusive_start_shard_id.into_iter().chain(shard_filter.and_then(|filter| filter.shard_id)).collect();
    let Some(token) = next_token else {
        return Ok(ListShardsRequest { stream: stream.name(caller)?, max_results, after });
    };
    // Seen of Kinesis: boto3's own paginator gets this error (botocore issue 2009).
    if let Some(member) = stream.member().or(more) {
        return Err(ApiError::invalid_argument(format!("NextToken and {member} cannot be provided together.")));
    }
    // The stream's name, and the last shard of the page before. Tokens of Kinesis expire after 300 seconds, these do not.
    let read = STANDARD.decode(token).ok().and_then(|token| serde_json::from_slice::<(String, String)>(&token).ok());
    // An assumption.
    let (stream, after) = read.ok_or_else(|| ApiError::invalid_argument("NextToken is invalid."))?;
    Ok(ListShardsRequest { stream, max_results, after: vec![after] })
}

pub(super) fn shards_response(stream: &DataStream, request: &ListShardsRequest) -> Value {
    let shards = stream.settings.shards();
    let mut wanted = shards.iter().filter(|shard| request.after.iter().all(|after| shard.to_string() > *after));
    let listed: Vec<ShardId> = wanted.by_ref().take(request.max_results).collect();
    let described = listed.iter().map(|&shard| described(shards, shard));
    let mut page = json!({ "Shards": described.collect::<Vec<_>>() });
    if let Some(last) = wanted.next().and(listed.last()) {
        let token = json!([stream.name(), last]);
        page["NextToken"] = json!(STANDARD.encode(token.to_string()));
    }
    page
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
