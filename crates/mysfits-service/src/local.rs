//! The service on this machine: the same router behind a TCP listener, over an embedded DynamoDB or any other.

mod background;
pub mod engine;
pub mod seed;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time;

use self::background::Background;
use self::engine::Engine;
use self::seed::SeedError;
use crate::routes::router;
use crate::table::{Table, TableName};

/// A mysfits service on this machine, with its table in an embedded DynamoDB-compatible engine.
///
/// It runs on the Tokio runtime that starts it, until it is stopped or dropped.
#[derive(Debug)]
pub struct LocalService {
    address: SocketAddr,
    answered: Arc<AtomicU64>,
    server: Background,
    /// `None` over a table that is somewhere else. After the server, so that it outlives the last requests.
    _engine: Option<Engine>,
}

/// Why there is no local service.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The address is taken, or not of this machine.
    #[error("can't listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The embedded engine does not start.
    #[error("the embedded DynamoDB does not start: {0}")]
    Engine(String),
    /// The table is not to be made.
    #[error(transparent)]
    Seed(#[from] SeedError),
}

impl LocalService {
    /// Starts on `listen` (port 0 takes a free one) with a fresh in-memory table holding the twelve mysfits, and with
    /// `latency` added to each answer.
    pub async fn start_with_latency(listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
        let listening = bind(listen).await?;
        let engine = Engine::start().await?;
        let client = engine.client();
        let name = TableName::default();
        seed::create_table(&client, &name).await?;
        Ok(Self { _engine: Some(engine), ..Self::serve(listening, Table::new(client, name), latency) })
    }

    /// Starts on `listen` over a table that is somewhere else, with `latency` added to each answer.
    pub async fn over(table: Table, listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
        Ok(Self::serve(bind(listen).await?, table, latency))
    }

    fn serve((listener, address): (TcpListener, SocketAddr), table: Table, latency: Duration) -> Self {
        let traffic = Traffic { latency, answered: Arc::default() };
        let answered = Arc::clone(&traffic.answered);
        let app = router(table).layer(middleware::from_fn_with_state(traffic, Traffic::pass));
        let server = Background::spawn(|end| async {
            // Never an error: axum waits and accepts again when accepting fails.
            let _ = axum::serve(listener, app).with_graceful_shutdown(end.reached()).await;
        });
        Self { address, answered, server, _engine: None }
    }

    /// The URL to put before `/mysfits`, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", reachable(self.address))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many HTTP requests have been answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Takes no more requests, answers those that have begun, and ends.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Where a server that listens on `address` is reached from this machine: one that listens everywhere is on loopback, too, and
/// no client can connect to "everywhere".
#[must_use]
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Listens on `address`, and tells which port that is when `address` left it open.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), LocalError> {
    let failed = |source| LocalError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What happens to every request of a local service, whatever it asks for.
#[derive(Debug, Clone)]
struct Traffic {
    latency: Duration,
    answered: Arc<AtomicU64>,
}

impl Traffic {
    async fn pass(State(traffic): State<Self>, request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        if !traffic.latency.is_zero() {
            time::sleep(traffic.latency).await;
        }
        traffic.answered.fetch_add(1, Ordering::Relaxed);
        response
    }
}
