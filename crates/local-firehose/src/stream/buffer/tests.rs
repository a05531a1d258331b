use std::path::Path;
use std::time::Duration;

use super::*;
use crate::stream::backlog::Context;
use crate::stream::intake::{IncomingRecord, Intake};
use crate::stream::notices::Notices;
use crate::stream::recent_records::RecordMemory;
use crate::stream::settings::StreamSettings;
use firehose_model::event::encode;

/// Buffers without a function: each event is forwarded as a list of its records.
struct Running {
    context: Arc<Context>,
    intake: Intake,
}

impl Running {
    fn start(change: impl FnOnce(&mut StreamSettings)) -> (Self, mpsc::UnboundedReceiver<Vec<Item>>) {
        let mut settings = StreamSettings::untransformed("s", Path::new("nowhere"));
        change(&mut settings);
        let context = Arc::new(Context::new(settings, None, &[], Notices::default(), RecordMemory::default().share()));
        let (destination, events) = mpsc::unbounded_channel();
        let invoker = Invoker { context: Arc::clone(&context), pool: None, destination };
        let (to_buffers, accepted) = mpsc::unbounded_channel();
        tokio::spawn(ShardBuffers::new(invoker).run(accepted));
        let intake = Intake::new(Arc::clone(&context), Vec::new(), None, to_buffers);
        (Self { context, intake }, events)
    }

    /// Accepts records of these sizes, together.
    async fn put(&self, sizes: &[usize]) {
        let entries = sizes.iter().map(|size| Ok(IncomingRecord { data: encode(&vec![b'x'; *size]), shard: None }));
        assert!(self.intake.put(entries, |_| ()).await.iter().all(Result::is_ok));
    }
}

/// Puts records at these seconds, and stops at another. Returns the second and the number of records of each event.
async fn invoked(limits: Limits, seconds: u64, puts: &[(u64, &[usize])], stop: u64) -> Vec<(u64, usize)> {
    let start = Instant::now();
    let (running, mut events) = Running::start(|settings| {
        settings.buffer.bytes = limits.bytes;
        settings.buffer_records = limits.records;
        settings.buffer.interval = Duration::from_secs(seconds);
    });
    let seen = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(items) = events.recv().await {
            seen.push((start.elapsed().as_secs(), items.len()));
        }
        seen
    });
    for (second, sizes) in puts {
        sleep_until(start + Duration::from_secs(*second)).await;
        running.put(sizes).await;
    }
    sleep_until(start + Duration::from_secs(stop)).await;
    drop(running);
    seen.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_event_is_invoked_by_size_by_count_and_by_time() {
    const LONG: u64 = 9999;
    let limits = |bytes, records| Limits { bytes, records };
    for (limits, seconds, puts, stop, expected) in [
        // By time, from the first record on.
        (limits(10, 9), 60, &[(0, &[1][..]), (59, &[1])][..], LONG, &[(60, 2)][..]),
        (limits(10, 9), 60, &[(5, &[1]), (66, &[1]), (70, &[1])], LONG, &[(65, 1), (126, 2)]),
        // By size: as soon as it is reached, or when one comes that does not fit, which waits for its own time.
        (limits(10, 9), 60, &[(3, &[5, 5]), (10, &[1])], LONG, &[(3, 2), (70, 1)]),
        (limits(10, 9), 60, &[(0, &[5, 4]), (10, &[2])], LONG, &[(10, 2), (70, 1)]),
        (limits(10, 9), 60, &[(0, &[50]), (1, &[50])], LONG, &[(0, 1), (1, 1)]),
        // By count.
        (limits(99, 2), 60, &[(0, &[1, 1, 1]), (7, &[1, 1])], LONG, &[(0, 2), (7, 2), (67, 1)]),
        (limits(99, 1), 60, &[(2, &[1, 1])], LONG, &[(2, 1), (2, 1)]),
        // Without a time, what comes together goes together.
        (limits(99, 9), 0, &[(0, &[1, 1]), (5, &[1]), (5, &[0])], LONG, &[(0, 2), (5, 2)]),
        // At the end, at once.
        (limits(99, 9), 900, &[(0, &[1, 1]), (5, &[1])], 8, &[(8, 3)]),
        (limits(99, 9), 900, &[], 8, &[]),
    ] {
        assert_eq!(invoked(limits, seconds, puts, stop).await, expected, "{limits:?} {seconds} {puts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_has_what_waits_and_until_when() {
    let (running, mut events) = Running::start(|settings| settings.buffer.interval = Duration::from_secs(60));
    let buffered = || serde_json::to_value(running.context.stats.snapshot()).unwrap()["buffered"].clone();
    let expected = |records: u64, bytes: u64, flush_in_ms: Option<u64>| serde_json::json!({ "records": records, "bytes": bytes, "flush_in_ms": flush_in_ms });
    assert_eq!(buffered(), expected(0, 0, None));
    running.put(&[3, 4]).await;
    // The buffer has not run yet.
    assert_eq!(buffered(), expected(2, 7, Some(60_000)));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(buffered(), expected(2, 7, Some(40_000)));
    running.put(&[5]).await;
    assert_eq!(buffered(), expected(3, 12, Some(40_000)));
    events.recv().await.unwrap();
    assert_eq!(buffered(), expected(0, 0, None));
}

#[tokio::test(start_paused = true)]
async fn the_source_backup_does_not_wait() {
    let (running, mut events) = Running::start(|settings| {
        settings.buffer.interval = Duration::from_secs(60);
        settings.backup_prefix = Some(settings.prefix.clone());
    });
    let start = Instant::now();
    running.put(&[1, 2, 3]).await;
    for second in [0, 60] {
        let items = events.recv().await.unwrap();
        assert_eq!((items.len(), start.elapsed().as_secs()), (3, second));
    }
}
