//! A server of both APIs at one address, for programs and tests in Rust, with `GET /metrics` and `GET /health`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::api::{self, Api};
use crate::control::{Control, ControlError, ControlOptions, FunctionMap, RETENTION_BYTES, Root};
use crate::functions::{FunctionLog, FunctionLogError};
use crate::http::HttpServer;
use crate::metrics::{self, MetricsText};
use crate::registry::Registry;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("could not listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The log of functions cannot be written.
    #[error(transparent)]
    Log(#[from] FunctionLogError),
    /// The streams of an earlier run do not start.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// The settings of a [`Server`].
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it listens; port 0 is any free one.
    pub address: SocketAddr,
    /// The file that the functions' logs are appended to.
    pub function_log: PathBuf,
    /// Whether the functions' logs are reported through `tracing`, too.
    pub verbose: bool,
    /// Where streams write, what they run, and what survives a restart.
    pub control: ControlOptions,
}

impl ServerOptions {
    /// Any free port of loopback, buckets as folders in `buckets` of `folder`, the log `function.log` in `folder`, no functions, no
    /// state, and [`RETENTION_BYTES`].
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let function_log = folder.join("function.log");
        let root = Root::Folder(folder.join("buckets"));
        let control =
            ControlOptions { root, functions: FunctionMap::default(), state: None, retention_bytes: RETENTION_BYTES };
        Self { address: (Ipv4Addr::LOCALHOST, 0).into(), function_log, verbose: false, control }
    }
}

/// A running server. Dropping it closes the address, and flushes nothing.
#[derive(Debug)]
pub struct Server {
    url: String,
    control: Control,
    /// `None` after [`Server::close`].
    server: Option<HttpServer>,
}

impl Server {
    /// Starts a server, which has the streams that an earlier one with the same state has left.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let ServerOptions { address, function_log, verbose, control } = options;
        let failed = |source| ServerError::Listen(address, source);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let function_log = Arc::new(FunctionLog::open(&function_log, verbose)?);
        let control = Control::open(Registry::default(), control, function_log).await?;
        let streams = control.streams().clone();
        let monitoring = Router::new()
            .route("/metrics", get(async |State(streams): State<Registry>| MetricsText::of(&streams)))
            .route("/health", get(async |State(streams): State<Registry>| metrics::health(&streams)))
            .with_state(streams);
        let app = api::router(&control, Api::Firehose).merge(monitoring);
        let server = HttpServer::start(listener, app).map_err(failed)?;
        Ok(Self { url: server.url(), control, server: Some(server) })
    }

    /// The endpoint URL for clients, such as `http://127.0.0.1:4500`: loopback for a server that listens everywhere.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its streams.
    #[must_use]
    pub fn streams(&self) -> &Registry {
        self.control.streams()
    }

    /// Closes the address. Requests in flight have 5 s; the streams still run.
    pub async fn close(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Closes the address, flushes all streams, and ends deletions, however long that takes. Returns whether all records are settled.
    pub async fn stop(mut self) -> bool {
        self.close().await;
        self.control.stop().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// The start of the response to a call of an operation.
    async fn call(address: SocketAddr, target: &str) -> String {
        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-amz-target: {target}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn a_server_serves_until_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let options = ServerOptions::new(folder.path());
        let mut server = Server::start(options.clone()).await.unwrap();
        let address = server.url().strip_prefix("http://").unwrap().parse().unwrap();
        for target in ["Firehose_20150804.ListDeliveryStreams", "Kinesis_20131202.ListStreams"] {
            let response = call(address, target).await;
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        }
        let taken = Server::start(ServerOptions { address, ..options }).await.unwrap_err();
        assert_eq!(taken.to_string(), format!("could not listen on {address}"));

        server.close().await;
        assert!(TcpStream::connect(address).await.is_err());
        assert!(server.stop().await);
    }
}
