//! A scripted DynamoDB, which records requests.

use std::future;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use mysfits_service::{Table, TableName, client};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http::anywhere;

/// The response to a scan of an empty table.
pub(crate) const EMPTY: &str = r#"{"Items":[],"Count":0,"ScannedCount":0}"#;

pub(crate) struct DynamoDb {
    url: String,
    requests: Arc<Mutex<Vec<Value>>>,
    server: JoinHandle<()>,
}

impl DynamoDb {
    /// Starts a DynamoDB. `response` gets the number of a request, from 0, and returns its response, or `None` to stay silent.
    pub(crate) async fn start(
        response: impl Fn(usize) -> Option<(StatusCode, &'static str)> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(anywhere()).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let app = Router::new().fallback(async move |body: String| {
            let number = {
                let mut seen = seen.lock().unwrap();
                seen.push(serde_json::from_str(&body).unwrap());
                seen.len() - 1
            };
            match response(number) {
                Some((status, body)) => {
                    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
                }
                None => future::pending().await,
            }
        });
        let server = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url, requests, server }
    }

    pub(crate) fn client(&self) -> Client {
        client::for_endpoint(&self.url)
    }

    pub(crate) fn table(&self) -> Table {
        Table::new(self.client(), TableName::default())
    }

    /// The bodies of the requests, in order.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for DynamoDb {
    fn drop(&mut self) {
        self.server.abort();
    }
}
