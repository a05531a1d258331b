//! An HTTP server in a task of its own, until it is stopped.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a request that has begun may hold up the end.
const GRACE: Duration = Duration::from_secs(5);

/// A running server.
pub(super) struct Server {
    address: SocketAddr,
    end: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Serves on a socket that listens already.
    pub(super) fn start(listener: TcpListener, app: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (end, ended) = oneshot::channel();
        let until = async {
            // Nothing is ever sent: the sender is dropped.
            let _dropped = ended.await;
        };
        // An answer of several packets does not wait for the first one's acknowledgement.
        let listener = listener.tap_io(|connection| {
            let _ignored = connection.set_nodelay(true);
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(until).await });
        Ok(Self { address, end, task })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, answers those that have begun, and ends.
    pub(super) async fn stop(mut self) {
        drop(self.end);
        if timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
