use serde_json::json;

use super::*;
use crate::api::kinesis::put::MAX_RECORDS;
use crate::api::kinesis::stream_ref::{MAX_ARN_CHARACTERS, MAX_NAME_CHARACTERS};
use firehose_model::kinesis::MAX_PARTITION_KEY_CHARACTERS;

fn refused(operation: &str, input: &Value) -> ApiError {
    read(operation, input.to_string().as_bytes()).unwrap_err()
}

#[test]
fn the_model_is_whole() {
    MODEL.assert_whole(15);
    // And its limits are those of puts, which do not use it.
    for (shape, most) in [
        ("PutRecordsRequestEntryList", MAX_RECORDS),
        ("PartitionKey", MAX_PARTITION_KEY_CHARACTERS),
        ("StreamName", MAX_NAME_CHARACTERS),
        ("StreamARN", MAX_ARN_CHARACTERS),
    ] {
        assert_eq!(MODEL.max(shape), Some(most), "{shape}");
    }
}

#[test]
fn a_member_that_is_not_supported_is_named() {
    let id = "aaaaaaaaaaaaaaaaaaaa-aaa";
    for (operation, input, field) in [
        (
            "CreateStream",
            json!({ "StreamName": "s", "RecordDistributionStrategy": "AUTO" }),
            "RecordDistributionStrategy",
        ),
        ("CreateStream", json!({ "StreamName": "s", "WarmThroughputMiBps": 5 }), "WarmThroughputMiBps"),
        ("ListShards", json!({ "StreamName": "s", "StreamCreationTimestamp": 5 }), "StreamCreationTimestamp"),
        ("AddTagsToStream", json!({ "StreamId": id, "Tags": { "a": "" } }), "StreamId"),
        ("DecreaseStreamRetentionPeriod", json!({ "StreamId": id, "RetentionPeriodHours": 5 }), "StreamId"),
        ("DeleteStream", json!({ "StreamId": id }), "StreamId"),
        ("DescribeStream", json!({ "StreamId": id }), "StreamId"),
        ("DescribeStreamSummary", json!({ "StreamId": id }), "StreamId"),
        ("GetRecords", json!({ "StreamId": id, "ShardIterator": "a" }), "StreamId"),
        ("GetShardIterator", json!({ "StreamId": id, "ShardId": "0", "ShardIteratorType": "LATEST" }), "StreamId"),
        ("IncreaseStreamRetentionPeriod", json!({ "StreamId": id, "RetentionPeriodHours": 5 }), "StreamId"),
        ("ListShards", json!({ "StreamId": id }), "StreamId"),
        ("ListTagsForStream", json!({ "StreamId": id }), "StreamId"),
        ("RemoveTagsFromStream", json!({ "StreamId": id, "TagKeys": ["a"] }), "StreamId"),
    ] {
        let message = format!("{field}: is not supported by this local Kinesis; accepted is a request without it");
        assert_eq!(refused(operation, &input), ApiError::invalid_argument(message), "{operation}");
    }
    assert_eq!(refuse_stream_id(Some(IgnoredAny)), Err(MODEL.unsupported("StreamId")));
}

#[test]
fn tags_have_constraints_and_messages_are_bounded() {
    let long = "k".repeat(1_500_000);
    let length =
        |path: &str, bound: &str| format!("at '{path}' failed to satisfy constraint: Member must have length {bound}");
    let (most, least) = (|number: usize| format!("less than or equal to {number}"), "greater than or equal to 1");
    let many: serde_json::Map<String, Value> = (0..1000).map(|number| (number.to_string(), json!(""))).collect();
    for (operation, input, count, end) in [
        ("AddTagsToStream", json!({ "Tags": {} }), 1, length("tags", least)),
        ("CreateStream", json!({ "StreamName": "s", "Tags": {} }), 1, length("tags", least)),
        ("RemoveTagsFromStream", json!({ "TagKeys": [] }), 1, length("tagKeys", least)),
        ("AddTagsToStream", json!({ "Tags": many }), 1, length("tags", &most(200))),
        ("AddTagsToStream", json!({ "Tags": { "a": "v".repeat(257) } }), 1, length("tags.a.member", &most(256))),
        ("AddTagsToStream", json!({ "Tags": { long.clone(): "" } }), 1, length("tags.key", &most(128))),
        (
            "AddTagsToStream",
            json!({ "Tags": { long.clone(): null } }),
            2,
            format!("at 'tags.{}….member' failed to satisfy constraint: Member must not be null", &long[..128]),
        ),
    ] {
        let message = refused(operation, &input).message;
        let is_counted = message.starts_with(&format!("{count} validation error"));
        assert!(is_counted && message.ends_with(&end) && message.len() < 2000, "{message}");
    }
    let mistyped = refused("AddTagsToStream", &json!({ "Tags": { long: 5 } }));
    assert!(mistyped.message.ends_with("…: expected a value of type String, found a number"), "{mistyped:?}");
}
