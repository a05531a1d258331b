//! Kinesis as the source: the function's events, and the order of a shard.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use aws_lambda_events::event::firehose::KinesisFirehoseEvent;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::up::Up;

use crate::data_streams::{
    Place, STREAMS, by_shard, call_json, logged_events, put, start, until, until_processed, view_of,
};

#[test]
fn an_event_has_the_metadata_of_its_records_and_one_shard() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path(), STREAMS, &[]);
    let record = |key: &str, n: usize| (key.to_owned(), json!({ "do": "log", "n": n }).to_string());
    let records = [record("a", 0), record("b", 1), record("é", 2), record("abc", 3)];
    let places = put(&up, "orders", &records);
    until_processed(&up, "orders", 4);

    let events = logged_events(&up);
    assert_eq!(events.len(), 2, "one for each shard");
    assert_eq!(seen(&events), records.into_iter().zip(places).collect());
}

/// `RecordAggregator` of aws_kinesis_agg 1.2.3 (PyPI), with the records `{"do":"log","n":1}` and `{"n":2}` of the partition keys a and b.
const AGGREGATED: &str = "84mawgoBYQoBYhoWCAAaEnsiZG8iOiJsb2ciLCJuIjoxfRoLCAEaB3sibiI6Mn242r7EXZBlriJK5OXpBfk1";

#[test]
fn an_aggregated_record_reaches_the_function_as_user_records() {
    for is_killed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let seconds = if is_killed { "900" } else { "0" };
        let mut up = start(folder.path(), STREAMS, &["--state", "state", "--buffer-seconds", seconds]);
        let input = json!({ "StreamName": "orders", "PartitionKey": "a", "Data": AGGREGATED });
        let (status, response) = call_json(&up, "PutRecord", &input);
        assert_eq!(status, 200, "{response}");
        if is_killed {
            up.signal("-KILL");
            up.end();
            up = start(folder.path(), STREAMS, &["--state", "state"]);
        }
        until_processed(&up, "orders", 2);
        assert_eq!(view_of(&up, "orders")["accepted"], 1);
        assert_eq!(up.objects("orders"), "{\"do\":\"log\",\"n\":1}\n{\"n\":2}\n");

        let events = logged_events(&up);
        let [event] = &events[..] else { panic!("{events:?}") };
        let seen = event["records"].as_array().unwrap().iter().map(|record| {
            let field = |name: &str| &record["kinesisRecordMetadata"][name];
            json!([field("partitionKey"), field("subsequenceNumber"), field("shardId"), field("sequenceNumber")])
        });
        let (shard, number) = (&response["ShardId"], &response["SequenceNumber"]);
        assert_eq!(seen.collect::<Vec<_>>(), [json!(["a", 0, shard, number]), json!(["b", 1, shard, number])]);
    }
}

/// The places of the records in events, by partition key and data. Each event is of one shard, in its order.
#[track_caller]
fn seen(events: &[Value]) -> BTreeMap<(String, String), Place> {
    let mut seen = BTreeMap::new();
    for event in events {
        // The published types deserialize it.
        let read: KinesisFirehoseEvent = serde_json::from_value(event.clone()).unwrap();
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        assert_eq!(read.source_kinesis_stream_arn.as_deref(), Some(arn));
        let arn = "arn:aws:firehose:us-east-1:000000000000:deliverystream/orders";
        assert_eq!(read.delivery_stream_arn.as_deref(), Some(arn));
        let mut places = Vec::new();
        for (record, sent) in read.records.iter().zip(event["records"].as_array().unwrap()) {
            let metadata = record.kinesis_firehose_record_metadata.as_ref().unwrap();
            let text = |text: &Option<String>| text.clone().unwrap();
            let place = (text(&metadata.shard_id), text(&metadata.sequence_number));
            assert_eq!(record.record_id.as_deref(), Some(&*format!("{}{:0>140}", place.0, place.1)));
            assert_eq!((metadata.subsequence_number, record.record_id.as_ref().unwrap().len()), (0, 160));
            let metadata_sent = &sent["kinesisRecordMetadata"];
            assert_eq!(metadata_sent["approximateArrivalTimestamp"], sent["approximateArrivalTimestamp"]);
            let data = String::from_utf8(record.data.0.clone()).unwrap();
            seen.insert((text(&metadata.partition_key), data), place.clone());
            places.push(place);
        }
        assert!(places.is_sorted() && places.iter().all(|(shard, _)| *shard == places[0].0), "{places:?}");
    }
    seen
}

/// The delivered lines by shard, in the order of one object or of several.
fn delivered_by_shard(up: &Up, prefix: &str, shard_of: &BTreeMap<String, String>) -> BTreeMap<String, Vec<String>> {
    let mut shards: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in up.objects(prefix).lines() {
        shards.entry(shard_of[line].clone()).or_default().push(line.to_owned());
    }
    shards
}

#[test]
fn a_shard_is_delivered_in_order_with_several_producers_and_retries() {
    for options in [&[][..], &["--state", "state"]] {
        let folder = tempfile::tempdir().unwrap();
        // Each process fails its first event, after a while. All records are in one object.
        let config = "env = { FAIL_ONCE = '1' }\nbuffer-records = 20\n[streams.orders]\nsource = 'kinesis'\n";
        let mut up = start(folder.path(), config, &[options, &["--destination-seconds", "900"]].concat());
        let (lines, places): (Vec<String>, Vec<_>) = thread::scope(|scope| {
            let up = &up;
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    scope.spawn(move || {
                        let mut put_and_placed = Vec::new();
                        for call in 0..20 {
                            let records: Vec<(String, String)> = (0..10)
                                .map(|n| {
                                    (
                                        format!("{client}-{call}-{n}"),
                                        json!({ "client": client, "call": call, "n": n }).to_string(),
                                    )
                                })
                                .collect();
                            let places = put(up, "orders", &records);
                            put_and_placed.extend(records.into_iter().map(|(_, line)| line).zip(places));
                        }
                        put_and_placed
                    })
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).unzip()
        });
        assert_eq!(up.stop().code, Some(0));
        let expected = by_shard(&lines, &places);
        assert_eq!(expected.len(), 4);
        let shard_of = lines.iter().cloned().zip(places.into_iter().map(|(shard, _)| shard)).collect();
        assert_eq!(delivered_by_shard(&up, "orders", &shard_of), expected);

        // Some events were retried, none has records of another shard, and no shard was in two events at once.
        let log = up.log();
        let events: Vec<&str> =
            log.lines().filter_map(|line| line.strip_prefix("event ")?.split_once(' ')).map(|event| event.1).collect();
        assert!(events.iter().collect::<BTreeSet<_>>().len() < events.len());
        for event in events {
            let shards: BTreeSet<&str> = event.split(',').map(|id| &id[..20]).collect();
            assert_eq!(shards.len(), 1, "{event}");
        }
    }
}

#[test]
fn a_shard_has_one_event_at_once_and_does_not_block_another_shard() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    let config = format!(
        "env = {{ RELEASE = '{}' }}\nbuffer-records = 1\n[streams.orders]\nsource = 'kinesis'\nshards = 2\n",
        release.display()
    );
    let up = start(folder.path(), &config, &[]);
    let waiting: Vec<(String, String)> =
        (0..5).map(|n| ("a".to_owned(), json!({ "do": "wait", "n": n }).to_string())).collect();
    put(&up, "orders", &waiting);
    until(&up, "orders", |view| view["in_function"]["records"] == 1);
    put(&up, "orders", &(0..5).map(|n| ("b".to_owned(), n.to_string())).collect::<Vec<_>>());
    // All records of the other shard, during one event of this one.
    until_processed(&up, "orders", 5);
    let view = view_of(&up, "orders");
    assert_eq!(view["in_function"], json!({ "records": 1, "invocations": 1, "functions": 2 }));
    assert_eq!(
        (&view["buffered"]["records"], &view["data_stream"]),
        (&json!(4), &json!({ "shards": 2, "on_demand": false }))
    );
    fs::write(release, "").unwrap();
    until_processed(&up, "orders", 10);
}

#[test]
fn objects_are_stored_in_order_after_the_first_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out/bucket/orders");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    // A dangling link, as to a disk that is not mounted.
    symlink(folder.path().join("disk"), &place).unwrap();
    let up = start(folder.path(), "[streams.orders]\nsource = 'kinesis'\nshards = 1\nfunction = 'none'\n", &[]);
    for number in 0..6 {
        put(&up, "orders", &[("key".to_owned(), format!("{number}\n").repeat(number + 1))]);
        until(&up, "orders", |view| view["waiting"]["records"] == number + 1);
    }
    until(&up, "orders", |view| view["storage_error"].is_string());
    fs::create_dir(folder.path().join("disk")).unwrap();
    until_processed(&up, "orders", 6);
    let view = view_of(&up, "orders");
    let sizes: Vec<u64> =
        view["objects"].as_array().unwrap().iter().map(|object| object["bytes"].as_u64().unwrap()).collect();
    // The newest first.
    assert_eq!(sizes, [12, 10, 8, 6, 4, 2]);
}

#[test]
fn a_state_keeps_the_metadata_of_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let state = ["--state", "state"];
    let record = |n: usize| (format!("key-{n}-é"), json!({ "do": "log", "n": n }).to_string());
    let records: Vec<(String, String)> = (0..40).map(record).collect();
    let config = "[streams.orders]\nsource = 'kinesis'\nshards = 4\n";
    // Only a stop flushes.
    let mut up = start(folder.path(), config, &[&state[..], &["--buffer-seconds", "900"]].concat());
    let places = put(&up, "orders", &records);
    up.signal("-KILL");
    up.end();

    // Fewer shards than before: the records of the others are delivered as well, as those of closed shards.
    let config = "[streams.orders]\nsource = 'kinesis'\nshards = 2\n";
    let up = start(folder.path(), config, &state);
    let later = record(40);
    let later_place = put(&up, "orders", std::slice::from_ref(&later)).remove(0);
    until_processed(&up, "orders", 41);
    let before: Vec<&Place> = places.iter().filter(|(shard, _)| *shard == later_place.0).collect();
    assert!(!before.is_empty() && before.into_iter().all(|before| *before < later_place), "numbers continue");
    let expected: BTreeMap<_, _> = records.iter().cloned().zip(places.clone()).chain([(later, later_place)]).collect();
    assert_eq!(seen(&logged_events(&up)), expected);

    let lines: Vec<String> = records.into_iter().map(|(_, line)| line).collect();
    let shard_of = lines.iter().cloned().zip(places.iter().map(|(shard, _)| shard.clone()));
    let shard_of = shard_of.chain([(record(40).1, "later".to_owned())]).collect();
    let mut delivered = delivered_by_shard(&up, "orders", &shard_of);
    assert_eq!(delivered.remove("later"), Some(vec![record(40).1]));
    assert_eq!(delivered, by_shard(&lines, &places));
    assert_eq!(delivered.len(), 4);
}

#[test]
fn errors_and_the_backup_have_the_source_records() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[streams.orders]\nsource = 'kinesis'\nshards = 1\nbackup-prefix = 'source/'\n";
    let mut up = start(folder.path(), config, &[]);
    let lines = [r#"{"n":0}"#, r#"{"do":"fail"}"#, "\u{fe}no JSON", r#"{"do":"drop"}"#].map(str::to_owned);
    put(&up, "orders", &lines.clone().map(|line| ("key".to_owned(), line)));
    assert_eq!(
        up.stop().stdout,
        "2 of 4 records delivered, 1 dropped, 1 failed, none left\norders: 4 accepted, 2 delivered, 1 dropped, 1 failed\n"
    );
    assert_eq!(up.objects("orders").lines().collect::<Vec<_>>(), [&lines[0], &lines[2]]);
    assert_eq!(up.objects("source"), lines.concat());
    let [error] = &up.errors()[..] else { panic!("not one error") };
    assert_eq!(error["rawData"], STANDARD.encode(&lines[1]));
    assert_eq!(error["errorCode"], "Lambda.ProcessingFailedStatus");
}
