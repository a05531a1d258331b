//! Reads a data stream for a delivery stream, from its creation on.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::intake::Intake;
use super::retention::{ReadLimits, Retention, ShardRecords, Tip};
use firehose_model::batch::MB;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::{ShardId, Shards};

/// The most of a shard that is read at once, so that no shard waits long for another.
const LIMITS: ReadLimits = ReadLimits { records: 500, bytes: 4 * MB };
/// The wait for a full backlog, or for a state that can be written.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Reader {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Reader {
    /// Each record that is put from now on is read, in the order of its shard.
    pub(super) fn start(retention: Arc<Retention>, shards: Shards, intake: Arc<Intake>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tip, from) = retention.reader(intake.next());
        let positions = shards.iter().map(|shard| (shard, from)).collect();
        let reading = Reading { retention, intake, positions };
        Self { stop, task: tokio::spawn(reading.run(tip, stopped)) }
    }

    /// Reads what has been put until now, and ends.
    pub(super) async fn stop(self) {
        let Self { stop, task } = self;
        let _finished = stop.send(());
        // A task that panicked has logged it.
        let _panicked = task.await;
    }
}

struct Reading {
    retention: Arc<Retention>,
    intake: Arc<Intake>,
    positions: Vec<(ShardId, u64)>,
}

impl Reading {
    async fn run(mut self, mut tip: watch::Receiver<Tip>, mut stopped: oneshot::Receiver<()>) {
        let mut is_stopping = false;
        loop {
            let is_last = tip.borrow_and_update().is_closed || is_stopping;
            if !self.read_all().await || is_last {
                return;
            }
            tokio::select! {
                changed = tip.changed() => if changed.is_err() {
                    return;
                },
                // Also when the delivery stream is dropped.
                _ = &mut stopped, if !is_stopping => is_stopping = true,
            }
        }
    }

    /// Reads until there are no more records. Returns false if the delivery stream accepts none.
    async fn read_all(&mut self) -> bool {
        loop {
            let mut is_end = true;
            for (shard, from) in &mut self.positions {
                let now_ms = Timestamp::now().as_millisecond();
                let ShardRecords { records, next, .. } = self.retention.read(*shard, *from, LIMITS, now_ms);
                if records.is_empty() {
                    continue;
                }
                is_end = false;
                let numbers: Vec<u64> = records.iter().map(|(number, _)| *number).collect();
                let records = records.into_iter().map(|(number, record)| {
                    let (partition_key, data) = (record.partition_key.clone(), record.data.clone());
                    (number, Record::from_shard(*shard, number, partition_key, record.arrival_ms, data))
                });
                match self.intake.accept_read(records.collect()).await {
                    // The first that is not accepted is read again.
                    Ok(accepted) => *from = numbers.get(accepted).copied().unwrap_or(next),
                    Err(_) => return false,
                }
                if *from != next {
                    sleep(PAUSE).await;
                }
            }
            if is_end {
                return true;
            }
        }
    }
}
