//! The Lambda buffers of a stream: one for Direct PUT, and one for each shard of a data stream, so that a shard's records stay in
//! order and no shard waits for another.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::buffer::Buffer;
use super::destination::Item;
use super::invoker::Invoker;
use super::receipt::Accepted;
use super::stats::StreamEvent;
use firehose_model::kinesis::shard::ShardId;

/// Each buffer runs in a task of its own from its first record on.
pub(super) struct ShardBuffers {
    invoker: Arc<Invoker>,
    /// One permit for each concurrent invocation of the function.
    concurrency: Arc<Semaphore>,
    /// Of Direct PUT the shard is `None`.
    buffers: HashMap<Option<ShardId>, mpsc::UnboundedSender<Vec<Accepted>>>,
    tasks: JoinSet<()>,
}

impl ShardBuffers {
    pub(super) fn new(invoker: Invoker) -> Self {
        let concurrency = Arc::new(Semaphore::new(invoker.context.settings.concurrency));
        Self { invoker: Arc::new(invoker), concurrency, buffers: HashMap::new(), tasks: JoinSet::new() }
    }

    /// Runs until the channel is closed and all records are processed.
    pub(super) async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
        while let Some(records) = accepted.recv().await {
            if self.invoker.context.settings.backup_prefix.is_some() {
                self.back_up(&records);
            }
            for (shard, records) in by_shard(records) {
                // A buffer lives until it is dropped here.
                let _panicked = self.buffer(shard).send(records);
            }
        }
        self.buffers.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    /// The source backup gets every record as it was put (Firehose API reference, "S3BackupMode").
    fn back_up(&self, records: &[Accepted]) {
        let copies: Vec<Item> =
            records.iter().map(|Accepted { record, receipt }| Item::backup(record, receipt.duplicate())).collect();
        self.invoker
            .context
            .stats
            .record(StreamEvent::BackedUp { records: copies.len(), bytes: Item::bytes_of(&copies) });
        let _stopped = self.invoker.destination.send(copies);
    }

    fn buffer(&mut self, shard: Option<ShardId>) -> &mpsc::UnboundedSender<Vec<Accepted>> {
        self.buffers.entry(shard).or_insert_with(|| {
            let (sender, records) = mpsc::unbounded_channel();
            let buffer = Buffer::new(shard, Arc::clone(&self.invoker), Arc::clone(&self.concurrency));
            self.tasks.spawn(buffer.run(records));
            sender
        })
    }
}

/// Groups records by their shard, and keeps their order in each.
fn by_shard(records: Vec<Accepted>) -> Vec<(Option<ShardId>, Vec<Accepted>)> {
    let mut shards: Vec<(Option<ShardId>, Vec<Accepted>)> = Vec::new();
    for accepted in records {
        let shard = accepted.record.shard();
        match shards.iter_mut().find(|(known, _)| *known == shard) {
            Some((_, records)) => records.push(accepted),
            None => shards.push((shard, vec![accepted])),
        }
    }
    shards
}
