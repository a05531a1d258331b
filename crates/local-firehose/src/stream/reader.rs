//! Reads a data stream for a delivery stream, from its creation on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::sleep;

use super::intake::{Intake, PutError};
use super::retention::{ReadLimits, Retention, ShardRecords};
use firehose_model::batch::MB;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::{ShardId, Shards};
use service_kit::count::records;

/// The most of a shard that is read at once, so that no shard waits long for another.
const LIMITS: ReadLimits = ReadLimits { records: 500, bytes: 4 * MB };
/// The wait for a full backlog, or for a state that can be written.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a state that cannot be written is tried at the end.
const LAST_ATTEMPTS: u32 = 30;

#[derive(Debug)]
pub(super) struct Reader {
    retention: Weak<Retention>,
    positions: Positions,
    /// The number of the first record that is not read.
    end: watch::Sender<u64>,
}

impl Reader {
    /// Each record that is put from now on is read, in the order of its shard. `label` names the two streams.
    pub(super) fn start(label: String, retention: Arc<Retention>, shards: Shards, intake: Arc<Intake>) -> Self {
        let (closed, from) = retention.reader(intake.next());
        let (end, until) = watch::channel(u64::MAX);
        let positions = Positions(Arc::new(Mutex::new(shards.iter().map(|shard| (shard, from)).collect())));
        let reader = Self { retention: Arc::downgrade(&retention), positions: positions.clone(), end };
        tokio::spawn(Reading { label, retention, intake, positions, has_missed: false }.run(closed, until));
        reader
    }

    pub(super) fn lag(&self) -> u64 {
        let end = *self.end.borrow();
        self.retention.upgrade().map_or(0, |retention| retention.lag(&self.positions.lock(), end))
    }

    /// Reads what has been put until now, and ends.
    pub(super) async fn stop(&self) {
        if let Some(retention) = self.retention.upgrade() {
            let next = retention.next();
            self.end.send_modify(|end| *end = next.min(*end));
        }
        // The task has the receiver. One that panicked has logged it.
        self.end.closed().await;
    }
}

/// The next number of each shard.
#[derive(Debug, Clone)]
struct Positions(Arc<Mutex<BTreeMap<ShardId, u64>>>);

impl Positions {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reading {
    label: String,
    retention: Arc<Retention>,
    intake: Arc<Intake>,
    positions: Positions,
    /// Reported once, until all records are read.
    has_missed: bool,
}

impl Reading {
    async fn run(mut self, mut closed: watch::Receiver<bool>, mut until: watch::Receiver<u64>) {
        let (mut shard, mut attempts) = (ShardId(0), 0);
        loop {
            let (is_closed, end) = (*closed.borrow_and_update(), *until.borrow_and_update());
            let is_last = is_closed || end < u64::MAX;
            let Some(next) = self.next_shard(shard, end) else {
                if is_last {
                    return;
                }
                self.has_missed = false;
                let changed = tokio::select! {
                    changed = closed.changed() => changed,
                    // An error if the delivery stream is dropped.
                    changed = until.changed() => changed,
                };
                if changed.is_err() {
                    return;
                }
                continue;
            };
            match self.read(next, end).await {
                Ok(()) => (shard, attempts) = (next, 0),
                Err(PutError::Unavailable) if is_last && attempts == LAST_ATTEMPTS => {
                    let (label, left) = (&self.label, self.retention.lag(&self.positions.lock(), end));
                    return tracing::error!("{label}: {} lost: `--state` cannot be written", records(left));
                }
                Err(error) => {
                    attempts += u32::from(is_last && error == PutError::Unavailable);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn next_shard(&self, after: ShardId, end: u64) -> Option<ShardId> {
        self.retention.unread(&self.positions.lock(), after, end)
    }

    /// An error if no record is accepted.
    async fn read(&mut self, shard: ShardId, end: u64) -> Result<(), PutError> {
        let from = self.positions.lock().get(&shard).copied().unwrap_or_default();
        let now_ms = Timestamp::now().as_millisecond();
        let ShardRecords { mut records, start, .. } = self.retention.read(shard, from, LIMITS, now_ms);
        if start > from {
            self.positions.lock().insert(shard, start);
            if !std::mem::replace(&mut self.has_missed, true) {
                tracing::error!("{}: records are lost: they expired before they were read", self.label);
            }
        }
        records.retain(|(number, _)| *number < end);
        let records = records.into_iter().map(move |(number, record)| {
            let (partition_key, data) = (record.partition_key.clone(), record.data.clone());
            (number, Record::from_shard(shard, number, partition_key, record.arrival_ms, data))
        });
        let last = self.intake.accept_read(records).await?;
        self.positions.lock().insert(shard, last + 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
