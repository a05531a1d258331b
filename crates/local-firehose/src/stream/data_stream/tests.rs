use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use governor::clock::FakeRelativeClock;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::functions::FunctionLog;
use crate::stream::receipt::Accepted;
use crate::stream::state::State;
use crate::stream::{Buffering, ReadLimits, StreamSettings};
use firehose_model::batch::MB;
use firehose_model::kinesis::shard::hash_key;
use firehose_model::prefix::Prefix;
use object_storage::Bucket;

/// A data stream whose records are delivered to a folder as they are, when the stream stops.
struct Running {
    folder: TempDir,
    delivery: DeliveryStream,
    data_stream: DataStream,
}

impl Running {
    fn start(shards: u32, state: bool, change: impl FnOnce(&mut StreamSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = folder.path().join("bucket");
        let mut settings = StreamSettings::untransformed("s", &bucket);
        let provisioned = NonZeroU32::new(shards);
        settings.source = Source::Kinesis(DataStreamSettings { provisioned, partition_key_field: None });
        change(&mut settings);
        let function_log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
        let state = state.then(|| folder.path().join("state"));
        let delivery = DeliveryStream::start(settings, bucket, function_log, state.as_deref()).unwrap();
        let data_stream = DataStream::read_by(&delivery).unwrap();
        Self { folder, delivery, data_stream }
    }

    /// The delivered lines.
    async fn stop(&self) -> Vec<String> {
        assert!(self.delivery.stop().await);
        let mut paths = vec![self.folder.path().join("bucket")];
        let mut lines = Vec::new();
        while let Some(path) = paths.pop() {
            match std::fs::read_dir(&path) {
                Ok(entries) => paths.extend(entries.map(|entry| entry.unwrap().path())),
                Err(_) => lines.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_owned)),
            }
        }
        lines
    }
}

fn record(partition_key: &str, data: &[u8]) -> PutEntry {
    PutEntry {
        data: STANDARD.encode(data),
        bytes: partition_key.len() + data.len(),
        partition_key: partition_key.to_owned(),
        hash_key: hash_key(partition_key),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_shard_are_delivered_in_order_with_many_producers() {
    for state in [false, true] {
        let running = Running::start(3, state, |settings| settings.buffer_records = 7);
        let putting = (0..20).map(|client| {
            let stream = running.data_stream.clone();
            tokio::spawn(async move {
                let mut placed = Vec::new();
                for call in 0..5 {
                    let name = |number: usize| format!("{client}-{call}-{number}");
                    let records = (0..3).map(|number| record(&name(number), format!("{}\n", name(number)).as_bytes()));
                    for (number, result) in stream.put(records.collect()).await.into_iter().enumerate() {
                        placed.push((name(number), result.unwrap()));
                    }
                }
                placed
            })
        });
        let placed: HashMap<String, PutResult> = join_all(putting).await.into_iter().flat_map(Result::unwrap).collect();
        let delivered = running.stop().await;
        assert_eq!((placed.len(), delivered.len()), (300, 300));
        for shard in running.data_stream.settings.shards().iter() {
            let numbers: Vec<&str> = delivered
                .iter()
                .map(|line| &placed[line])
                .filter(|placed| placed.shard == shard)
                .map(|placed| placed.sequence_number.as_str())
                .collect();
            assert!(numbers.len() > 50 && numbers.is_sorted_by(|one, next| one < next), "{shard} {state}: {numbers:?}");
        }
    }
}

#[tokio::test]
async fn each_shard_has_its_own_limits_of_records_and_bytes() {
    let running = Running::start(2, false, |_| {});
    let stream = &running.data_stream;
    // MD5 begins with 0c and 92.
    let (first, second) = ("a", "b");
    for (key, bytes, most) in [(first, 0, 1000), (second, MB / 8, 8)] {
        let shard = stream.settings.shards().of(hash_key(key));
        let records = vec![record(key, &vec![b'x'; bytes - key.len().min(bytes)]); most];
        let results = stream.put(records).await;
        assert!(results.iter().all(|result| result.as_ref().is_ok_and(|placed| placed.shard == shard)), "{key}");
        // It never fits, however much time has passed.
        let results = stream.put(vec![record(key, &vec![b'x'; 2 * MB])]).await;
        assert_eq!(results, [Err(PutError::Throttled(shard))]);
    }
}

#[test]
fn a_shard_is_limited_to_records_and_bytes_of_a_second() {
    for (bytes, most) in [(1, 1000), (MB / 8, 8)] {
        let clock = FakeRelativeClock::default();
        let limit = ShardLimit::new(&clock);
        for passed in [0, 1] {
            clock.advance(Duration::from_secs(passed));
            let taken = (0..3 * most).filter(|_| limit.take(bytes)).count();
            assert_eq!(taken, most, "{bytes} {passed}");
        }
    }
}

/// Those of a configured data stream are at its delivery stream.
#[tokio::test]
async fn a_data_stream_counts_accepted_and_refused_records() {
    let (settings, memory) = (DataStreamSettings::default(), RetentionMemory::new(1000));
    let created = DataStream::retained("d", Timestamp::now(), settings, 24, memory, Notices::default());
    created.put(vec![record("a", b"x"), record("a", &[b'x'; 2000]), record("b", b"x")]).await;
    created.put(vec![record("a", &vec![b'x'; 2 * MB])]).await;
    created.refuse(3, RefusalReason::Invalid);
    let snapshot = serde_json::to_value(created.snapshot().unwrap()).unwrap();
    let expected = serde_json::json!({ "rate": 1, "memory": 1, "invalid": 3 });
    assert_eq!((&snapshot["accepted"], &snapshot["refused_by_reason"]), (&serde_json::json!(2), &expected));

    let running = Running::start(2, false, |_| {});
    running.data_stream.put(vec![record("a", &vec![b'x'; 2 * MB])]).await;
    running.data_stream.refuse(3, RefusalReason::Invalid);
    assert!(running.data_stream.snapshot().is_none());
    assert_eq!(running.delivery.snapshot().refused, 4);
}

#[tokio::test]
async fn the_largest_record_is_within_the_limits_of_a_shard() {
    let running = Running::start(1, false, |_| {});
    let results =
        running.data_stream.put(vec![record("k", &vec![b'x'; firehose_model::kinesis::MAX_RECORD_BYTES - 1])]).await;
    assert!(results[0].is_ok());
}

#[tokio::test]
async fn a_full_backlog_throttles_and_a_stopped_stream_is_unavailable() {
    let running = Running::start(2, false, |settings| settings.backlog_bytes = 1000);
    let results = running.data_stream.put(vec![record("a", b"x"), record("a", &[b'x'; 2000]), record("b", b"x")]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(results[1], Err(PutError::BacklogFull(Some(ShardId(0)))));
    running.stop().await;
    assert_eq!(running.data_stream.put(vec![record("a", b"x")]).await, [Err(PutError::Unavailable)]);
}

/// `RecordAggregator` of aws_kinesis_agg 1.2.3 (PyPI), with the records `1 `, `2 ` and `3 `.
const AGGREGATED: &str = "84mawgoBYQoBYhoGCAAaAjEgGgYIARoCMiAaBggAGgIzIJLFhtnFNw5Yjw3R0PVjFgs=";

/// An aggregated record between two others, one of which only looks like it.
fn with_aggregated() -> Vec<PutEntry> {
    let aggregated = STANDARD.decode(AGGREGATED).unwrap();
    let damaged = &aggregated[..aggregated.len() - 1];
    vec![record("a", b"0 "), record("a", &aggregated), record("a", damaged)]
}

/// What a delivery stream delivers of them.
fn deaggregated() -> String {
    let damaged = with_aggregated().pop().unwrap().data;
    format!("0 1 2 3 {}", String::from_utf8_lossy(&STANDARD.decode(damaged).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregated_records_are_delivered_as_user_records() {
    for state in [false, true] {
        let running = Running::start(1, state, |settings| {
            settings.backup_prefix = Some(Prefix::parse("backup/", false).unwrap());
            settings.buffer.interval = Duration::from_secs(900);
            settings.destination_buffer.interval = Duration::from_secs(900);
        });
        assert!(running.data_stream.put(with_aggregated()).await.iter().all(Result::is_ok));
        assert_eq!(running.delivery.unsettled(), 3);
        assert!(running.delivery.stop().await);
        let bucket = running.folder.path().join("bucket");
        // The objects, and the source backup.
        assert_eq!(delivered(&bucket), deaggregated().repeat(2), "{state}");
        let snapshot = running.delivery.snapshot();
        assert_eq!((snapshot.accepted, snapshot.delivered, running.delivery.unsettled()), (3, 5, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_read_aggregated_records_as_they_were_put() {
    let folder = tempfile::tempdir().unwrap();
    let stream = retained(1);
    let delivery = reader(&folder, "d", &stream);
    assert!(stream.put(with_aggregated()).await.iter().all(Result::is_ok));
    assert!(delivery.stop().await);
    assert_eq!(delivered(&folder.path().join("d")), deaggregated());
    let limits = ReadLimits { records: 10, bytes: MB };
    let read = stream.retention().unwrap().read(ShardId(0), 0, limits, Timestamp::now().as_millisecond());
    let data: Vec<&str> = read.records.iter().map(|(_, record)| record.data.as_str()).collect();
    assert_eq!(data[1], AGGREGATED);
}

#[tokio::test]
async fn an_aggregated_record_that_an_earlier_run_has_left_is_delivered_as_user_records() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("s.redb")).unwrap();
    let left = Record::from_shard(ShardId(0), 7, "a".to_owned(), 5, AGGREGATED.to_owned());
    let (reply, kept) = oneshot::channel();
    state.keep(vec![Accepted::new(7, left)], move |_, written| {
        let _disconnected = reply.send(written);
    });
    assert!(kept.await.unwrap() && state.close().await);

    let mut settings = StreamSettings::untransformed("s", &folder.path().join("bucket"));
    settings.source = Source::Kinesis(DataStreamSettings { provisioned: None, partition_key_field: None });
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    let delivery = DeliveryStream::start(settings, bucket, log, Some(folder.path())).unwrap();
    assert!(delivery.stop().await);
    assert_eq!(delivered(&folder.path().join("bucket")), "1 2 3 ");
}

/// A delivery stream without a function that delivers to a folder, when it stops.
fn reader(folder: &TempDir, name: &str, data_stream: &DataStream) -> DeliveryStream {
    let source = Source::DataStream { name: data_stream.name().to_owned(), settings: data_stream.settings.clone() };
    let destination_buffer = Buffering { bytes: 5 * MB, interval: Duration::from_secs(900) };
    let settings = StreamSettings::untransformed(name, &folder.path().join(name));
    let settings = StreamSettings { source, destination_buffer, ..settings };
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    let delivery = DeliveryStream::start(settings, bucket, log, None).unwrap();
    data_stream.attach(&delivery);
    delivery
}

fn delivered(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let content = |path: std::path::PathBuf| match std::fs::read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => delivered(&path),
    };
    entries.map(content).collect()
}

fn retained(shards: u32) -> DataStream {
    let settings = DataStreamSettings { provisioned: NonZeroU32::new(shards), partition_key_field: None };
    DataStream::retained("d", Timestamp::now(), settings, 24, RetentionMemory::new(10 * MB), Notices::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_streams_read_a_data_stream_from_their_creation_on() {
    let folder = tempfile::tempdir().unwrap();
    let stream = retained(1);
    let put = async |text: &str| stream.put(vec![record("k", text.as_bytes())]).await[0].clone().unwrap();
    put("before ").await;
    let one = reader(&folder, "one", &stream);
    put("first ").await;
    let two = reader(&folder, "two", &stream);
    let placed = put("second ").await;
    assert!(stream.has_sequence_number(&placed.sequence_number));
    assert!(one.stop().await);
    put("third ").await;
    assert!(two.stop().await);
    assert_eq!(delivered(&folder.path().join("one")), "first second ");
    assert_eq!(delivered(&folder.path().join("two")), "second third ");
    let retention = stream.retention().unwrap();
    retention.close();
    retention.readers_finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_delivers_what_is_left_of_a_closed_data_stream() {
    let folder = tempfile::tempdir().unwrap();
    let stream = retained(3);
    let delivery = reader(&folder, "d", &stream);
    let records = (0..100).map(|number: i32| record(&number.to_string(), b"x")).collect();
    assert!(stream.put(records).await.iter().all(Result::is_ok));
    let retention = stream.retention().unwrap();
    retention.close();
    retention.readers_finished().await;
    assert!(delivery.stop().await);
    assert_eq!(delivered(&folder.path().join("d")), "x".repeat(100));
}

/// As with a clock that is set back between two runs.
#[tokio::test]
async fn numbers_follow_those_that_a_reader_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("r.redb")).unwrap();
    let last = u64::MAX / 2;
    let left = Record::from_shard(ShardId(0), last, "k".to_owned(), 5, STANDARD.encode("left "));
    let (reply, kept) = oneshot::channel();
    state.keep(vec![Accepted::new(last, left)], move |_, written| reply.send(written).unwrap());
    assert!(kept.await.unwrap() && state.close().await);

    let stream = retained(1);
    let mut settings = StreamSettings::untransformed("r", &folder.path().join("bucket"));
    settings.destination_buffer.interval = Duration::from_secs(900);
    let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
    let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
    let delivery = DeliveryStream::start(settings, bucket, log, Some(folder.path())).unwrap();
    stream.attach(&delivery);
    let placed = stream.put(vec![record("k", b"new ")]).await.pop().unwrap().unwrap();
    assert!(ShardId::of_sequence_number(&placed.sequence_number).unwrap().1 > last, "{placed:?}");
    assert!(delivery.stop().await);
    assert_eq!(delivered(&folder.path().join("bucket")), "left new ");
}

#[tokio::test(start_paused = true)]
async fn expired_records_leave_the_memory_of_an_idle_stream() {
    let memory = RetentionMemory::new(300);
    let settings = DataStreamSettings { provisioned: NonZeroU32::new(1), partition_key_field: None };
    let [idle, other] = ["idle", "other"].map(|name| {
        DataStream::retained(name, Timestamp::now(), settings.clone(), 0, memory.clone(), Notices::default())
    });
    assert!(idle.put(vec![record("k", b"x")]).await[0].is_ok());
    assert_eq!(other.put(vec![record("k", b"x")]).await, [Err(PutError::RetentionFull)]);
    // Its time is that of the clock.
    std::thread::sleep(Duration::from_millis(5));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(other.put(vec![record("k", b"x")]).await[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_reads_to_its_end_whatever_is_put_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let stream = retained(1);
    let delivery = reader(&folder, "d", &stream);
    assert_eq!(delivery.unread(), 0);
    let putting = tokio::spawn(async move {
        for number in 0.. {
            let _throttled = stream.put(vec![record("k", format!("{number} ").as_bytes())]).await;
            tokio::task::yield_now().await;
        }
    });
    let stopped = tokio::time::timeout(Duration::from_secs(60), delivery.stop()).await;
    assert!(stopped.unwrap() && delivery.unread() == 0 && !putting.is_finished());
    putting.abort();
}

#[tokio::test]
async fn a_sequence_number_is_one_of_the_stream() {
    let running = Running::start(1, false, |_| {});
    for stream in [running.data_stream.clone(), retained(1)] {
        let placed = stream.put(vec![record("a", b"x")]).await.pop().unwrap().unwrap();
        let far = placed.shard.sequence_number(u64::MAX);
        for (text, expected) in [
            (&*placed.sequence_number, true),
            (&ShardId(0).sequence_number(0), true),
            (&ShardId(1).sequence_number(0), false),
            (&far, false),
            ("0", false),
        ] {
            assert_eq!(stream.has_sequence_number(text), expected, "{text}");
        }
        // It is older than another stream.
        assert!(!retained(1).has_sequence_number(&placed.sequence_number));
    }
}
