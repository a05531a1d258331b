//! An HTTP server in a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::connection;
use service_kit::address::local_url;

/// The most open connections of a server. Others wait until one closes, as an idle one does after nine seconds.
///
/// Three servers (edge, Firehose, Kinesis) leave a quarter of 1,024 descriptors, the usual limit of a process on Linux.
pub const MAX_CONNECTIONS: usize = 256;

/// The time of a stop with requests that do not end.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// A running server. Dropped, it stops in the background.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    /// The server and each connection have a receiver.
    stop: watch::Sender<()>,
}

impl HttpServer {
    /// Starts on the Tokio runtime of the caller. The error is of the listener's address.
    pub fn start(listener: TcpListener, app: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        tokio::spawn(serve(listener, app, stopped));
        Ok(Self { address, stop })
    }

    /// Such as `http://127.0.0.1:8000`: loopback for a server that listens everywhere.
    #[must_use]
    pub fn url(&self) -> String {
        local_url(self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more connections, and waits up to five seconds for the requests in flight.
    pub async fn stop(self) {
        self.stop.send_replace(());
        let _late = timeout(GRACE, self.stop.closed()).await;
    }
}

async fn serve(mut listener: TcpListener, app: Router, mut stopped: watch::Receiver<()>) {
    // Once, instead of for each request.
    let app: Router = app.with_state(());
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            // First, so that a client without a place is not connected to a server that does not read. The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            // axum's retries after an error.
            (Listener::accept(&mut listener).await, place)
        };
        let ((stream, _address), place) = tokio::select! {
            accepted = accepted => accepted,
            _stopped = stopped.changed() => return,
        };
        // A response of several packets does not wait for the acknowledgement of the first.
        let _ignored = stream.set_nodelay(true);
        let connection = connection::serve(stream, app.clone(), stopped.clone());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// Requests that are held until they are released, and the most at once.
    #[derive(Clone)]
    struct Held {
        current: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
        released: watch::Receiver<bool>,
    }

    impl Held {
        fn new() -> (watch::Sender<bool>, Self) {
            let (release, released) = watch::channel(false);
            (release, Self { current: Arc::default(), most: Arc::default(), released })
        }

        async fn start(&self) -> HttpServer {
            let held = self.clone();
            let app = Router::new().fallback(move || held.respond());
            HttpServer::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), app).unwrap()
        }

        async fn respond(self) -> &'static str {
            let Self { current, most, mut released } = self;
            most.fetch_max(current.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            released.wait_for(|released| *released).await.unwrap();
            current.fetch_sub(1, Ordering::SeqCst);
            "done"
        }

        async fn until(&self, requests: usize) {
            while self.current.load(Ordering::SeqCst) < requests {
                tokio::task::yield_now().await;
            }
        }
    }

    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    /// All that the server sends after these bytes, until it closes the connection.
    async fn send(address: SocketAddr, bytes: &str) -> String {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(bytes.as_bytes()).await.unwrap();
        let mut received = String::new();
        connection.read_to_string(&mut received).await.unwrap();
        received
    }

    /// The clock jumps while all wait.
    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_whole_head_is_closed() {
        let (_release, held) = Held::new();
        let server = held.start().await;
        for bytes in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\n"] {
            assert_eq!(send(server.address(), bytes).await, "", "{bytes}");
        }
        assert_eq!(held.most.load(Ordering::SeqCst), 0);
        server.stop().await;
    }

    #[tokio::test]
    async fn connections_over_the_limit_wait() {
        let (release, held) = Held::new();
        let server = held.start().await;
        let clients: Vec<_> =
            (0..MAX_CONNECTIONS + 50).map(|_| tokio::spawn(send(server.address(), REQUEST))).collect();
        held.until(MAX_CONNECTIONS).await;
        release.send(true).unwrap();
        for client in clients {
            assert!(client.await.unwrap().ends_with("\r\n\r\ndone"));
        }
        assert_eq!(held.most.load(Ordering::SeqCst), MAX_CONNECTIONS);
        server.stop().await;
    }

    #[tokio::test]
    async fn a_stop_waits_for_requests_in_flight() {
        let (release, held) = Held::new();
        let server = held.start().await;
        let address = server.address();
        let client = tokio::spawn(send(address, REQUEST));
        held.until(1).await;
        let stopped = tokio::spawn(server.stop());
        // No other connection is accepted.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        release.send(true).unwrap();
        assert!(client.await.unwrap().ends_with("\r\n\r\ndone"));
        stopped.await.unwrap();
    }
}
