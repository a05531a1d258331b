//! The Invoke API of both emulators.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use serde_json::Value;

use crate::process::{Background, LIMIT};

/// A running emulator.
pub(crate) struct Emulator {
    pub(crate) process: Background,
    address: SocketAddr,
    http: reqwest::Client,
}

/// A response of the Invoke API.
#[derive(Debug)]
pub(crate) struct InvokeResponse {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl InvokeResponse {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Emulator {
    /// Starts an emulator that will listen on `address`.
    pub(crate) fn start(command: Command, address: SocketAddr) -> Self {
        // reqwest needs a provider even for plain HTTP. Another test may have installed it already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(LIMIT).build().unwrap();
        Self { process: Background::start(command), address, http }
    }

    /// Invokes `function` as the AWS SDKs do, once the emulator listens.
    pub(crate) async fn invoke(&mut self, function: &str, event: &[u8]) -> InvokeResponse {
        let url = format!("http://{}/2015-03-31/functions/{function}/invocations", self.address);
        let http = &self.http;
        let send = async |_: &Background| match http.post(&url).body(event.to_vec()).send().await {
            // While its function restarts, the emulator may close a connection without a response.
            Err(error) if error.is_connect() || error.is_request() => None,
            response => Some(response.unwrap()),
        };
        let response = self.process.until(send).await;
        InvokeResponse { status: response.status().as_u16(), body: response.bytes().await.unwrap().to_vec() }
    }
}

/// Addresses on which nothing listens: no other process uses their IP address.
pub(crate) fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners = [(); N].map(|()| TcpListener::bind((test_support::own_address(), 0)).unwrap());
    listeners.each_ref().map(|listener| listener.local_addr().unwrap())
}
