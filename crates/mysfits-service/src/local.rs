//! The service on this machine: the same router behind a TCP listener, over an embedded DynamoDB or any other.

mod background;
pub mod engine;
pub mod seed;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use thiserror::Error;
use tokio::{net::TcpListener, time};

use self::{background::Background, engine::Engine, seed::SeedError};
use crate::{
    routes::router,
    table::{Table, TableName},
};

/// A mysfits service on this machine, with its table in an embedded DynamoDB-compatible engine.
///
/// It runs on the Tokio runtime that starts it, until it is stopped or dropped.
#[derive(Debug)]
pub struct LocalService {
    address: SocketAddr,
    answered: Arc<AtomicU64>,
    server: Background,
    /// `None` over a table that is somewhere else.
    engine: Option<Engine>,
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
    /// Starts on `listen` (port 0 takes a free one) with a fresh in-memory table holding the twelve mysfits.
    pub async fn start(listen: SocketAddr) -> Result<Self, LocalError> {
        Self::start_with_latency(listen, Duration::ZERO).await
    }

    /// Like [`start`](Self::start), with `latency` added to each answer.
    pub async fn start_with_latency(listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
        let listening = bind(listen).await?;
        let engine = Engine::start().await?;
        let client = engine.client();
        let name = TableName::default();
        seed::create_table(&client, &name).await?;
        Ok(Self { engine: Some(engine), ..Self::serve(listening, Table::new(client, name), latency) })
    }

    /// Starts on `listen` over a table that is somewhere else, with `latency` added to each answer.
    pub async fn start_over(table: Table, listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
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
        Self { address, answered, server, engine: None }
    }

    /// The URL to put before `/mysfits`, such as `http://127.0.0.1:8080`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let mut address = self.address;
        // A service that listens everywhere is reached on loopback too, and no client can connect to "everywhere".
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }

    /// How many HTTP requests have been answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Takes no more requests, answers those that have begun, and ends.
    pub async fn stop(self) {
        // The server first: the last requests still need their table.
        self.server.stop().await;
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
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
