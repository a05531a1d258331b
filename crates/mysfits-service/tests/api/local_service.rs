//! The local service as a library.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use mysfits_service::local::engine::Engine;
use mysfits_service::{LocalError, LocalService};
use test_support::PATIENCE;
use tokio::time::{sleep, timeout};

use crate::dynamodb::{DynamoDb, EMPTY};
use crate::http::{anywhere, client, get, start};

#[tokio::test]
async fn two_services_share_nothing() {
    let (one, other) = (start().await, start().await);
    assert_ne!(one.base_url(), other.base_url());
    for _ in 0..3 {
        get(&one.base_url(), "/mysfits").await;
    }
    get(&one.base_url(), "/no/such/path").await;
    assert_eq!((one.requests(), other.requests()), (4, 0));
}

#[tokio::test]
async fn connections_are_refused_after_the_stop() {
    let service = start().await;
    let base_url = service.base_url();
    get(&base_url, "/mysfits").await;
    timeout(PATIENCE, service.stop()).await.unwrap();
    assert!(client().get(&base_url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn the_stop_waits_for_requests_in_flight() {
    let latency = Duration::from_secs(3);
    let dynamodb = DynamoDb::start(|_| Some((StatusCode::OK, EMPTY))).await;
    let service = LocalService::over(dynamodb.table(), anywhere(), latency).await.unwrap();
    let url = format!("{}/mysfits", service.base_url());
    let begun = Instant::now();
    let response = tokio::spawn(client().get(url).send());
    let in_flight = async {
        while dynamodb.requests().is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, in_flight).await.unwrap();
    service.stop().await;
    assert_eq!(response.await.unwrap().unwrap().status().as_u16(), 200);
    assert!(begun.elapsed() >= latency);
}

#[tokio::test]
async fn a_dropped_engine_stops() {
    let engine = Engine::start().await.unwrap();
    let client = engine.client();
    client.list_tables().send().await.unwrap();
    let url = engine.url().to_owned();
    drop(engine);
    let ends = async { while crate::http::client().get(&url).send().await.is_ok() {} };
    timeout(PATIENCE, ends).await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let service = start().await;
    let taken = service.base_url().strip_prefix("http://").unwrap().parse().unwrap();
    let error = LocalService::start_with_latency(taken, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, LocalError::Listen { address, .. } if address == taken), "{error}");
    assert_eq!(error.to_string(), format!("can't listen on {taken}"));
}

#[tokio::test]
async fn a_service_that_listens_everywhere_is_reached_on_loopback() {
    for (everywhere, loopback) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "[::1]")] {
        if loopback == "[::1]" && TcpListener::bind("[::1]:0").is_err() {
            eprintln!("not tested: this machine has no IPv6");
            continue;
        }
        let listen = everywhere.parse().unwrap();
        let service = LocalService::start_with_latency(listen, Duration::ZERO).await.unwrap();
        let prefix = format!("http://{loopback}:");
        assert!(service.base_url().starts_with(&prefix), "{}", service.base_url());
        get(&service.base_url(), "/").await.is(200);
    }
}
