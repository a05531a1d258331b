//! The buffers of a stream: one for Direct PUT, and one for each shard of a data stream, so that a shard's records stay
//! together and in order, and one shard does not wait for another.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::buffer::Buffer;
use super::receipt::Accepted;
use super::settings::StreamSettings;
use super::transform::Transform;
use super::watched::Watched;
use firehose_model::kinesis::shard::Shard;

/// Which buffer a record goes into: that of its shard, where it is of one.
pub(super) type Lane = Option<Shard>;

/// The buffers, each in a task of its own from its first record on.
pub(super) struct Lanes {
    settings: StreamSettings,
    transform: Arc<Transform>,
    /// For as many events at once as the function may have.
    free: Arc<Semaphore>,
    watched: Arc<Watched>,
    buffers: HashMap<Lane, mpsc::UnboundedSender<Vec<Accepted>>>,
    running: JoinSet<()>,
}

impl Lanes {
    /// No buffers yet.
    pub(super) fn new(settings: &StreamSettings, transform: Transform, watched: Arc<Watched>) -> Self {
        Self {
            settings: settings.clone(),
            transform: Arc::new(transform),
            free: Arc::new(Semaphore::new(settings.concurrency)),
            watched,
            buffers: HashMap::new(),
            running: JoinSet::new(),
        }
    }

    /// Until nothing comes any more, and all that came is through.
    pub(super) async fn run(mut self, mut accepted: mpsc::UnboundedReceiver<Vec<Accepted>>) {
        while let Some(records) = accepted.recv().await {
            for (lane, records) in by_lane(records) {
                // A buffer lives until it is dropped here.
                let _panicked = self.buffer(lane).send(records);
            }
        }
        self.buffers.clear();
        while self.running.join_next().await.is_some() {}
    }

    fn buffer(&mut self, lane: Lane) -> &mpsc::UnboundedSender<Vec<Accepted>> {
        self.buffers.entry(lane).or_insert_with(|| {
            let (sender, records) = mpsc::unbounded_channel();
            let (transform, free, watched) =
                (Arc::clone(&self.transform), Arc::clone(&self.free), Arc::clone(&self.watched));
            self.running.spawn(Buffer::new(&self.settings, lane, transform, free, watched).run(records));
            sender
        })
    }
}

/// Records that came together, by lane, each lane's in their order.
fn by_lane(records: Vec<Accepted>) -> Vec<(Lane, Vec<Accepted>)> {
    let mut lanes: Vec<(Lane, Vec<Accepted>)> = Vec::new();
    for accepted in records {
        let lane = accepted.record.shard();
        match lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, records)) => records.push(accepted),
            None => lanes.push((lane, vec![accepted])),
        }
    }
    lanes
}
