//! An embedded DynamoDB: the engine dynoxide with in-memory SQLite, on a loopback port.
//!
//! With a port, the service uses the same code as for AWS.

use std::net::Ipv4Addr;

use aws_sdk_dynamodb::Client;
use dynoxide::{Database, server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client;

/// A running engine. Dropping it stops it, and drops its tables.
#[derive(Debug)]
pub struct Engine {
    url: String,
    _shutdown: oneshot::Sender<()>,
}

impl Engine {
    /// Starts on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let database = Database::memory()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (shutdown, dropped) = oneshot::channel();
        let dropped = async { _ = dropped.await };
        tokio::spawn(server::serve_with_shutdown(listener, database, dropped));
        Ok(Self { url, _shutdown: shutdown })
    }

    /// The engine's endpoint, for `AWS_ENDPOINT_URL_DYNAMODB`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of this engine.
    #[must_use]
    pub fn client(&self) -> Client {
        client::for_endpoint(&self.url)
    }
}
