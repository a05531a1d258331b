//! Ends deletions: a deleted stream flushes its records first.

use std::pin::pin;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Control, Status};
use crate::stream::{DeliveryStream, remove_state};
use service_kit::count::records;

/// How long a storage may refuse the objects of a deleted stream until its deletion counts as failed.
const STORAGE_PATIENCE: Duration = Duration::from_secs(60);
const STORAGE_CHECK: Duration = Duration::from_secs(1);

impl Control {
    /// Returns at once.
    pub(super) fn finish_deletion(&self, name: String) {
        let control = self.clone();
        self.spawn_deletion(async move { control.flush_and_remove(&name).await });
    }

    /// The end of a deletion, for which a stop waits.
    pub(super) fn spawn_deletion(&self, end: impl Future<Output = ()> + Send + 'static) {
        let mut deletions = self.deletions();
        while deletions.try_join_next().is_some() {}
        deletions.spawn(end);
    }

    async fn flush_and_remove(&self, name: &str) {
        let Some(stream) = self.0.streams.get(name) else { return };
        self.flush(&stream).await;
        let state = self.0.options.state.as_deref();
        match (stream.unsettled(), state) {
            (0, _) => {}
            (left, Some(folder)) => {
                self.set_status(name, Status::DeletingFailed);
                let folder = folder.display();
                tracing::error!(
                    "{} of the deleted stream {name} not delivered: {folder} has the rest, and the next start continues",
                    records(left)
                );
                return;
            }
            (left, None) => tracing::error!("{} of the deleted stream {name} lost", records(left)),
        }
        let _changing = self.0.changing.lock().await;
        if let Some(Err(error)) = state.map(|folder| remove_state(folder, name)) {
            tracing::error!("could not remove the state of the deleted stream {name}: {error}");
        }
        self.0.streams.remove(name);
        self.forget(name);
        self.save_or_log().await;
    }

    /// Waits for the storage however long that takes. After a time the status says that it refuses.
    async fn flush(&self, stream: &DeliveryStream) {
        let name = stream.name();
        let mut stop = pin!(stream.stop());
        let mut refusing_since: Option<Instant> = None;
        loop {
            tokio::select! {
                _all_are_settled = &mut stop => return,
                () = sleep(STORAGE_CHECK) => {}
            }
            refusing_since = stream.is_storage_refusing().then(|| refusing_since.unwrap_or_else(Instant::now));
            let has_refused = refusing_since.is_some_and(|since| since.elapsed() >= STORAGE_PATIENCE);
            if has_refused && self.status(name) == Some(Status::Deleting) {
                self.set_status(name, Status::DeletingFailed);
                let (left, seconds) = (stream.unsettled() + stream.unread(), STORAGE_PATIENCE.as_secs());
                tracing::error!(
                    "the storage of the deleted stream {name} has refused its objects for {seconds} seconds; {} waiting",
                    records(left)
                );
            }
        }
    }

    /// Waits for changes, flushes all streams however long that takes, and ends deletions. Returns whether all records are settled.
    pub(crate) async fn stop(&self) -> bool {
        drop(self.0.changing.lock().await);
        let streams = self.0.streams.list();
        let flushed = join_all(streams.iter().map(DeliveryStream::stop)).await.into_iter().all(|flushed| flushed);
        let mut deletions = std::mem::take(&mut *self.deletions());
        while deletions.join_next().await.is_some() {}
        flushed
    }

    pub(super) fn deletions(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.deletions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
