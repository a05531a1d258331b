//! An embedded DynamoDB: the engine dynoxide with in-memory SQLite, on a loopback port.
//!
//! With a port, the service uses the same code as for AWS.

use std::io;
use std::net::Ipv4Addr;

use aws_sdk_dynamodb::Client;
use dynoxide::{Database, server};
use thiserror::Error;
use tokio::net::TcpListener;

use super::background::BackgroundServer;
use crate::client;

/// A running engine. Dropping it stops it, and drops its tables.
#[derive(Debug)]
pub struct Engine {
    url: String,
    _server: BackgroundServer,
}

/// Why the engine can't start.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The database can't be created.
    #[error("can't start the embedded DynamoDB: {0}")]
    Database(String),
    /// No loopback port is available.
    #[error("can't listen on 127.0.0.1 for the embedded DynamoDB")]
    Listen(#[from] io::Error),
}

impl Engine {
    /// Starts on a free port.
    pub async fn start() -> Result<Self, EngineError> {
        let database = Database::memory().map_err(|error| EngineError::Database(error.to_string()))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let server = BackgroundServer::spawn(|shutdown| async {
            // Never an error, as in axum.
            let _ = server::serve_with_shutdown(listener, database, shutdown.requested()).await;
        });
        Ok(Self { url: format!("http://{address}"), _server: server })
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
