//! An embedded DynamoDB: the engine dynoxide over SQLite in memory, behind a loopback port.
//!
//! The port is what lets the service talk to it with the code that it talks to AWS with.

use std::net::Ipv4Addr;

use aws_sdk_dynamodb::Client;
use dynoxide::{Database, server};

use super::background::Background;
use super::{LocalError, bind};
use crate::client;

/// A running engine. Dropping it ends it, and its tables with it.
#[derive(Debug)]
pub struct Engine {
    url: String,
    _server: Background,
}

impl Engine {
    /// Starts on a free port.
    pub async fn start() -> Result<Self, LocalError> {
        let database = Database::memory().map_err(|error| LocalError::Engine(error.to_string()))?;
        let (listener, address) = bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let server = Background::spawn(|end| async {
            // Never an error, as axum has none.
            let _ = server::serve_with_shutdown(listener, database, end.reached()).await;
        });
        Ok(Self { url: format!("http://{address}"), _server: server })
    }

    /// Where the engine answers, for `AWS_ENDPOINT_URL_DYNAMODB`.
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
