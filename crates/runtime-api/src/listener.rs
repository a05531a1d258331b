//! The socket of one Runtime API, which knows whether this machine accepts connections at all.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::time::sleep;

/// Between two attempts to accept a connection. axum itself waits a second, which is long for a function with 10 s to start.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the last attempt to accept a connection failed. A connection that is accepted late does not clear it: the wait may have taken
/// what the process had of its time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Starvation(Arc<Mutex<Option<io::Error>>>);

impl Starvation {
    /// The cause, once; none where no attempt has failed since [`Self::forget`].
    pub(crate) fn cause(&self) -> Option<io::Error> {
        self.lock().take()
    }

    /// From now on another invocation counts.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    fn note(&self, cause: io::Error) {
        *self.lock() = Some(cause);
    }

    fn lock(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    starvation: Starvation,
}

impl Listener {
    pub(crate) async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, starvation: Starvation::default() })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(crate) fn starvation(&self) -> Starvation {
        self.starvation.clone()
    }
}

impl axum::serve::Listener for Listener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    self.starvation.note(error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Whether the other side is gone before it was accepted.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
