//! An embedded DynamoDB: the engine dynoxide with in-memory SQLite, on a loopback port.
//!
//! With a port, the service uses the same code as for AWS.

use std::net::Ipv4Addr;

use aws_sdk_dynamodb::Client;
use dynoxide::{Database, server};

use super::background::BackgroundServer;
use super::{LocalError, bind};
use crate::client;

/// A running engine. Dropping it stops it, and drops its tables.
#[derive(Debug)]
pub struct Engine {
    url: String,
    _server: BackgroundServer,
}

impl Engine {
    /// Starts on a free port.
    pub async fn start() -> Result<Self, LocalError> {
        let database = Database::memory().map_err(|error| LocalError::Engine(error.to_string()))?;
        let (listener, address) = bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
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
