use std::path::Path;

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::stream::backlog::Context;
use crate::stream::intake::{Buffers, IncomingRecord};
use crate::stream::notices::Notices;
use crate::stream::receipt::{Accepted, cost};
use crate::stream::recent_records::RecordMemory;
use crate::stream::retention::RetentionMemory;
use crate::stream::settings::StreamSettings;
use crate::stream::state::State;

const SHARDS: u32 = 3;

/// A data stream, and a delivery stream that reads it, with its backlog for a number of records.
struct Running {
    retention: Arc<Retention>,
    context: Arc<Context>,
    intake: Arc<Intake>,
    buffers: mpsc::UnboundedReceiver<Vec<Accepted>>,
}

impl Running {
    fn new(backlog: usize, state: Option<State>) -> Self {
        let settings = StreamSettings::untransformed("s", Path::new("nowhere"));
        let settings = StreamSettings { backlog_bytes: backlog * cost("YQ==", "key"), ..settings };
        let context = Arc::new(Context::new(settings, state, &[], Notices::default(), RecordMemory::default().share()));
        let (to_buffers, buffers): (Buffers, _) = mpsc::unbounded_channel();
        let intake = Arc::new(Intake::new(Arc::clone(&context), Vec::new(), None, to_buffers));
        Self { retention: Retention::new(SHARDS, 24, RetentionMemory::new(MB)), context, intake, buffers }
    }

    fn start(&self) -> Reader {
        let shards = Shards(SHARDS.try_into().unwrap());
        Reader::start("s: d".to_owned(), Arc::clone(&self.retention), shards, Arc::clone(&self.intake))
    }

    fn put_at(&self, shards: &[u32], ms: i64) -> Vec<u64> {
        let entry = |shard: &u32| {
            Ok(IncomingRecord { data: "YQ==".to_owned(), shard: Some((ShardId(*shard), "key".to_owned())) })
        };
        let results = self.retention.put(shards.iter().map(entry), ms);
        results.into_iter().map(|result| result.unwrap().1).collect()
    }

    /// Puts a record into each of these shards, and returns their numbers.
    fn put(&self, shards: &[u32]) -> Vec<u64> {
        self.put_at(shards, Timestamp::now().as_millisecond())
    }

    /// The number of the next record that is read, which is settled.
    async fn settle_next(&mut self) -> u64 {
        let mut records = timeout(Duration::from_secs(30), self.buffers.recv()).await.unwrap().unwrap();
        assert_eq!(records.len(), 1);
        let receipt = records.remove(0).receipt;
        let number = receipt.sequence();
        self.context.backlog.settle(vec![receipt]);
        number
    }
}

#[tokio::test(start_paused = true)]
async fn each_record_is_read_once_and_in_order_however_small_the_backlog() {
    let mut running = Running::new(1, None);
    let reader = running.start();
    let numbers = running.put(&[1, 1, 1]);
    for number in &numbers {
        assert_eq!(running.settle_next().await, *number);
    }
    assert_eq!(reader.lag(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_shard_waits_for_the_end_of_another() {
    let mut running = Running::new(1, None);
    let _reader = running.start();
    let numbers = running.put(&[0, 0, 0, 1, 2]);
    let mut read = Vec::new();
    for _ in &numbers {
        read.push(running.settle_next().await);
    }
    let place = |number| read.iter().position(|read| *read == number);
    assert!(place(numbers[3]) < place(numbers[2]) && place(numbers[4]) < place(numbers[2]), "{read:?} {numbers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_reads_what_has_been_put_until_then() {
    let mut running = Running::new(1, None);
    let reader = running.start();
    let before = running.put(&[0, 1, 0]);
    let mut stop = std::pin::pin!(reader.stop());
    // The backlog has one of them, and is full.
    assert!(timeout(PAUSE, &mut stop).await.is_err());
    running.put(&[0, 1, 2]);
    assert_eq!(reader.lag(), 2);
    let mut read = Vec::new();
    for _ in &before {
        read.push(running.settle_next().await);
    }
    read.sort_unstable();
    assert_eq!(read, before);
    timeout(Duration::from_secs(1), stop).await.unwrap();
    assert!(running.buffers.try_recv().is_err());
    assert_eq!(reader.lag(), 0);
}

/// The state of a stream that refuses each write.
async fn refusing() -> (TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = State::open(&folder.path().join("s.redb")).unwrap();
    state.close().await;
    (folder, state)
}

#[tokio::test]
async fn the_end_waits_a_limited_time_for_a_state_that_cannot_be_written() {
    let (_folder, state) = refusing().await;
    let running = Running::new(9, Some(state));
    tokio::time::pause();
    let reader = running.start();
    running.put(&[0, 1]);
    sleep(PAUSE * LAST_ATTEMPTS * 2).await;
    timeout(Duration::from_secs(60), reader.stop()).await.unwrap();
    // They count as lost.
    assert_eq!(reader.lag(), 2);

    let reader = running.start();
    running.put(&[2]);
    running.retention.close();
    timeout(Duration::from_secs(60), running.retention.readers_finished()).await.unwrap();
    assert_eq!(reader.lag(), 1);
}

#[tokio::test]
async fn records_that_expire_before_they_are_read_are_noticed() {
    let mut running = Running::new(9, None);
    let (_is_closed, from) = running.retention.reader(0);
    let mut reading = Reading {
        label: "s: d".to_owned(),
        retention: Arc::clone(&running.retention),
        intake: Arc::clone(&running.intake),
        positions: Positions(Arc::new(Mutex::new((0..SHARDS).map(|shard| (ShardId(shard), from)).collect()))),
        has_missed: false,
    };
    // 1970.
    running.put_at(&[1], 0);
    assert_eq!(reading.next_shard(ShardId(1), u64::MAX), Some(ShardId(1)));
    assert_eq!(reading.read(ShardId(1), u64::MAX).await, Err(PutError::BacklogFull(None)));
    assert!(reading.has_missed && reading.next_shard(ShardId(1), u64::MAX).is_none());
    // Others are read.
    reading.has_missed = false;
    let numbers = running.put(&[1, 2]);
    for shard in [ShardId(2), ShardId(1)] {
        assert_eq!(reading.next_shard(ShardId(1), u64::MAX), Some(shard));
        assert_eq!(reading.read(shard, u64::MAX).await, Ok(()));
    }
    assert_eq!([running.settle_next().await, running.settle_next().await], [numbers[1], numbers[0]]);
    assert!(!reading.has_missed);
}
