//! A server in a task of its own, until it is stopped or dropped.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time;

/// How long a request that has begun may hold up the end.
const GRACE: Duration = Duration::from_secs(5);

/// A running server.
#[derive(Debug)]
pub(super) struct Background {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// When a server has to end.
pub(super) struct End(oneshot::Receiver<()>);

impl Background {
    /// Starts what `serve` makes; it has to run until the end that it is given.
    pub(super) fn spawn<F>(serve: impl FnOnce(End) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (end, reached) = oneshot::channel();
        let task = tokio::spawn(serve(End(reached)));
        Self { end, task }
    }

    /// Lets the requests that have begun be answered, and ends the server.
    pub(super) async fn stop(mut self) {
        drop(self.end);
        if time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl End {
    /// Waits for the end.
    pub(super) async fn reached(self) {
        // Nothing is ever sent: the sender is dropped, with its server or before.
        let _ = self.0.await;
    }
}
