//! An HTTP server in a task of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const GRACE: Duration = Duration::from_secs(5);

pub(crate) struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, app: Router) -> io::Result<Self> {
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

    /// Such as `http://127.0.0.1:8000`: loopback for a server that listens everywhere.
    pub(crate) fn url(&self) -> String {
        let ip = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn stop(mut self) {
        drop(self.stop);
        if timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
