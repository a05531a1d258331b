//! An HTTP server in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a stop waits for requests in flight.
const GRACE: Duration = Duration::from_secs(5);

pub(super) struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(super) fn start(listener: TcpListener, app: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let until = async {
            // Nothing is sent: the sender is dropped.
            let _dropped = stopped.await;
        };
        // A response of several packets does not wait for the acknowledgement of the first.
        let listener = listener.tap_io(|connection| {
            let _ignored = connection.set_nodelay(true);
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(until).await });
        Ok(Self { address, stop, task })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more requests, and waits for those in flight.
    pub(super) async fn stop(mut self) {
        drop(self.stop);
        if timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
