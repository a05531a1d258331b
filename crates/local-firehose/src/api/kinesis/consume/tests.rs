use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::api::kinesis::model::read;
use crate::stream::{DataStreamSettings, Notices, PutEntry, RetentionMemory};
use firehose_model::batch::MB;
use firehose_model::event::encode;

fn stream(shards: u32) -> DataStream {
    let settings = DataStreamSettings { provisioned: NonZeroU32::new(shards), partition_key_field: None };
    // It was created in an earlier run.
    let created = Timestamp::from_millisecond(Timestamp::now().as_millisecond() - 3_600_000).unwrap();
    DataStream::retained("d", created, settings, 24, RetentionMemory::new(10 * MB), Notices::default())
}

/// Puts records into the first shard, and returns their sequence numbers.
async fn put(stream: &DataStream, texts: &[&str]) -> Vec<String> {
    let entry = |text: &&str| {
        let (data, partition_key) = (encode(text.as_bytes()), "k".to_owned());
        PutEntry { bytes: text.len() + 1, data, partition_key, hash_key: 0 }
    };
    let results = stream.put(texts.iter().map(entry).collect()).await;
    results.into_iter().map(|result| result.unwrap().sequence_number).collect()
}

fn iterator(stream: &DataStream, input: Value) -> Result<String, ApiError> {
    let mut request = json!({ "StreamName": "d", "ShardId": "shardId-000000000000" });
    let (Value::Object(members), Value::Object(change)) = (&mut request, input) else { unreachable!() };
    members.extend(change);
    let input = read("GetShardIterator", request.to_string().as_bytes())?;
    let found = super::iterator(stream, &input, &Scope::default(), Timestamp::now())?;
    Ok(found["ShardIterator"].as_str().unwrap().to_owned())
}

fn records(stream: &DataStream, input: &Value) -> Result<Value, ApiError> {
    super::records(stream, &read("GetRecords", input.to_string().as_bytes())?, Timestamp::now())
}

fn data(response: &Value) -> Vec<&str> {
    response["Records"].as_array().unwrap().iter().map(|record| record["Data"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_type_of_an_iterator_starts_where_it_says() {
    let stream = stream(1);
    let numbers = put(&stream, &["a", "b"]).await;
    let before = stream.created.as_millisecond() / 1000;
    // A checkpoint of an earlier run, whose records are lost.
    let earlier = ShardId(0).sequence_number(u64::try_from(stream.created.as_microsecond()).unwrap());
    for (input, expected) in [
        (json!({ "ShardIteratorType": "TRIM_HORIZON" }), &["YQ==", "Yg=="][..]),
        (json!({ "ShardIteratorType": "LATEST" }), &[]),
        (json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": before }), &["YQ==", "Yg=="]),
        (json!({ "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[1] }), &["Yg=="]),
        (json!({ "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[0] }), &["Yg=="]),
        (json!({ "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[1] }), &[]),
        (json!({ "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": earlier }), &["YQ==", "Yg=="]),
        // As Kinesis reads ids.
        (json!({ "ShardIteratorType": "TRIM_HORIZON", "ShardId": "0" }), &["YQ==", "Yg=="]),
        (json!({ "ShardIteratorType": "TRIM_HORIZON", "ShardId": "-0", "DryRun": false }), &["YQ==", "Yg=="]),
    ] {
        let found = iterator(&stream, input.clone()).unwrap();
        for text in [format!("\"{found}\""), found] {
            let response = records(&stream, &json!({ "ShardIterator": text })).unwrap();
            assert_eq!((data(&response), &response["MillisBehindLatest"]), (expected.to_vec(), &json!(0)), "{input}");
        }
    }
}

#[tokio::test]
async fn records_are_read_by_page() {
    let stream = stream(1);
    let numbers = put(&stream, &["a", "b"]).await;
    let first = iterator(&stream, json!({ "ShardIteratorType": "TRIM_HORIZON" })).unwrap();
    let page = records(&stream, &json!({ "ShardIterator": first, "Limit": 1 })).unwrap();
    let record = &page["Records"][0];
    assert!(record["ApproximateArrivalTimestamp"].as_f64() > Some(1.7e9), "{record}");
    assert_eq!((&record["SequenceNumber"], &record["PartitionKey"]), (&json!(numbers[0]), &json!("k")));
    assert!(page["MillisBehindLatest"].as_i64() > Some(0), "{page}");
    let page = records(&stream, &json!({ "ShardIterator": page["NextShardIterator"] })).unwrap();
    assert_eq!((data(&page), &page["MillisBehindLatest"]), (vec!["Yg=="], &json!(0)));
    // The end of the shard: later records are on the next page.
    let end = records(&stream, &json!({ "ShardIterator": page["NextShardIterator"] })).unwrap();
    assert!(data(&end).is_empty());
    put(&stream, &["c"]).await;
    let next = records(&stream, &json!({ "ShardIterator": end["NextShardIterator"] })).unwrap();
    assert_eq!(data(&next), ["Yw=="]);
}

#[tokio::test]
async fn iterators_are_refused() {
    let stream = stream(2);
    let numbers = put(&stream, &["a"]).await;
    let elsewhere = ShardId(1).sequence_number(5);
    for (input, code, message) in [
        (json!({}), "ValidationException", "'shardIteratorType'"),
        (json!({ "ShardIteratorType": "NEWEST" }), "ValidationException", "'shardIteratorType'"),
        (
            json!({ "ShardIteratorType": "LATEST", "ShardId": "shardId-000000000002" }),
            "ResourceNotFoundException",
            "Shard shardId-000000000002 in stream d under account 000000000000 does not exist",
        ),
        (
            json!({ "ShardIteratorType": "LATEST", "ShardId": "2" }),
            "ResourceNotFoundException",
            "Shard shardId-000000000002 in stream d under account 000000000000 does not exist",
        ),
        (
            json!({ "ShardIteratorType": "LATEST", "ShardId": "shardId-2147483648" }),
            "ResourceNotFoundException",
            "Could not find shard shardId-2147483648 in stream d under account 000000000000.",
        ),
        (json!({ "ShardIteratorType": "LATEST", "DryRun": true }), "DryRunOperationException", "DryRun"),
        (
            json!({ "ShardIteratorType": "LATEST", "Timestamp": 5 }),
            "InvalidArgumentException",
            "Timestamp: found one with the ShardIteratorType LATEST",
        ),
        (
            json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": -5 }),
            "InvalidArgumentException",
            "Timestamp: found -5; accepted are seconds from 1970",
        ),
        (
            json!({ "ShardIteratorType": "AT_SEQUENCE_NUMBER" }),
            "InvalidArgumentException",
            "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber.",
        ),
        (
            json!({ "ShardIteratorType": "LATEST", "StartingSequenceNumber": numbers[0] }),
            "InvalidArgumentException",
            "Request specified LATEST and also a StartingSequenceNumber.",
        ),
        (
            json!({ "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": elsewhere }),
            "InvalidArgumentException",
            "it did not come from this stream",
        ),
        (
            json!({
                "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": numbers[0], "ShardId": "shardId-000000000001",
            }),
            "InvalidArgumentException",
            "It encodes shardId-000000000000, while it was used in a call to a shard with shardId-000000000001",
        ),
        (json!({ "ShardIteratorType": "AT_TIMESTAMP" }), "InvalidArgumentException", "no timestamp parameter"),
        (
            json!({ "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": 1e11 }),
            "InvalidArgumentException",
            "The timestampInMillis parameter cannot be greater than",
        ),
    ] {
        let refused = iterator(&stream, input.clone()).unwrap_err();
        assert!(refused.code == Some(code) && refused.message.contains(message), "{input}: {refused:?}");
    }
}

#[tokio::test]
async fn an_iterator_is_valid_for_five_minutes_and_one_stream() {
    let stream = stream(1);
    let issued = |ms_ago: i64, created_ms: i64| {
        let issued_ms = Timestamp::now().as_millisecond() - ms_ago;
        ShardIterator { stream: "d".to_owned(), created_ms, shard: 0, next: 0, issued_ms }
    };
    let own = stream.created.as_millisecond();
    for (iterator, code) in [
        (issued(ITERATOR_MS - 60_000, own).encoded(), None),
        (issued(ITERATOR_MS + 1000, own).encoded(), Some("ExpiredIteratorException")),
        (issued(60_000 - ITERATOR_MS, own).encoded(), None),
        (issued(-ITERATOR_MS - 60_000, own).encoded(), Some("InvalidArgumentException")),
        (issued(0, own - 1).encoded(), Some("InvalidArgumentException")),
        (ShardIterator { shard: 1, ..issued(0, own) }.encoded(), Some("InvalidArgumentException")),
        ("AAAA".to_owned(), Some("InvalidArgumentException")),
        ("x".repeat(513), Some("ValidationException")),
    ] {
        let found = records(&stream, &json!({ "ShardIterator": iterator }));
        assert_eq!(found.err().and_then(|error| error.code), code, "{iterator}");
    }
    for limit in [0, 10_001] {
        let refused =
            records(&stream, &json!({ "ShardIterator": issued(0, own).encoded(), "Limit": limit })).unwrap_err();
        assert_eq!(refused.code, Some("ValidationException"), "{limit}");
    }
}

#[tokio::test]
async fn a_dry_run_reads_nothing() {
    let stream = stream(1);
    let found = iterator(&stream, json!({ "ShardIteratorType": "LATEST" })).unwrap();
    for (dry_run, code) in [(true, Some("DryRunOperationException")), (false, None)] {
        let read = records(&stream, &json!({ "ShardIterator": found, "DryRun": dry_run }));
        assert_eq!(read.err().and_then(|error| error.code), code, "{dry_run}");
    }
}

proptest! {
    /// Clients can make them.
    #[test]
    fn any_iterator_is_read_or_refused(
        created_ms: i64,
        shard: u32,
        next: u64,
        issued_ms in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)],
        is_own: bool
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (stream, now) = (stream(1), Timestamp::now().as_millisecond());
            let iterator = if is_own {
                let created_ms = stream.created.as_millisecond();
                ShardIterator { stream: "d".to_owned(), created_ms, shard: shard % 2, next, issued_ms: now }
            } else {
                ShardIterator { stream: "d".to_owned(), created_ms, shard, next, issued_ms }
            };
            let found = records(&stream, &json!({ "ShardIterator": iterator.encoded() }));
            assert_eq!(found.is_ok(), is_own && shard % 2 == 0, "{found:?}");
        });
    }
}
