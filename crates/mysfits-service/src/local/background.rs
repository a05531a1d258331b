//! A server in a background task, until it is stopped or dropped.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time;

/// How long requests in flight may delay the stop.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct BackgroundServer {
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Signals the shutdown to a server.
pub(super) struct Shutdown(oneshot::Receiver<()>);

impl BackgroundServer {
    /// Starts a server that runs until the shutdown is requested.
    pub(super) fn spawn<F>(serve: impl FnOnce(Shutdown) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (shutdown, requested) = oneshot::channel();
        let task = tokio::spawn(serve(Shutdown(requested)));
        Self { shutdown, task }
    }

    /// Completes requests in flight, and stops the server.
    pub(super) async fn stop(mut self) {
        drop(self.shutdown);
        if time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Shutdown {
    pub(super) async fn requested(self) {
        // Nothing is sent: dropping the sender requests the shutdown.
        let _ = self.0.await;
    }
}
