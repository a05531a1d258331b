//! The service as a local server, with an embedded DynamoDB or any other.

pub mod engine;
pub mod seed;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::middleware;
use axum::response::Response;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time;

use self::engine::Engine;
use crate::routes::router;
use crate::table::{Table, TableName};
use service_kit::address::local_url;

const GRACE: Duration = Duration::from_secs(5);

/// A local mysfits service. It runs on the Tokio runtime that starts it, until it is stopped or dropped.
#[derive(Debug)]
pub struct LocalService {
    address: SocketAddr,
    response_count: Arc<AtomicU64>,
    /// Dropping it requests the shutdown.
    shutdown: oneshot::Sender<()>,
    /// Never an error: axum retries to accept connections.
    task: JoinHandle<io::Result<()>>,
    /// `None` with another DynamoDB. Declared after the server, so that it outlives the last requests.
    _engine: Option<Engine>,
}

/// Why the local service can't start.
#[derive(Debug, Error)]
pub enum LocalError {
    /// The address is in use, or not local.
    #[error("can't listen on {address}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The embedded DynamoDB can't start, or the table can't be created.
    #[error(transparent)]
    Database(#[from] anyhow::Error),
}

impl LocalService {
    /// Starts on `listen` (port 0 selects a free port) with a new in-memory table of the twelve mysfits. Delays each response by `latency`.
    pub async fn start_with_latency(listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
        let engine = Engine::start().await.context("can't start the embedded DynamoDB")?;
        let (client, name) = (engine.client(), TableName::default());
        seed::create_table(&client, &name).await?;
        let service = Self::over(Table::new(client, name), listen, latency).await?;
        Ok(Self { _engine: Some(engine), ..service })
    }

    /// Starts on `listen` with an existing table. Delays each response by `latency`.
    pub async fn over(table: Table, listen: SocketAddr, latency: Duration) -> Result<Self, LocalError> {
        let failed = |source| LocalError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let response_count = Arc::<AtomicU64>::default();
        let counter = Arc::clone(&response_count);
        let app = router(table).layer(middleware::map_response(move |response: Response| {
            let counter = Arc::clone(&counter);
            async move {
                time::sleep(latency).await;
                counter.fetch_add(1, Ordering::Relaxed);
                response
            }
        }));
        let (shutdown, requested) = oneshot::channel();
        // Nothing is sent: the sender is dropped.
        let requested = async { _ = requested.await };
        let task = tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(requested).into_future());
        Ok(Self { address, response_count, shutdown, task, _engine: None })
    }

    /// The base URL for local clients, such as `http://127.0.0.1:8080`: loopback for an unspecified address.
    #[must_use]
    pub fn base_url(&self) -> String {
        local_url(self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many HTTP requests were served.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.response_count.load(Ordering::Relaxed)
    }

    /// Stops accepting requests, completes those in flight, and stops the server.
    pub async fn stop(mut self) {
        drop(self.shutdown);
        if time::timeout(GRACE, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}
