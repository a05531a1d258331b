use std::path::Path;

use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::stream::notices::Notices;
use crate::stream::receipt::RECORD_BYTES;
use crate::stream::recent_records::RecordMemory;
use crate::stream::settings::StreamSettings;
use crate::stream::state::{Recovered, State};

const HOUR: u64 = 3_600_000_000;

/// An intake, and what it forwards.
struct Running {
    intake: Intake,
    context: Arc<Context>,
    buffers: UnboundedReceiver<Vec<Accepted>>,
}

impl Running {
    fn start(max_bytes: usize, file: Option<State>, last: Option<u64>) -> Self {
        let settings =
            StreamSettings { backlog_bytes: max_bytes, ..StreamSettings::untransformed("s", Path::new("nowhere")) };
        let context = Arc::new(Context::new(settings, file, &[], Notices::default(), RecordMemory::default().share()));
        let (sender, buffers) = mpsc::unbounded_channel();
        let intake = Intake::new(Arc::clone(&context), Vec::new(), last, sender);
        Self { intake, context, buffers }
    }

    fn with_state(folder: &TempDir) -> Self {
        let (state, Recovered { last, .. }) = open(folder.path());
        Self::start(usize::MAX, Some(state), last)
    }

    async fn put(&self, entries: Vec<IncomingRecord>) -> Vec<Result<String, PutError>> {
        self.intake.put(entries.into_iter().map(Ok), |record| record.data.clone()).await
    }

    /// The numbers of the next forwarded records.
    async fn numbers(&mut self) -> Vec<u64> {
        self.buffers.recv().await.unwrap().iter().map(|accepted| accepted.receipt.sequence()).collect()
    }
}

fn open(folder: &Path) -> (State, Recovered) {
    State::open(&folder.join("s.redb")).unwrap()
}

fn entry(data: &str) -> IncomingRecord {
    IncomingRecord { data: data.to_owned(), shard: None }
}

fn of_shard(shard: u32, data: &str) -> IncomingRecord {
    IncomingRecord { data: data.to_owned(), shard: Some((ShardId(shard), "key".to_owned())) }
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_microsecond()).unwrap()
}

#[tokio::test]
async fn numbers_follow_the_clock_and_those_of_earlier_runs() {
    let now = now();
    for (last, least) in [(None, now), (Some(7), now), (Some(now + HOUR), now + HOUR + 1)] {
        let mut running = Running::start(usize::MAX, None, last);
        running.put(vec![entry("a"), of_shard(1, "b")]).await;
        running.put(vec![entry("c")]).await;
        let numbers = [running.numbers().await, running.numbers().await].concat();
        assert!(numbers[0] >= least && numbers[0] < least + HOUR, "{numbers:?} after {last:?}");
        assert_eq!(numbers, [numbers[0], numbers[0] + 1, numbers[0] + 2]);
    }
}

/// As with a clock that is set back between two runs.
#[tokio::test]
async fn numbers_follow_those_that_are_settled() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = now() + HOUR;
    let (state, left) = open(folder.path());
    assert_eq!(left, Recovered::default());
    // The greatest counts, also if it is written first.
    for sequence in [last, last - 1] {
        let record = Record::from_shard(ShardId(1), sequence, "key".to_owned(), 0, "YQo=".to_owned());
        let (written, done) = oneshot::channel();
        state.keep(vec![Accepted::new(sequence, record)], move |_, kept| written.send(kept).unwrap());
        assert!(done.await.unwrap());
        state.settle(vec![sequence]);
    }
    state.close().await;
    for _run in 0..3 {
        let mut running = Running::with_state(&folder);
        running.put(vec![of_shard(1, "YQo=")]).await;
        last += 1;
        let records = running.buffers.recv().await.unwrap();
        assert_eq!(records[0].receipt.sequence(), last);
        running.context.backlog.settle(records.into_iter().map(|accepted| accepted.receipt).collect());
        running.context.backlog.close().await;
    }
}

#[tokio::test]
async fn records_are_forwarded_in_the_order_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::with_state(&folder);
    // The earlier the call, the more there is to write.
    let call = |call: usize| running.intake.put([Ok(entry(&"a".repeat(call * 50_000)))], |_| ());
    let calls: Vec<_> = (0..20).rev().map(call).collect();
    assert!(futures_util::future::join_all(calls).await.into_iter().all(|results| results == [Ok(())]));
    let mut numbers = Vec::new();
    for _call in 0..20 {
        numbers.extend(running.numbers().await);
    }
    assert!(numbers.len() == 20 && numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test]
async fn accepted_records_are_forwarded_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    for mut running in [Running::start(usize::MAX, None, None), Running::with_state(&folder)] {
        let results = running.put(vec![entry("YQo="), entry("Yg==")]).await;
        assert_eq!(results, ["YQo=", "Yg=="].map(|data| Ok(data.to_owned())));
        assert_eq!(running.numbers().await.len(), 2);
        let snapshot = running.context.stats.snapshot();
        assert_eq!((snapshot.accepted, running.context.backlog.unsettled()), (2, 2));
        running.context.backlog.close().await;
    }
}

#[tokio::test]
async fn each_entry_has_its_own_result() {
    let mut running = Running::start(RECORD_BYTES + 4, None, None);
    let throttled = PutError::Throttled(ShardId(7));
    let entries = [Err(throttled), Ok(of_shard(1, &"a".repeat(9))), Ok(entry("YQo=")), Ok(entry("YQo="))];
    let results = running.intake.put(entries, |record| record.data.clone()).await;
    let full = |shard| Err(PutError::BacklogFull(shard));
    assert_eq!(results, [Err(throttled), full(Some(ShardId(1))), Ok("YQo=".to_owned()), full(None)]);
    assert_eq!(running.numbers().await.len(), 1);
}

fn refused(running: &Running) -> Vec<(RefusalReason, u64)> {
    let snapshot = running.context.stats.snapshot();
    assert_eq!(snapshot.refused, snapshot.refused_by_reason.total());
    snapshot.refused_by_reason.iter().collect()
}

#[tokio::test]
async fn each_refused_record_is_counted_once_by_its_reason() {
    // Two records of one byte fit.
    let running = Running::start(2 * (4 + RECORD_BYTES), None, None);
    assert_eq!(refused(&running), []);
    let results = running.put((0..500).map(|_| entry("YQo=")).collect()).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
    assert_eq!(refused(&running), [(RefusalReason::Backlog, 498)]);
    let throttled = [Err(PutError::Throttled(ShardId(7))), Ok(entry("YQo=")), Err(PutError::Throttled(ShardId(7)))];
    // Counted also if the client disconnects.
    drop(running.intake.put(throttled, |_| ()));
    assert_eq!(refused(&running), [(RefusalReason::Backlog, 499), (RefusalReason::Rate, 2)]);
    running.intake.close();
    running.put(vec![entry("YQo="), entry("YQo=")]).await;
    let expected = [(RefusalReason::Backlog, 499), (RefusalReason::Rate, 2), (RefusalReason::Unavailable, 2)];
    assert_eq!((refused(&running), running.context.stats.snapshot().accepted), (expected.to_vec(), 2));
}

/// One that is not written is refused; one that is read again is not.
#[tokio::test]
async fn records_that_cannot_be_written_are_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = open(folder.path());
    let running = Running::start(2 * (4 + RECORD_BYTES), Some(state), None);
    running.context.backlog.close().await;
    running.put(vec![entry("YQo="), entry("YQo="), entry("YQo=")]).await;
    let expected = [(RefusalReason::Backlog, 1), (RefusalReason::Unavailable, 2)];
    assert_eq!(refused(&running), expected);
    let read = (7, Record::from_shard(ShardId(1), 7, String::new(), 5, "YQo=".to_owned()));
    assert_eq!(running.intake.accept_read([read]).await, Err(PutError::Unavailable));
    assert_eq!(refused(&running), expected);
}

#[tokio::test]
async fn records_that_cannot_be_written_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (state, _) = open(folder.path());
    let mut running = Running::start(2 * (4 + RECORD_BYTES), Some(state), None);
    // A closed state writes nothing.
    running.context.backlog.close().await;
    for _attempt in 0..3 {
        let results = running.put(vec![entry("YQo="), entry("YQo=")]).await;
        assert_eq!(results, [Err(PutError::Unavailable), Err(PutError::Unavailable)]);
        assert!(running.buffers.try_recv().is_err());
        assert_eq!((running.context.stats.snapshot().accepted, running.context.backlog.unsettled()), (0, 0));
    }
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::with_state(&folder);
    drop(running.intake.put([Ok(entry("YQo="))], |_| ()));
    assert_eq!(running.numbers().await.len(), 1);
}

#[tokio::test]
async fn a_closed_intake_accepts_nothing_and_forwards_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    for mut running in [Running::start(usize::MAX, None, None), Running::with_state(&folder)] {
        drop(running.intake.put([Ok(entry("YQo="))], |_| ()));
        running.intake.close();
        assert_eq!(running.put(vec![entry("YQo=")]).await, [Err(PutError::Unavailable)]);
        assert_eq!(running.numbers().await.len(), 1);
        // All senders are dropped.
        assert!(running.buffers.recv().await.is_none());
        assert_eq!(running.context.backlog.unsettled(), 1);
    }
}

#[tokio::test]
async fn records_of_a_data_stream_keep_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let read = |number| (number, Record::from_shard(ShardId(1), number, "key".to_owned(), 5, "YQo=".to_owned()));
    for mut running in [Running::start(2 * (7 + RECORD_BYTES), None, None), Running::with_state(&folder)] {
        assert_eq!(running.intake.accept_read(vec![read(7), read(9)]).await, Ok(9));
        let records = running.buffers.recv().await.unwrap();
        let numbers: Vec<u64> = records.iter().map(|accepted| accepted.receipt.sequence()).collect();
        assert_eq!((numbers, records[0].record.clone()), (vec![7, 9], read(7).1));
        assert_eq!(running.intake.accept_read(Vec::new()).await, Err(PutError::BacklogFull(None)));
        assert_eq!(running.context.stats.snapshot().accepted, 2);
        running.intake.close();
        assert_eq!(running.intake.accept_read(vec![read(10)]).await, Err(PutError::Unavailable));
    }
    // One fits into the backlog.
    let mut running = Running::start(7 + RECORD_BYTES, None, None);
    for (kept, left) in [(Ok(7), 1), (Err(PutError::BacklogFull(None)), 1)] {
        assert_eq!(running.intake.accept_read(vec![read(7), read(8)]).await, kept);
        assert_eq!(running.context.backlog.unsettled(), left);
    }
    assert_eq!(running.numbers().await, [7]);
}
