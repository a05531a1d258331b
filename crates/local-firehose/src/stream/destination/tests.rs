use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::stream::backlog::Context;
use crate::stream::notices::Notices;
use crate::stream::receipt::{Accepted, cost};
use crate::stream::recent_records::RecordMemory;
use crate::stream::settings::StreamSettings;
use firehose_model::prefix::Prefix;
use object_storage::Bucket;

/// Never full, and never due.
const LONG: Buffering = Buffering { bytes: usize::MAX, interval: Duration::from_secs(900) };

/// A destination that delivers to a folder.
struct Running {
    folder: TempDir,
    context: Arc<Context>,
    items: mpsc::UnboundedSender<Vec<Item>>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(buffer: Buffering, prefix: &Prefix) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = StreamSettings::untransformed("s", folder.path());
        settings.destination_buffer = buffer;
        settings.prefix = prefix.clone();
        settings.backup_prefix = Some(Prefix::parse("source/", false).unwrap());
        let bucket = Arc::new(Bucket::open(&settings.destination, false).unwrap());
        let context = Arc::new(Context::new(settings, None, &[], Notices::default(), RecordMemory::default().share()));
        let (items, taken) = mpsc::unbounded_channel();
        let destination = Destination::new(Uploader::new(Arc::clone(&context), bucket));
        let task = tokio::spawn(destination.run(taken));
        Self { folder, context, items, task }
    }

    /// Sends on what a function made of a record.
    fn deliver(&self, text: &str, partition: Partition) {
        self.send(|record, receipt| Item::delivered(record, text.into(), partition, receipt));
    }

    fn accept(&self) -> Accepted {
        let data = STANDARD.encode("as it came");
        assert!(self.context.backlog.reserve(cost(&data, "")));
        Accepted::new(1, Record::direct_put(1, 0, data))
    }

    fn send(&self, item: impl FnOnce(Record, Receipt) -> Item) {
        let Accepted { record, receipt } = self.accept();
        let items = vec![item(record, receipt)];
        for event in [
            StreamEvent::Accepted { records: 1, bytes: 0 },
            StreamEvent::InvocationStarted { shard: None, batch: 1, records: 1, bytes: 0 },
            StreamEvent::Transformed { batch: 1, records: 1, bytes: Item::bytes_of(&items), dropped: 0 },
        ] {
            self.context.stats.record(event);
        }
        self.items.send(items).unwrap();
    }

    fn back_up(&self, copies: Vec<Item>) {
        self.context.stats.record(StreamEvent::BackedUp { records: copies.len(), bytes: Item::bytes_of(&copies) });
        self.items.send(copies).unwrap();
    }

    /// Ends, and gives the objects under a prefix.
    async fn end(self, prefix: &str) -> Vec<String> {
        drop(self.items);
        self.task.await.unwrap();
        objects(&self.folder.path().join(prefix))
    }
}

/// The objects of a folder and of those in it, by what is in them.
fn objects(folder: &Path) -> Vec<String> {
    let mut objects = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            objects.extend(self::objects(&path));
        } else {
            objects.push(fs::read_to_string(path).unwrap());
        }
    }
    objects.sort();
    objects
}

fn plain() -> Prefix {
    Prefix::parse("firehose/", false).unwrap()
}

/// By the key `k`.
fn partitioned() -> Prefix {
    Prefix::parse("by/!{partitionKeyFromLambda:k}/", true).unwrap()
}

fn partition(value: &str) -> Partition {
    partitioned().partition(&BTreeMap::from([("k".to_owned(), value.to_owned())]), &BTreeMap::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_object_is_stored_by_size_and_by_time() {
    for (bytes, seconds, records, expected) in [
        // By time, from its first record on.
        (99, 60, &[(0, "a"), (59, "b"), (61, "c")][..], &["ab", "c"][..]),
        (99, 60, &[(0, "a"), (61, "b"), (120, "c"), (122, "d")], &["a", "bc", "d"]),
        (99, 0, &[(0, "a"), (1, "b")], &["a", "b"]),
        // By size: as soon as it is reached, with the record that reaches it.
        (4, 900, &[(0, "aa"), (0, "bb"), (0, "cc")], &["aabb", "cc"]),
        (4, 900, &[(0, "aaa"), (0, "bbb"), (0, "c")], &["aaabbb", "c"]),
        (4, 900, &[(0, "aaaaaaaa"), (0, "bbbb")], &["aaaaaaaa", "bbbb"]),
        // Whichever comes first, and the time is that of each object.
        (4, 60, &[(0, "aaaa"), (50, "b"), (70, "c"), (111, "d")], &["aaaa", "bc", "d"]),
        // At the end.
        (99, 900, &[(0, "a"), (800, "b")], &["ab"]),
    ] {
        let running = Running::start(Buffering { bytes, interval: Duration::from_secs(seconds) }, &plain());
        let start = Instant::now();
        for (second, text) in records {
            sleep_until(start + Duration::from_secs(*second)).await;
            running.deliver(text, Partition::default());
        }
        // What was sent last is taken before the end.
        assert_eq!(running.end("firehose").await, expected, "{bytes} {seconds} {records:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_has_objects_of_its_own() {
    let running = Running::start(LONG, &plain());
    for _record in 0..2 {
        running.deliver("made\n", Partition::default());
        running.send(|record, receipt| Item::failed(&record, ErrorCode::MissingRecordId, 4, 7, "arn:f", receipt));
        let Accepted { record, receipt } = running.accept();
        running.back_up(vec![Item::backup(&record, receipt)]);
    }
    let (folder, context) = (running.folder.path().to_owned(), Arc::clone(&running.context));
    let line = "{\"attemptsMade\":4,\"arrivalTimestamp\":0,\"errorCode\":\"Lambda.MissingRecordId\",\
                \"errorMessage\":\"One or more record Ids were not returned. Ensure that the Lambda function returns all \
                received record Ids.\",\"attemptEndingTimestamp\":7,\"rawData\":\"YXMgaXQgY2FtZQ==\",\"lambdaARN\":\"arn:f\"}\n";
    let snapshot = context.stats.snapshot();
    assert_eq!((snapshot.delivered, snapshot.failed, running.context.backlog.unsettled()), (0, 0, 6));
    let Running { items, task, folder: _kept, .. } = running;
    drop(items);
    task.await.unwrap();
    assert_eq!(objects(&folder.join("firehose")), ["made\nmade\n"]);
    assert_eq!(objects(&folder.join("errors/processing-failed")), [line.repeat(2)]);
    assert_eq!(objects(&folder.join("source")), ["as it cameas it came"]);
    let snapshot = context.stats.snapshot();
    assert_eq!(
        (snapshot.delivered, snapshot.failed, context.backlog.unsettled(), snapshot.objects.len()),
        (2, 2, 0, 3)
    );
}

#[tokio::test(start_paused = true)]
async fn stored_records_are_settled() {
    let running = Running::start(Buffering { bytes: 1, ..LONG }, &plain());
    let Accepted { record, receipt } = running.accept();
    let second = receipt.duplicate();
    running.back_up(vec![Item::backup(&record, second), Item::backup(&record, receipt)]);
    let context = Arc::clone(&running.context);
    running.end("source").await;
    assert_eq!(context.backlog.unsettled(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_partition_has_objects_of_its_own() {
    let running = Running::start(LONG, &partitioned());
    for (key, text) in [("x", "a"), ("y", "b"), ("x", "c")] {
        running.deliver(text, partition(key));
    }
    let folder = running.folder.path().to_owned();
    let Running { items, task, folder: _kept, .. } = running;
    drop(items);
    task.await.unwrap();
    assert_eq!((objects(&folder.join("by/x")), objects(&folder.join("by/y"))), (vec!["ac".into()], vec!["b".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_record_over_the_partition_limit_fails_until_an_object_is_stored() {
    let running = Running::start(LONG, &partitioned());
    for number in 0..=MAX_ACTIVE_PARTITIONS {
        running.deliver("a", partition(&number.to_string()));
    }
    // One that is open already, and errors, are no further ones.
    running.deliver("b", partition("0"));
    running.deliver("c", partition("another"));
    // Parts of one compressed record have one line.
    let failed = Arc::new(AtomicBool::new(false));
    for part in ["e", "f"] {
        running.send(|record, mut receipt| {
            receipt.failed = Some(Arc::clone(&failed));
            Item::delivered(record, part.into(), partition(part), receipt)
        });
    }
    sleep_until(Instant::now() + LONG.interval * 2).await;
    running.deliver("d", partition("another"));
    let (folder, context) = (running.folder.path().to_owned(), Arc::clone(&running.context));
    let Running { items, task, folder: _kept, .. } = running;
    drop(items);
    task.await.unwrap();

    let errors = objects(&folder.join("errors/activePartitionExceeded"));
    let codes: Vec<&str> = errors[0].matches("DynamicPartitioning.ActivePartitionsLimitExceeded").collect();
    assert_eq!((errors.len(), codes.len()), (1, 3));
    assert!(errors[0].contains("\"attemptsMade\":1") && errors[0].contains("\"rawData\":\"YXMgaXQgY2FtZQ==\""));
    assert_eq!(objects(&folder.join("by/0")), ["ab"]);
    assert_eq!(objects(&folder.join("by/another")), ["d"]);
    assert!(!folder.join("by").join(MAX_ACTIVE_PARTITIONS.to_string()).exists());
    let snapshot = context.stats.snapshot();
    assert_eq!((snapshot.delivered, snapshot.failed), (MAX_ACTIVE_PARTITIONS as u64 + 2, 4));
}
