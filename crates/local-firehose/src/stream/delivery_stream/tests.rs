use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use firehose_model::event::encode;
use firehose_model::prefix::{Prefix, time_zone};
use firehose_model::processors::{Deaggregation, Processors};
use firehose_model::query::Query;
use object_storage::gzip;

/// A stream that flushes when it stops.
struct Running {
    folder: TempDir,
    stream: DeliveryStream,
}

impl Running {
    fn start(change: impl FnOnce(&mut StreamSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = StreamSettings::untransformed("s", &folder.path().join("bucket"));
        settings.buffer.interval = Duration::from_secs(900);
        settings.destination_buffer.interval = Duration::from_secs(900);
        change(&mut settings);
        let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
        let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let stream = DeliveryStream::start(settings, bucket, log, None).unwrap();
        Self { folder, stream }
    }

    async fn put(&self, text: &str) {
        assert!(self.stream.put(vec![encode(text.as_bytes())]).await.iter().all(Result::is_ok));
    }

    /// The names and contents of the objects of a bucket.
    fn objects(&self, bucket: &str) -> Vec<(String, String)> {
        let (mut paths, mut objects) = (vec![self.folder.path().join(bucket)], Vec::new());
        while let Some(path) = paths.pop() {
            match fs::read_dir(&path) {
                Ok(entries) => paths.extend(entries.map(|entry| entry.unwrap().path())),
                Err(_) => objects.push((path.display().to_string(), fs::read_to_string(path).unwrap())),
            }
        }
        objects.sort();
        objects
    }
}

#[tokio::test]
async fn an_update_applies_to_the_records_after_it() {
    let running = Running::start(|_| {});
    running.put("before").await;
    let other = running.folder.path().join("other");
    let mut settings = StreamSettings::untransformed("s", &other);
    settings.prefix = Prefix::parse("updated/", false).unwrap();
    settings.version = 2;
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    running.stream.update(settings, bucket);
    running.put("after").await;
    assert_eq!((running.stream.unsettled(), running.stream.settings().version), (2, 2));
    assert!(running.stream.stop().await);

    for (bucket, prefix, version, content) in
        [("bucket", "/firehose/", "s-1-", "before"), ("other", "/updated/", "s-2-", "after")]
    {
        let objects = running.objects(bucket);
        let [(name, found)] = &objects[..] else { panic!("{objects:?}") };
        assert!(name.contains(prefix) && name.contains(version) && found == content, "{objects:?}");
    }
    let snapshot = running.stream.snapshot();
    assert_eq!((snapshot.accepted, snapshot.delivered, snapshot.failed), (2, 2, 0));
}

#[tokio::test]
async fn delivered_objects_have_the_time_zone_and_the_extension() {
    let zone = time_zone("Asia/Tokyo").unwrap();
    let prefix = |text: &str| Prefix::parse(&format!("{text}/!{{timestamp:yyyy-MM-dd-HH}}/"), false).unwrap();
    let running = Running::start(|settings| {
        settings.prefix = prefix("made");
        settings.time_zone = zone.clone();
        settings.file_extension = Some(".json".to_owned());
        settings.backup_prefix = Some(prefix("source"));
    });
    let hours = || {
        let now = Timestamp::now();
        ["UTC", "Asia/Tokyo"].map(|zone| now.to_zoned(time_zone(zone).unwrap()).strftime("%Y-%m-%d-%H").to_string())
    };
    let before = hours();
    running.put("a").await;
    let after = hours();
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let [(made, _), (source, _)] = &objects[..] else { panic!("{objects:?}") };
    let is_named = |name: &str, hours: [&str; 2], start: &str, end: &str| {
        let of = |hour: &str| name.contains(&format!("{start}/{hour}/s-1-{hour}-"));
        hours.into_iter().any(of) && name.ends_with(end)
    };
    assert!(is_named(made, [&before[1], &after[1]], "made", ".json"), "{made}");
    assert!(is_named(source, [&before[0], &after[0]], "source", "") && !source.contains(".json"), "{source}");
}

#[tokio::test]
async fn sub_records_share_the_receipt_of_their_record() {
    let running = Running::start(|settings| {
        let deaggregation = Some(Deaggregation::Json);
        settings.processors = Processors { deaggregation, delimiter: b"\n".into(), ..Processors::default() };
        settings.buffer_records = 2;
    });
    for text in [r#"{"a":1}{"a":2} {"a":3}"#, "no JSON", r#"{"a":4}"#] {
        running.put(text).await;
    }
    assert_eq!(running.stream.unsettled(), 3);
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let [(failed, line), (delivered, lines)] = &objects[..] else { panic!("{objects:?}") };
    assert!(delivered.contains("/firehose/") && failed.contains("/errors/partitioning-failed/"), "{objects:?}");
    // Concurrent invocations of Direct PUT have no order.
    let mut lines: Vec<&str> = lines.split_inclusive('\n').collect();
    lines.sort_unstable();
    assert_eq!(lines, [1, 2, 3, 4].map(|number| format!("{{\"a\":{number}}}\n")));
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!((line["rawData"].as_str(), line.get("lambdaARN")), (Some(&*encode(b"no JSON")), None), "{line}");
    let snapshot = running.stream.snapshot();
    assert_eq!((snapshot.accepted, snapshot.delivered, snapshot.failed), (3, 4, 1));
}

#[tokio::test]
async fn a_compressed_record_has_one_error_line_however_many_of_its_parts_fail() {
    let running = Running::start(|settings| {
        let query = Query::parse("{k: .k}").unwrap();
        settings.prefix = Prefix::with_keys("k=!{partitionKeyFromQuery:k}/", false, query.keys()).unwrap();
        let deaggregation = Some(Deaggregation::Json);
        settings.processors =
            Processors { decompression: true, deaggregation, query: Some(query), ..Processors::default() };
        settings.dynamic_partitioning = true;
        // Also parts in several events.
        settings.buffer_records = 2;
    });
    let record = encode(&gzip(br#"{}{"k":"a"}{}{}{}"#).unwrap());
    for _put in 0..2 {
        assert!(running.stream.put(vec![record.clone()]).await[0].is_ok());
    }
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let lines = objects.iter().filter(|(key, _)| key.contains("/errors/")).flat_map(|(_, text)| text.lines());
    let raw_data = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["rawData"].clone();
    assert_eq!(lines.map(raw_data).collect::<Vec<_>>(), [record.as_str(); 2], "{objects:?}");
    let snapshot = running.stream.snapshot();
    let by_code: Vec<u64> = snapshot.failed_by_code.into_values().collect();
    assert_eq!((snapshot.accepted, snapshot.delivered, snapshot.failed, by_code), (2, 2, 8, vec![8]));
    assert_eq!((snapshot.waiting.records, snapshot.waiting.bytes, running.stream.unsettled()), (0, 0, 0));
}

#[tokio::test]
async fn records_are_partitioned_by_a_query() {
    let running = Running::start(|settings| {
        let query = Query::parse(r#"{customer: .customer, year: .at | strftime("%Y")}"#).unwrap();
        let prefix = "c=!{partitionKeyFromQuery:customer}/y=!{partitionKeyFromQuery:year}/";
        settings.prefix = Prefix::with_keys(prefix, false, query.keys()).unwrap();
        settings.processors =
            Processors { decompression: true, query: Some(query), delimiter: b"\n".into(), ..Processors::default() };
        settings.dynamic_partitioning = true;
    });
    let (first, second) = (r#"{"customer":"a","at":1565382027}"#, r#"{"customer":7,"at":1565382028}"#);
    let failed = [r#"{"customer":"a"}"#, r#"{"customer":null,"at":0}"#, "no JSON"];
    for text in [first, second].into_iter().chain(failed) {
        let compressed = gzip(text.as_bytes()).unwrap();
        assert!(running.stream.put(vec![encode(&compressed)]).await[0].is_ok());
    }
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let [(by_number, second_line), (by_name, first_line), (errors, lines)] = &objects[..] else {
        panic!("{objects:?}")
    };
    assert!(by_name.contains("/c=a/y=2019/s-1-") && *first_line == format!("{first}\n"), "{objects:?}");
    assert!(by_number.contains("/c=7/y=2019/s-1-") && *second_line == format!("{second}\n"), "{objects:?}");
    assert!(errors.contains("/errors/partitioning-failed/"), "{objects:?}");
    let mut found: Vec<(String, String, String)> = Vec::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap().to_owned();
        found.push((field("rawData"), field("errorCode"), field("errorMessage")));
    }
    let (json, missing) = ("Non JSON record provided", "partitionKeys values must not be null or empty");
    let expected = failed.into_iter().zip([missing, missing, json]).map(|(text, message)| {
        let code = "DynamicPartitioning.MetadataExtractionFailed".to_owned();
        (encode(&gzip(text.as_bytes()).unwrap()), code, message.to_owned())
    });
    let mut expected: Vec<_> = expected.collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let snapshot = running.stream.snapshot();
    assert_eq!((snapshot.accepted, snapshot.delivered, snapshot.failed), (5, 2, 3));
}

#[tokio::test]
async fn records_are_decompressed_and_fail_as_they_were_put() {
    let running = Running::start(|settings| {
        settings.processors = Processors { decompression: true, ..Processors::default() };
    });
    running.put("plain").await;
    let compressed = gzip(b"log").unwrap();
    assert!(running.stream.put(vec![encode(&compressed)]).await[0].is_ok());
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let [(failed, line), (_, delivered)] = &objects[..] else { panic!("{objects:?}") };
    assert!(failed.contains("/errors/decompression-failed/") && delivered == "log", "{objects:?}");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["rawData"].as_str(), Some(&*encode(b"plain")), "{line}");

    // A later failure has the compressed record.
    let running = Running::start(|settings| {
        settings.processors = Processors { decompression: true, ..Processors::default() };
        settings.function_arn = Some("arn:aws:lambda:us-east-1:123456789012:function:missing".to_owned());
    });
    assert!(running.stream.put(vec![encode(&compressed)]).await[0].is_ok());
    assert!(running.stream.stop().await);
    let line: serde_json::Value = serde_json::from_str(&running.objects("bucket")[0].1).unwrap();
    assert_eq!(line["rawData"].as_str(), Some(&*encode(&compressed)), "{line}");
}

/// Each takes 8 MB of memory, and the backlog has 10 MB: what holds one passes it on.
#[tokio::test]
async fn records_are_decompressed_as_long_as_there_is_memory() {
    let running = Running::start(|settings| {
        settings.processors = Processors { decompression: true, ..Processors::default() };
        settings.backlog_bytes = 10_000_000;
        settings.destination_buffer.bytes = usize::MAX;
    });
    let size = firehose_model::MAX_PAYLOAD_BYTES;
    let compressed = encode(&gzip(&vec![b'0'; size]).unwrap());
    for _ in 0..4 {
        assert!(running.stream.put(vec![compressed.clone()]).await[0].is_ok());
    }
    let is_delivered = async {
        while running.stream.snapshot().delivered < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), is_delivered).await.unwrap();
    assert!(running.stream.stop().await);
    let sizes: Vec<usize> = running.objects("bucket").iter().map(|(_, content)| content.len()).collect();
    assert_eq!(sizes, [size; 4]);
}

#[tokio::test]
async fn a_stopped_stream_is_not_updated() {
    let running = Running::start(|_| {});
    assert!(running.stream.stop().await);
    let settings = StreamSettings::untransformed("s", &running.folder.path().join("bucket"));
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    running.stream.update(settings, bucket);
    assert_eq!(running.stream.put(vec![encode(b"late")]).await, [Err::<String, _>(PutError::Unavailable)]);
    assert!(timeout(Duration::from_secs(30), running.stream.stop()).await.unwrap());
}

#[tokio::test]
async fn a_second_stop_waits_for_the_first() {
    let running = Running::start(|_| {});
    running.put("a").await;
    assert_eq!(tokio::join!(running.stream.stop(), running.stream.stop()), (true, true));
    assert_eq!(running.objects("bucket").len(), 1);
}

#[tokio::test]
async fn the_records_of_a_function_that_does_not_exist_fail() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:missing";
    let running = Running::start(|settings| settings.function_arn = Some(arn.to_owned()));
    running.put("a").await;
    assert!(running.stream.stop().await);
    let objects = running.objects("bucket");
    let [(name, line)] = &objects[..] else { panic!("{objects:?}") };
    assert!(name.contains("/errors/processing-failed/"), "{name}");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for (field, expected) in [
        ("errorCode", "Lambda.ResourceNotFound".into()),
        ("attemptsMade", serde_json::json!(4)),
        ("lambdaARN", arn.into()),
        ("rawData", "YQ==".into()),
    ] {
        assert_eq!(line[field], expected, "{field}");
    }
}

#[tokio::test]
async fn the_backup_has_a_bucket_and_a_compression_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = StreamSettings::untransformed("s", &folder.path().join("bucket"));
    settings.backup_prefix = Some(Prefix::parse("source/", false).unwrap());
    settings.compression = firehose_model::prefix::Compression::Gzip;
    let open = |name: &str| {
        let destination = object_storage::Destination::Folder(folder.path().join(name));
        Arc::new(Bucket::open(&destination, false).unwrap())
    };
    let buckets = Buckets { objects: open("bucket"), backup: open("backup") };
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    let stream = DeliveryStream::start(settings, buckets, log, None).unwrap();
    let running = Running { folder, stream };
    running.put("a").await;
    assert!(running.stream.stop().await);
    let backup = running.objects("backup");
    assert!(backup.len() == 1 && backup[0].0.contains("/source/") && backup[0].1 == "a", "{backup:?}");
    for object in &running.stream.snapshot().objects {
        assert!(running.stream.bucket_of(object).get(&object.path, 9).await.unwrap().is_some(), "{object:?}");
    }
}
