//! A client that keeps the whole response, and the expected fixture.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mysfits_service::{LocalService, Table};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// A free port on loopback.
pub(crate) fn anywhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A loopback address where nothing listens: the port of the discard protocol.
pub(crate) fn nowhere() -> SocketAddr {
    (test_support::own_address(), 9).into()
}

pub(crate) async fn start() -> LocalService {
    LocalService::start_with_latency(anywhere(), Duration::ZERO).await.unwrap()
}

pub(crate) async fn over(table: Table) -> LocalService {
    LocalService::over(table, anywhere(), Duration::ZERO).await.unwrap()
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Response {
    /// Asserts the status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    /// The ids of a list, sorted, because DynamoDB has no order.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<String> {
        ids(self.json()["mysfits"].as_array().expect(&self.text))
    }
}

/// A client without connections of other tests.
pub(crate) fn client() -> Client {
    // reqwest needs a TLS provider even for HTTP. An error means that another test has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

pub(crate) async fn send(method: Method, url: &str) -> Response {
    let response = client().request(method, url).send().await.unwrap();
    Response { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
}

pub(crate) async fn get(base_url: &str, path: &str) -> Response {
    send(Method::GET, &format!("{base_url}{path}")).await
}

/// The twelve mysfits.
pub(crate) fn fixture() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../../fixtures/mysfits.json")).unwrap()
}

pub(crate) fn ids<'a>(mysfits: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut ids: Vec<_> = mysfits.into_iter().map(|mysfit| mysfit["mysfitId"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}
