//! DescribeStreamSummary and ListStreams.

use serde::Deserialize;
use serde_json::{Value, json};

use super::stream_ref::{MAX_NAME_CHARACTERS, StreamMembers, StreamRef};
use crate::api::constraints::Constraints;
use crate::api::error::ApiError;
use crate::api::request::{parse, seconds};
use crate::stream::DataStream;
use firehose_model::kinesis::MAX_RECORD_BYTES;

/// The default retention (Kinesis API reference, "StreamDescriptionSummary"). Here, records are kept until they are delivered.
const RETENTION_HOURS: u32 = 24;
/// The default `Limit` (Kinesis API reference, "ListStreams").
const DEFAULT_LIMIT: usize = 100;

pub(super) fn summary_request(body: &[u8]) -> Result<StreamRef, ApiError> {
    let mut constraints = Constraints::default();
    let members: StreamMembers = parse(body)?;
    members.validate(&mut constraints);
    constraints.validate()?;
    members.stream()
}

pub(super) fn summary_response(stream: &DataStream) -> Value {
    let mut summary = description(stream);
    summary["RetentionPeriodHours"] = json!(RETENTION_HOURS);
    summary["EnhancedMonitoring"] = json!([{ "ShardLevelMetrics": [] }]);
    summary["EncryptionType"] = json!("NONE");
    summary["OpenShardCount"] = json!(stream.settings.shards().count());
    summary["ConsumerCount"] = json!(0);
    summary["MaxRecordSizeInKiB"] = json!(MAX_RECORD_BYTES / 1024);
    json!({ "StreamDescriptionSummary": summary })
}

/// `streams` are in alphabetical order. A token is the last name of the page before.
pub(super) fn list<'a>(body: &[u8], streams: impl Iterator<Item = &'a DataStream>) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit: Option<i64>,
        exclusive_start_stream_name: Option<String>,
        next_token: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let limit = constraints.limit(input.limit, "limit", DEFAULT_LIMIT);
    constraints.name(input.exclusive_start_stream_name.as_deref(), "exclusiveStartStreamName", MAX_NAME_CHARACTERS);
    constraints.validate()?;

    let after = input.next_token.max(input.exclusive_start_stream_name);
    let mut wanted = streams.filter(|stream| after.as_deref().is_none_or(|after| stream.name() > after));
    let listed: Vec<&DataStream> = wanted.by_ref().take(limit).collect();
    let names: Vec<&str> = listed.iter().map(|stream| stream.name()).collect();
    let has_more = wanted.next().is_some();
    let mut page = json!({
        "StreamNames": names,
        "HasMoreStreams": has_more,
        "StreamSummaries": listed.into_iter().map(description).collect::<Vec<_>>(),
    });
    if has_more {
        page["NextToken"] = json!(names.last());
    }
    Ok(page)
}

fn description(stream: &DataStream) -> Value {
    let mode = if stream.settings.provisioned.is_some() { "PROVISIONED" } else { "ON_DEMAND" };
    json!({
        "StreamName": stream.name(),
        "StreamARN": stream.arn(),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": { "StreamMode": mode },
        "StreamCreationTimestamp": seconds(stream.delivery.started),
    })
}
