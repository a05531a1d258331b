//! The operations that describe streams and shards, and the forms of responses.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::api::cbor;
use crate::api::request::response;
use crate::control::{ControlOptions, FunctionMap, Root};
use crate::functions::FunctionLog;
use crate::http::BodyMemory;
use crate::registry::Registry;
use crate::stream::{DataStreamSettings, DeliveryStream, Source, StreamSettings};
use object_storage::Bucket;

mod created;

/// The memory of all data streams that are created.
const RETENTION_BYTES: usize = 1_000_000;

/// An API, and the folder of its streams.
struct Served {
    api: Kinesis,
    _folder: TempDir,
}

impl Served {
    /// Streams by their names and numbers of shards; on demand, there is none.
    async fn start(streams: &[(&str, u32)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let function_log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let data_stream = |(name, shards): &(&str, u32)| {
            let mut settings = StreamSettings::untransformed(name, folder.path());
            let provisioned = std::num::NonZeroU32::new(*shards);
            settings.source = Source::Kinesis(DataStreamSettings { provisioned, partition_key_field: None });
            let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
            let delivery = DeliveryStream::start(settings, bucket, Arc::clone(&function_log), None);
            delivery.unwrap()
        };
        let registry = Registry::default();
        for stream in streams {
            registry.add(data_stream(stream)).unwrap();
        }
        let (root, functions) = (Root::Folder(folder.path().to_owned()), FunctionMap::default());
        let options = ControlOptions { root, functions, state: None, retention_bytes: RETENTION_BYTES };
        let control = Control::open(registry, options, function_log).await.unwrap();
        Self { api: Kinesis::new(control), _folder: folder }
    }

    fn refused(&self, stream: &str) -> u64 {
        self.api.control.streams().get(stream).unwrap().snapshot().refused
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, ApiError> {
        let caller = Scope::default();
        let call = Call { operation: operation.to_owned(), body: input.to_string().into_bytes().into(), caller };
        self.api.dispatch(call).await
    }
}

#[tokio::test]
async fn the_records_of_an_invalid_request_are_counted_at_its_stream() {
    let served = Served::start(&[("orders", 2)]).await;
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
    let valid = json!({ "Data": "aGk=", "PartitionKey": "k" });
    let after =
        json!({ "StreamName": "orders", "Data": "aGk=", "PartitionKey": "k", "SequenceNumberForOrdering": "7" });
    for (operation, input, refused) in [
        ("PutRecords", json!({ "StreamName": "orders", "Records": [valid, { "Data": "aGk=" }] }), 2),
        ("PutRecords", json!({ "StreamARN": arn, "Records": vec![&valid; 501] }), 501),
        ("PutRecords", json!({ "StreamName": "orders", "Records": [valid, { "Data": 7, "PartitionKey": "k" }] }), 2),
        ("PutRecord", json!({ "StreamName": "orders", "Data": "no base64", "PartitionKey": "k" }), 1),
        ("PutRecord", after, 1),
        // Without a stream.
        ("PutRecord", json!({ "StreamName": "others", "Data": "aGk=", "PartitionKey": "k" }), 0),
        ("PutRecord", json!({ "Data": "aGk=", "PartitionKey": "k" }), 0),
        ("PutRecord", json!([]), 0),
    ] {
        let before = served.refused("orders");
        served.call(operation, input.clone()).await.unwrap_err();
        assert_eq!(served.refused("orders") - before, refused, "{operation} {input}");
    }
    served.call("PutRecords", json!({ "StreamName": "orders", "Records": [valid] })).await.unwrap();
    assert_eq!(served.refused("orders"), 507);
}

#[tokio::test]
async fn a_stream_is_summed_up() {
    let served = Served::start(&[("orders", 2), ("reviews", 0)]).await;
    for (name, mode, shards) in [("orders", "PROVISIONED", 2), ("reviews", "ON_DEMAND", 4)] {
        let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}");
        for input in [json!({ "StreamName": name }), json!({ "StreamARN": arn })] {
            let mut answer = served.call("DescribeStreamSummary", input).await.unwrap();
            let summary = &mut answer["StreamDescriptionSummary"];
            assert!(summary["StreamCreationTimestamp"].take().as_f64() > Some(1.7e9));
            let expected = json!({
                "StreamName": name,
                "StreamARN": arn,
                "StreamStatus": "ACTIVE",
                "StreamModeDetails": { "StreamMode": mode },
                "RetentionPeriodHours": 24,
                "StreamCreationTimestamp": null,
                "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
                "EncryptionType": "NONE",
                "OpenShardCount": shards,
                "ConsumerCount": 0,
                "MaxRecordSizeInKiB": 1024,
            });
            assert_eq!(*summary, expected);
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_not_here_is_not_found() {
    let served = Served::start(&[("orders", 1)]).await;
    let elsewhere = "arn:aws:kinesis:eu-west-1:000000000000:stream/orders";
    for (operation, input, name) in [
        ("PutRecord", json!({ "StreamName": "Orders", "Data": "", "PartitionKey": "a" }), "Orders"),
        ("PutRecords", json!({ "StreamName": "o", "Records": [{ "Data": "", "PartitionKey": "a" }] }), "o"),
        ("DescribeStreamSummary", json!({ "StreamName": "missing" }), "missing"),
        ("DescribeStreamSummary", json!({ "StreamARN": elsewhere }), "orders"),
        ("ListShards", json!({ "StreamName": "missing" }), "missing"),
    ] {
        let refused = served.call(operation, input).await;
        assert_eq!(refused, Err(ApiError::not_found("Stream", name, &Scope::default())), "{operation}");
    }
    let unknown = SERVICE.unknown_operation("NoOperation");
    assert_eq!(served.call("NoOperation", json!({})).await, Err(unknown));
    let refused = served.call("SplitShard", json!({ "StreamName": "orders" })).await.unwrap_err();
    let message =
        "SplitShard is not supported by this local Kinesis: the shards of a stream stay those of its creation";
    assert_eq!(refused, ApiError::invalid_argument(message));
}

#[tokio::test]
async fn a_request_of_cbor_has_a_response_of_cbor() {
    let served = Served::start(&[("orders", 1)]).await;
    let summary = served.call("DescribeStreamSummary", json!({ "StreamName": "orders" })).await.unwrap();
    let refused = |message: &str| json!({ "__type": "SerializationException", "message": message });
    for (operation, body, status, expected) in [
        ("DescribeStreamSummary", &b"\xbf\x6aStreamName\x66orders\xff"[..], 200, summary),
        (
            "DescribeStreamSummary",
            b"\xa1\x6aStreamName\x61x",
            400,
            json!({ "__type": "ResourceNotFoundException", "message": "Stream x under account 000000000000 not found." }),
        ),
        ("PutRecord", b"\xa1\x64Data\x05", 400, refused("invalid type: integer `5`, expected a string")),
        ("PutRecord", b"\xa2\x64Data\x40\x64Data\x40", 400, refused("duplicate field `Data`")),
        ("PutRecord", b"{}", 400, refused("invalid CBOR: end of input bytes")),
    ] {
        let request = axum::http::Request::builder()
            .method("POST")
            .header("content-type", "application/x-amz-cbor-1.1")
            .header("x-amz-target", format!("Kinesis_20131202.{operation}"))
            .body(Body::from(body.to_vec()))
            .unwrap();
        let response = response(served.api.call(request).await, true, served.api.control.response_memory());
        assert_eq!(response.status().as_u16(), status, "{operation}");
        assert_eq!(response.headers()["content-type"], "application/x-amz-cbor-1.1");
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let json = cbor::to_json(&body, usize::MAX).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), expected, "{operation}");
    }
}

#[tokio::test]
async fn responses_that_are_not_read_take_memory() {
    let memory = BodyMemory::of(2048);
    // Two bytes more as JSON. The first 256 KiB take none of the memory.
    let large = || response(Ok(Value::String("x".repeat(256 * 1024 + 1022))), false, &memory);
    let all: Vec<_> = (0..3).map(|_| large()).collect();
    let (whole, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|response| response.status().is_success());
    assert_eq!((whole.len(), refused.len()), (2, 1));
    let body = to_bytes(refused.into_iter().next().unwrap().into_body(), usize::MAX).await.unwrap();
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["__type"], "ProvisionedThroughputExceededException");
    drop(whole);
    assert!(large().status().is_success());
}

#[tokio::test]
async fn an_operation_without_an_output_has_an_empty_body() {
    let memory = BodyMemory::default();
    for (output, is_cbor, expected) in [(Value::Null, false, ""), (Value::Null, true, ""), (json!({}), false, "{}")] {
        let body = response(Ok(output), is_cbor, &memory).into_body();
        assert_eq!(to_bytes(body, usize::MAX).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn shards_are_listed_by_page() {
    let served = Served::start(&[("orders", 3)]).await;
    let third = 113_427_455_640_312_821_154_458_202_477_256_070_485_u128;
    let shard = |number: u128, end: u128| {
        json!({
            "ShardId": format!("shardId-{number:012}"),
            "HashKeyRange": { "StartingHashKey": (number * third).to_string(), "EndingHashKey": end.to_string() },
            "SequenceNumberRange": {
                "StartingSequenceNumber":
                    firehose_model::kinesis::shard::ShardId(number.try_into().unwrap()).sequence_number(0)
            },
        })
    };
    let all = [shard(0, third - 1), shard(1, 2 * third - 1), shard(2, u128::MAX)];
    let last = "shardId-000000000001";
    for (input, listed) in [
        (json!({}), &all[..]),
        (json!({ "MaxResults": 10_000 }), &all),
        (json!({ "ExclusiveStartShardId": last }), &all[2..]),
        (json!({ "ExclusiveStartShardId": "shardId-000000000002" }), &[]),
        (json!({ "ShardFilter": { "Type": "AT_LATEST" } }), &all),
        (json!({ "ShardFilter": { "Type": "FROM_TIMESTAMP", "Timestamp": 5 } }), &all),
        (json!({ "ShardFilter": { "Type": "AT_TIMESTAMP", "Timestamp": 1.5 } }), &all),
        (json!({ "ShardFilter": { "Type": "AFTER_SHARD_ID", "ShardId": last } }), &all[2..]),
    ] {
        let mut input = input;
        input["StreamName"] = json!("orders");
        assert_eq!(served.call("ListShards", input.clone()).await, Ok(json!({ "Shards": listed })), "{input}");
    }

    let mut page = served.call("ListShards", json!({ "StreamName": "orders", "MaxResults": 2 })).await.unwrap();
    assert_eq!(page["Shards"], json!(all[..2]));
    let token = page["NextToken"].take();
    let rest = served.call("ListShards", json!({ "NextToken": token })).await;
    assert_eq!(rest, Ok(json!({ "Shards": all[2..] })));
    for (member, value) in [
        ("StreamName", json!("orders")),
        ("StreamARN", json!("arn:aws:kinesis:us-east-1:000000000000:stream/orders")),
        ("ExclusiveStartShardId", json!(last)),
        ("ShardFilter", json!({ "Type": "AT_LATEST" })),
    ] {
        let both = served.call("ListShards", json!({ "NextToken": token, member: value })).await;
        let message = format!("NextToken and {member} cannot be provided together.");
        assert_eq!(both, Err(ApiError::invalid_argument(message)));
    }
    for (filter, message) in [
        (json!({ "Type": "AFTER_SHARD_ID" }), "ShardId must be"),
        (json!({ "Type": "AT_TIMESTAMP" }), "Timestamp must be"),
        (json!({ "Type": "FROM_TIMESTAMP" }), "Timestamp must be"),
        (json!({ "Type": "AT_LATEST", "ShardId": last }), "ShardId must not be"),
        (json!({ "Type": "AFTER_SHARD_ID", "ShardId": last, "Timestamp": 5 }), "Timestamp must not be"),
    ] {
        let of_type = filter["Type"].as_str().unwrap();
        let message = format!("{message} specified in ShardFilter when its Type is {of_type}.");
        let filter = json!({ "StreamName": "orders", "ShardFilter": filter });
        assert_eq!(served.call("ListShards", filter).await, Err(ApiError::invalid_argument(message)));
    }
    let none = served.call("ListShards", json!({ "NextToken": "AAAA" })).await;
    assert_eq!(none, Err(ApiError::invalid_argument("NextToken is invalid.")));
}

#[tokio::test]
async fn what_breaks_a_constraint_is_refused() {
    let served = Served::start(&[("orders", 1)]).await;
    for (operation, input, faults) in [
        (
            "ListShards",
            json!({ "MaxResults": 0, "ExclusiveStartShardId": "a b", "ShardFilter": { "Type": "ALL" }, "StreamName": "orders" }),
            "3 validation errors detected: Value 'a b' at 'exclusiveStartShardId' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
             Value '0' at 'maxResults' failed to satisfy constraint: \
             Member must have value greater than or equal to 1; \
             Value 'ALL' at 'shardFilter.type' failed to satisfy constraint: Member must satisfy enum value set: \
             [AFTER_SHARD_ID, AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, FROM_TIMESTAMP]",
        ),
        (
            "CreateStream",
            json!({ "StreamName": "s", "MaxRecordSizeInKiB": -5 }),
            "1 validation error detected: Value '-5' at 'maxRecordSizeInKiB' failed to satisfy constraint: \
             Member must have value greater than or equal to 1024",
        ),
        (
            "ListStreams",
            json!({ "Limit": 10_001, "ExclusiveStartStreamName": "ä" }),
            "2 validation errors detected: Value '10001' at 'limit' failed to satisfy constraint: \
             Member must have value less than or equal to 10000; \
             Value 'ä' at 'exclusiveStartStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            "DescribeStreamSummary",
            json!({ "StreamName": "a b" }),
            "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
    ] {
        assert_eq!(served.call(operation, input).await, Err(ApiError::validation(faults)), "{operation}");
    }
}

#[tokio::test]
async fn streams_are_listed_by_page() {
    let served = Served::start(&[("b", 1), ("a", 0), ("c", 1)]).await;
    for (input, names, token) in [
        (json!({}), &["a", "b", "c"][..], None),
        (json!({ "Limit": 2 }), &["a", "b"], Some("b")),
        (json!({ "NextToken": "b", "Limit": 2 }), &["c"], None),
        (json!({ "ExclusiveStartStreamName": "a", "Limit": 1 }), &["b"], Some("b")),
        (json!({ "ExclusiveStartStreamName": "c" }), &[], None),
    ] {
        let answer = served.call("ListStreams", input.clone()).await.unwrap();
        assert_eq!(answer["StreamNames"], json!(names), "{input}");
        assert_eq!((&answer["HasMoreStreams"], answer["NextToken"].as_str()), (&json!(token.is_some()), token));
        let summaries = answer["StreamSummaries"].as_array().unwrap();
        let summarised: Vec<&str> = summaries.iter().map(|summary| summary["StreamName"].as_str().unwrap()).collect();
        assert_eq!(summarised, names);
    }
}
