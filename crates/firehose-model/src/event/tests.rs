use aws_lambda_events::event::firehose::KinesisFirehoseEvent;
use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Event, EventError> {
    let (event, too_large) = read_all(text)?;
    assert!(too_large.is_empty());
    Ok(event)
}

fn read_all(text: &str) -> Result<(Event, Vec<OversizedRecord>), EventError> {
    Event::from_file(&serde_json::from_str(text).unwrap(), Timestamp::from_millisecond(99).unwrap())
}

fn sent(event: &Event) -> String {
    String::from_utf8(event.payload(Uuid::nil()).unwrap()).unwrap()
}

#[test]
fn direct_put_is_what_the_published_types_read() {
    // Whole seconds: the published types read the time through a float, and lose milliseconds.
    let event = Event::new(STREAM.into(), vec![Record::direct_put(7, 1_700_000_000_000, encode(b"{}"))]);
    let payload = event.payload(Uuid::nil()).unwrap();
    let read: KinesisFirehoseEvent = serde_json::from_slice(&payload).unwrap();
    assert_eq!(read.invocation_id.as_deref(), Some("00000000-0000-0000-0000-000000000000"));
    assert_eq!(read.region.as_deref(), Some("us-east-1"));
    assert_eq!(read.records[0].record_id.as_ref().map(String::len), Some(62));
    assert_eq!(read.records[0].approximate_arrival_timestamp.timestamp_millis(), 1_700_000_000_000);
    assert_eq!(read.records[0].data.0, b"{}");
    let fields: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(fields.as_object().unwrap().len(), 4);
    assert_eq!(fields["records"][0].as_object().unwrap().len(), 3);
}

#[test]
fn an_event_has_the_region_and_account_of_its_stream() {
    let scope = Scope { region: "eu-west-1".to_owned(), account: "123456789012".to_owned() };
    let record = Record::from_shard(ShardId(0), 7, "key".to_owned(), 0, encode(b"{}"));
    let stream = StreamIdentity { name: "orders".to_owned(), data_stream: "source".to_owned(), scope };
    let event = Event::new(stream, vec![record]);
    let payload: Value = serde_json::from_slice(&event.payload(Uuid::nil()).unwrap()).unwrap();
    for (member, expected) in [
        ("region", "eu-west-1"),
        ("deliveryStreamArn", "arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders"),
        ("sourceKinesisStreamArn", "arn:aws:kinesis:eu-west-1:123456789012:stream/source"),
    ] {
        assert_eq!(payload[member], expected, "{member}");
    }
}

#[test]
fn what_came_by_a_shard_is_what_the_published_types_read() {
    let arrival_ms = 1_700_000_000_000;
    let record =
        |sequence| Record::from_shard(ShardId(3), sequence, "pärtition \"key\"".to_owned(), arrival_ms, encode(b"{}"));
    let event = Event::new(STREAM.into(), vec![record(7), record(8)]);
    let payload = event.payload(Uuid::nil()).unwrap();
    let read: KinesisFirehoseEvent = serde_json::from_slice(&payload).unwrap();
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/mysfits-clicks";
    assert_eq!(read.source_kinesis_stream_arn.as_deref(), Some(arn));
    let ids: Vec<&str> = read.records.iter().filter_map(|record| record.record_id.as_deref()).collect();
    assert!(ids[0] < ids[1], "{ids:?}");
    for (record, number) in read.records.iter().zip([7, 8]) {
        let sequence_number = ShardId(3).sequence_number(number);
        let metadata = record.kinesis_firehose_record_metadata.as_ref().unwrap();
        assert_eq!(metadata.shard_id.as_deref(), Some("shardId-000000000003"));
        assert_eq!(metadata.partition_key.as_deref(), Some("pärtition \"key\""));
        assert_eq!((metadata.sequence_number.as_deref(), metadata.subsequence_number), (Some(&*sequence_number), 0));
        assert_eq!(metadata.approximate_arrival_timestamp, record.approximate_arrival_timestamp);
        let id = record.record_id.as_deref().unwrap();
        assert!(id.len() == 160 && id.starts_with("shardId-000000000003") && id.ends_with(&sequence_number), "{id}");
    }
    // Field by field as the sample of AWS's documentation.
    let sample: Value = serde_json::from_str(include_str!("../../../../fixtures/kinesis.json")).unwrap();
    let sent: Value = serde_json::from_slice(&payload).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&sent), keys(&sample));
    assert_eq!(keys(&sent["records"][0]), keys(&sample["records"][0]));
    let metadata = |event: &Value| keys(&event["records"][0]["kinesisRecordMetadata"]);
    assert_eq!(metadata(&sent), metadata(&sample));
}

/// `RecordAggregator` of aws_kinesis_agg 1.2.3 (PyPI), with the records `{"n":1}` and `{"n":2}` of the partition keys a and b.
const AGGREGATED: &str = "84mawgoBYQoBYhoLCAAaB3sibiI6MX0aCwgBGgd7Im4iOjJ9uYxuMEJP2L9jpF0xbTIwxQ==";

#[test]
fn the_user_records_of_an_aggregated_record_are_records_of_its_shard() {
    let aggregated = Record::from_shard(ShardId(3), 7, "a".to_owned(), 1_700_000_000_000, AGGREGATED.to_owned());
    let event = Event::new(STREAM.into(), aggregated.user_records().unwrap());
    let read: KinesisFirehoseEvent = serde_json::from_slice(&event.payload(Uuid::nil()).unwrap()).unwrap();
    assert_eq!(read.records.len(), 2);
    for (record, (subsequence_number, partition_key, data)) in
        read.records.iter().zip([(0, "a", br#"{"n":1}"#), (1, "b", br#"{"n":2}"#)])
    {
        let metadata = record.kinesis_firehose_record_metadata.as_ref().unwrap();
        assert_eq!((metadata.partition_key.as_deref(), &record.data.0[..]), (Some(partition_key), &data[..]));
        assert_eq!(metadata.subsequence_number, subsequence_number);
        assert_eq!(metadata.sequence_number.as_deref(), Some(aggregated.sequence_number()));
        assert_eq!(metadata.shard_id.as_deref(), Some("shardId-000000000003"));
        assert_eq!(record.approximate_arrival_timestamp.timestamp_millis(), 1_700_000_000_000);
        let id = format!("{}00{subsequence_number}", aggregated.record_id);
        assert_eq!(record.record_id.as_deref(), Some(&*id));
    }
}

#[test]
fn other_records_have_no_user_records() {
    let from_shard = |data: &str| Record::from_shard(ShardId(0), 7, "a".to_owned(), 0, data.to_owned());
    for record in [
        Record::direct_put(7, 0, AGGREGATED.to_owned()),
        from_shard(&AGGREGATED.replace("xQ==", "wQ==")),
        from_shard("84maw!"),
        from_shard(&encode(b"{}")),
        from_shard(""),
    ] {
        assert_eq!(record.user_records(), Err(NotAggregated::Ordinary), "{record:?}");
    }
}

#[test]
fn a_file_is_sent_as_it_is_but_for_the_invocation() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let fields = format!(
        r#""deliveryStreamArn":"arn","region":"eu-west-1","z":1e400,"a":"\ud800 \u00e9","n":{deep},"records":[{{"recordId":"a","data":"e30=","approximateArrivalTimestamp":5,"kinesisRecordMetadata":{{"z":123456789012345678901234567890,"a":1.0}},"b":"\ud800","c":{deep}}}]}}"#
    );
    let event = read(&format!("{{\n  \"invocationId\": \"old\",{}", fields.replace(":\"a", " :\t\"a"))).unwrap();
    assert_eq!(sent(&event), format!(r#"{{"invocationId":"00000000-0000-0000-0000-000000000000",{fields}"#));
    assert_eq!(
        event.records,
        [Record { record_id: "a".into(), arrival_ms: 5, data: "e30=".into(), kinesis: None, original: None }]
    );
    let other = Uuid::from_u128(1);
    assert!(event.payload(other).unwrap().starts_with(format!("{{\"invocationId\":\"{other}\",").as_bytes()));
}

#[test]
fn records_of_every_source_are_read() {
    for (record, arrival_ms, data) in [
        (r#"{ "data": "e30=", "approximateArrivalTimestamp": 5 }"#, 5, "e30="),
        (r#"{ "data": "e30=", "approximateArrivalTimestamp": 1495072949453.0 }"#, 1_495_072_949_453, "e30="),
        (r#"{ "data": "e30=", "approximateArrivalTimestamp": "1970-01-01T00:00:01Z" }"#, 1000, "e30="),
        (r#"{ "kafkaRecordValue": "e30=" }"#, 99, "e30="),
        (r#"{ "data": null, "kafkaRecordValue": "e30=" }"#, 99, "e30="),
        (r#"{ "data": null, "approximateArrivalTimestamp": "soon" }"#, 99, ""),
        (r#"{ "approximateArrivalTimestamp": 1e400 }"#, 99, ""),
        (r#"{ "data": 7 }"#, 99, "7"),
        (r####"{ "data": "###" }"####, 99, "###"),
        (r#"{ "data": "\ud800" }"#, 99, r#""\ud800""#),
    ] {
        let event = read(&format!(r#"{{ "records": [{record}] }}"#)).unwrap();
        assert_eq!(
            event.records,
            [Record { record_id: record_id(0), arrival_ms, data: data.into(), kinesis: None, original: None }]
        );
    }
}

#[test]
fn a_record_without_an_id_gets_one() {
    let event = read(r#"{ "records": [{ "recordId": "a\"" }, { "data": "e30=" }, { "recordId": null }] }"#).unwrap();
    let sent: Value = serde_json::from_str(&sent(&event)).unwrap();
    for (index, id) in [(0, "a\"".to_owned()), (1, record_id(1)), (2, record_id(2))] {
        assert_eq!(event.records[index].record_id, id);
        assert_eq!(sent["records"][index]["recordId"], id);
    }
}

#[test]
fn what_is_no_event_is_told() {
    for (fields, message) in [
        (json!({ "records": {} }), "an event whose `records` is not an array of objects"),
        (json!({ "records": [7] }), "an event whose `records` is not an array of objects"),
        (json!({ "records": [{ "recordId": 7 }] }), "an event whose `records[0].recordId` is not a string"),
        (
            json!({ "records": [{ "recordId": "a" }, { "recordId": "b" }, { "recordId": "a" }] }),
            "an event whose `records[2].recordId` is also that of a record before it",
        ),
        (
            json!({ "records": [{ "recordId": "a", "result": "Dropped" }] }),
            "a function's response (a record has `result`), not an event",
        ),
    ] {
        assert_eq!(read(&fields.to_string()).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_record_that_is_too_large_for_its_source_is_left_out() {
    let direct_put = json!({});
    let kinesis = json!({ "sourceKinesisStreamArn": "arn" });
    let msk = json!({ "sourceMSKArn": "arn" });
    // LocalStack's events and samples lack members, which the records may have.
    let shard = json!({ "kinesisRecordMetadata": {} });
    for (event, record, name, most) in [
        (&direct_put, &json!({}), "data", 1000 * 1024),
        (&json!({ "sourceKinesisStreamArn": null }), &json!({}), "data", 1000 * 1024),
        (&kinesis, &json!({}), "data", 10 * 1024 * 1024),
        (&direct_put, &shard, "data", 10 * 1024 * 1024),
        (&msk, &json!({}), "kafkaRecordValue", 6 * 1024 * 1024),
    ] {
        for (bytes, fits) in [(most, true), (most + 1, false)] {
            let (mut event, mut record) = (event.clone(), record.clone());
            record["recordId"] = json!("large");
            record[name] = json!(encode(&vec![b'x'; bytes]));
            let record_text = record.to_string();
            event["records"] = json!([{ "recordId": "a", "data": "e30=" }, record]);
            let (event, too_large) = read_all(&event.to_string()).unwrap();
            let ids: Vec<&str> = event.records.iter().map(|record| record.record_id.as_str()).collect();
            assert_eq!(sent(&event).contains("large"), fits);
            if fits {
                assert_eq!((ids, too_large), (vec!["a", "large"], vec![]), "{name} {bytes}");
                continue;
            }
            let [OversizedRecord { index: 1, bytes: found, text, .. }] = &too_large[..] else {
                panic!("{}", too_large.len())
            };
            assert!((ids, *found) == (vec!["a"], bytes) && *text == record_text, "{name} {bytes}");
        }
    }
}
