//! Streams that callers create.

use super::*;

#[tokio::test]
async fn a_stream_is_created_changed_and_deleted() {
    let served = Served::start(&[]).await;
    let created =
        served.call("CreateStream", json!({ "StreamName": "d", "ShardCount": 3, "Tags": { "a": "1" } })).await;
    assert_eq!(created, Ok(Value::Null));
    let on_demand = json!({ "StreamName": "e", "StreamModeDetails": { "StreamMode": "ON_DEMAND" } });
    served.call("CreateStream", on_demand).await.unwrap();
    served.call("CreateStream", json!({ "StreamName": "f" })).await.unwrap();
    let listed = served.call("ListStreams", json!({})).await.unwrap();
    assert_eq!(listed["StreamNames"], json!(["d", "e", "f"]));
    for name in ["e", "f"] {
        let shards = served.call("ListShards", json!({ "StreamName": name })).await.unwrap();
        assert_eq!(shards["Shards"].as_array().unwrap().len(), 4, "{name}");
    }

    let page = served.call("DescribeStream", json!({ "StreamName": "d", "Limit": 2 })).await.unwrap();
    let page = &page["StreamDescription"];
    assert_eq!((&page["StreamStatus"], &page["HasMoreShards"]), (&json!("ACTIVE"), &json!(true)));
    let ids: Vec<&Value> = page["Shards"].as_array().unwrap().iter().map(|shard| &shard["ShardId"]).collect();
    assert_eq!(ids, [&json!("shardId-000000000000"), &json!("shardId-000000000001")]);
    let rest = json!({ "StreamName": "d", "ExclusiveStartShardId": "shardId-000000000001" });
    let rest = served.call("DescribeStream", rest).await.unwrap();
    let rest = &rest["StreamDescription"];
    assert_eq!((rest["Shards"].as_array().unwrap().len(), &rest["HasMoreShards"]), (1, &json!(false)));

    for (operation, hours) in [("IncreaseStreamRetentionPeriod", 8760), ("DecreaseStreamRetentionPeriod", 24)] {
        served.call(operation, json!({ "StreamName": "d", "RetentionPeriodHours": hours })).await.unwrap();
        let summary = served.call("DescribeStreamSummary", json!({ "StreamName": "d" })).await.unwrap();
        assert_eq!(summary["StreamDescriptionSummary"]["RetentionPeriodHours"], json!(hours));
    }

    served.call("AddTagsToStream", json!({ "StreamName": "d", "Tags": { "b": "", "a": "2" } })).await.unwrap();
    let tags = served.call("ListTagsForStream", json!({ "StreamName": "d", "Limit": 1 })).await;
    assert_eq!(tags, Ok(json!({ "Tags": [{ "Key": "a", "Value": "2" }], "HasMoreTags": true })));
    served.call("RemoveTagsFromStream", json!({ "StreamName": "d", "TagKeys": ["a", "c"] })).await.unwrap();
    let tags = served.call("ListTagsForStream", json!({ "StreamName": "d" })).await;
    assert_eq!(tags, Ok(json!({ "Tags": [{ "Key": "b", "Value": "" }], "HasMoreTags": false })));

    let delete = json!({ "StreamName": "d", "EnforceConsumerDeletion": true });
    assert_eq!(served.call("DeleteStream", delete).await, Ok(Value::Null));
    let record = json!({ "StreamName": "d", "Data": "", "PartitionKey": "a" });
    let refused = served.call("PutRecord", record).await;
    assert_eq!(refused, Err(ApiError::not_found("Stream", "d", &Scope::default())));
}

#[tokio::test]
async fn operations_on_streams_are_refused() {
    let served = Served::start(&[("orders", 1)]).await;
    served.call("CreateStream", json!({ "StreamName": "d", "ShardCount": 1 })).await.unwrap();
    for (operation, input, code, message) in [
        ("CreateStream", json!({ "StreamName": "d", "ShardCount": 1 }), "ResourceInUseException", "already exists"),
        ("CreateStream", json!({ "StreamName": "orders" }), "ResourceInUseException", "already exists"),
        ("CreateStream", json!({ "ShardCount": 1 }), "ValidationException", "'streamName'"),
        ("CreateStream", json!({ "StreamName": "x", "ShardCount": 0 }), "ValidationException", "'shardCount'"),
        ("CreateStream", json!({ "StreamName": "x", "ShardCount": 501 }), "LimitExceededException", "ShardCount"),
        (
            "CreateStream",
            json!({ "StreamName": "x", "StreamModeDetails": { "StreamMode": "PROVISIONED" } }),
            "InvalidArgumentException",
            "ShardCount: must be specified",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "x", "ShardCount": 1, "StreamModeDetails": { "StreamMode": "ON_DEMAND" } }),
            "InvalidArgumentException",
            "ShardCount: must not be specified",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "x", "ShardCount": 1, "MaxRecordSizeInKiB": 2048 }),
            "InvalidArgumentException",
            "MaxRecordSizeInKiB: found 2048; accepted is 1024",
        ),
        (
            "RemoveTagsFromStream",
            json!({ "StreamName": "d", "TagKeys": ["a", "b!"] }),
            "InvalidArgumentException",
            "characters",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "x", "ShardCount": 1, "Tags": { "a": null } }),
            "ValidationException",
            "'tags.a.member'",
        ),
        (
            "AddTagsToStream",
            json!({ "StreamName": "d", "Tags": { "a!": "" } }),
            "InvalidArgumentException",
            "characters",
        ),
        (
            "AddTagsToStream",
            json!({ "StreamName": "d", "Tags": { "a": "\t" } }),
            "InvalidArgumentException",
            "characters",
        ),
        ("AddTagsToStream", json!({ "StreamName": "d", "Tags": { "aws:a": "" } }), "InvalidArgumentException", "aws:a"),
        ("ListTagsForStream", json!({ "StreamName": "d", "Limit": 51 }), "ValidationException", "'limit'"),
        (
            "IncreaseStreamRetentionPeriod",
            json!({ "StreamName": "d", "RetentionPeriodHours": 23 }),
            "InvalidArgumentException",
            "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.",
        ),
        (
            "IncreaseStreamRetentionPeriod",
            json!({ "StreamName": "d", "RetentionPeriodHours": 8761 }),
            "InvalidArgumentException",
            "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.",
        ),
        (
            "DecreaseStreamRetentionPeriod",
            json!({ "StreamName": "d", "RetentionPeriodHours": 25 }),
            "InvalidArgumentException",
            "can not be longer than existing retention period (24 hours). Use IncreaseRetentionPeriod API.",
        ),
        (
            "IncreaseStreamRetentionPeriod",
            json!({ "StreamName": "orders", "RetentionPeriodHours": 48 }),
            "ResourceInUseException",
            "configured at the start",
        ),
        ("DeleteStream", json!({ "StreamName": "orders" }), "ResourceInUseException", "configured at the start"),
        ("DeleteStream", json!({ "StreamName": "missing" }), "ResourceNotFoundException", "missing"),
        (
            "GetShardIterator",
            json!({ "StreamName": "orders", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST" }),
            "InvalidArgumentException",
            "configured at the start",
        ),
        (
            "PutRecord",
            json!({ "StreamName": "d", "Data": "", "PartitionKey": "a", "SequenceNumberForOrdering": "5" }),
            "InvalidArgumentException",
            "ExclusiveMinimumSequenceNumber 5 used in PutRecord on stream d under account 000000000000 is invalid.",
        ),
        ("RegisterStreamConsumer", json!({}), "InvalidArgumentException", "RegisterStreamConsumer is not supported"),
        ("StartStreamEncryption", json!({}), "InvalidArgumentException", "StartStreamEncryption is not supported"),
        ("DescribeLimits", json!({}), "InvalidArgumentException", "DescribeLimits is not supported"),
        ("PutResourcePolicy", json!({}), "InvalidArgumentException", "PutResourcePolicy is not supported"),
        ("TagResource", json!({}), "InvalidArgumentException", "TagResource is not supported"),
    ] {
        let refused = served.call(operation, input.clone()).await.unwrap_err();
        assert!(refused.code == Some(code) && refused.message.contains(message), "{operation} {input}: {refused:?}");
    }
}

#[tokio::test]
async fn a_full_retention_refuses_records_and_keeps_the_others() {
    let served = Served::start(&[]).await;
    served.call("CreateStream", json!({ "StreamName": "d", "ShardCount": 1 })).await.unwrap();
    // Each takes half of the memory, and some more.
    let data = "AAAA".repeat(RETENTION_BYTES / 8);
    let record = json!({ "Data": data, "PartitionKey": "a" });
    let put = served.call("PutRecords", json!({ "StreamName": "d", "Records": [record, record] })).await.unwrap();
    assert_eq!((&put["FailedRecordCount"], put["Records"][0]["ErrorCode"].as_str()), (&json!(1), None));
    let refused = &put["Records"][1];
    assert_eq!(refused["ErrorCode"], "ProvisionedThroughputExceededException");
    assert!(refused["ErrorMessage"].as_str().unwrap().contains("--retention-mb"), "{refused}");

    let input = json!({ "StreamName": "d", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON" });
    let iterator = served.call("GetShardIterator", input).await.unwrap();
    let read = served.call("GetRecords", iterator).await.unwrap();
    assert_eq!((&read["Records"][0]["Data"], read["Records"].as_array().unwrap().len()), (&json!(data), 1));
}
