//! A scripted Firehose.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};

/// How a call of `PutRecordBatch` is handled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// All records are stored.
    Takes,
    /// All but these, by their index.
    Refuses(Vec<usize>),
    /// Nothing is stored: a response with a status, and a code unless it is empty.
    Fails(u16, &'static str),
    /// Stored; the response is an error.
    Lies(u16, &'static str),
    /// Stored; the connection breaks.
    Aborts,
    /// Stored; this is the response.
    Babbles(&'static str),
    /// Stored; the response has one result too few.
    Forgets,
    /// Stored, without a response.
    Hangs,
    /// Stored after a while.
    Waits(Duration),
    /// Stored; the response waits for [`Firehose::release`].
    IsHeld,
    /// Stored; then the server is down until [`Firehose::listen`].
    Leaves,
}

#[derive(Default)]
struct ServerState {
    script: VecDeque<Act>,
    /// What follows the script.
    then: Option<Act>,
    describe: Option<(u16, Value)>,
    calls: Vec<Vec<Vec<u8>>>,
    stored: Vec<Vec<u8>>,
    leave: Option<oneshot::Sender<()>>,
    released: watch::Sender<bool>,
    /// Of the last request.
    authorization: String,
}

/// The server. It records what is stored, whatever it responds.
pub(crate) struct Firehose {
    address: SocketAddr,
    state: Arc<Mutex<ServerState>>,
    runtime: Runtime,
}

impl Firehose {
    /// Stores everything.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Follows a script, and then stores everything.
    pub(crate) fn with(script: &[Act]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut firehose = Self { address: (test_support::own_address(), 0).into(), state: Arc::default(), runtime };
        firehose.script(script);
        firehose.listen();
        firehose
    }

    /// Listens at its address.
    pub(crate) fn listen(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let (leave, left) = oneshot::channel();
        self.state.lock().unwrap().leave = Some(leave);
        let app = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&self.state));
        let left = async move { left.await.unwrap_or_default() };
        self.runtime.spawn(async move { axum::serve(listener, app).with_graceful_shutdown(left).await });
    }

    /// Sets the script.
    pub(crate) fn script(&self, script: &[Act]) {
        self.state.lock().unwrap().script = script.iter().cloned().collect();
    }

    /// Sets what follows the script.
    pub(crate) fn always(&self, act: Act) {
        self.state.lock().unwrap().then = Some(act);
    }

    /// Sends the responses that wait.
    pub(crate) fn release(&self) {
        self.state.lock().unwrap().released.send_replace(true);
    }

    /// Sets the response to `DescribeDeliveryStream`; none for a status of zero.
    pub(crate) fn describe(&self, status: u16, answer: Value) {
        self.state.lock().unwrap().describe = Some((status, answer));
    }

    /// The `Authorization` of the last request; empty before the first.
    pub(crate) fn authorization(&self) -> String {
        self.state.lock().unwrap().authorization.clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The stream and its address, as in the report and the journal's name.
    pub(crate) fn target(&self) -> String {
        format!("clicks@localhost-{}", self.address.port())
    }

    /// The records of each call so far.
    pub(crate) fn calls(&self) -> Vec<Vec<Vec<u8>>> {
        self.state.lock().unwrap().calls.clone()
    }

    /// What is stored, in order.
    pub(crate) fn stored(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().stored.clone()
    }

    /// The same as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.stored().into_iter().map(|data| String::from_utf8(data).unwrap()).collect()
    }

    /// How often each record is stored.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        self.texts().into_iter().for_each(|text| *counts.entry(text).or_default() += 1);
        counts
    }
}

pub(crate) const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks";

/// A response of `DescribeDeliveryStream`.
pub(crate) fn description(status: &str, kind: &str) -> Value {
    json!({ "DeliveryStreamDescription": {
        "DeliveryStreamName": "clicks", "DeliveryStreamARN": ARN,
        "DeliveryStreamStatus": status, "DeliveryStreamType": kind, "VersionId": "1", "Destinations": [],
        "HasMoreDestinations": false,
    } })
}

async fn answer(State(state): State<Arc<Mutex<ServerState>>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["DeliveryStreamName"], "clicks");
    headers["authorization"].to_str().unwrap().clone_into(&mut state.lock().unwrap().authorization);
    match headers["x-amz-target"].to_str().unwrap() {
        "Firehose_20150804.DescribeDeliveryStream" => {
            let described = state.lock().unwrap().describe.clone();
            let (status, body) = described.unwrap_or_else(|| (200, description("ACTIVE", "DirectPut")));
            if status == 0 {
                std::future::pending::<()>().await;
            }
            reply(status, &body)
        }
        "Firehose_20150804.PutRecordBatch" => put(&state, &body).await,
        other => panic!("{other}"),
    }
}

async fn put(state: &Mutex<ServerState>, body: &Value) -> Response {
    let data = |record: &Value| STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
    let records: Vec<Vec<u8>> = body["Records"].as_array().unwrap().iter().map(data).collect();
    let (count, act, mut released) = {
        let mut state = state.lock().unwrap();
        let act = state.script.pop_front().or_else(|| state.then.clone()).unwrap_or(Act::Takes);
        let refused = |index| matches!(&act, Act::Refuses(refused) if refused.contains(&index));
        if !matches!(act, Act::Fails(..)) {
            let stored = records.iter().enumerate().filter(|(index, _)| !refused(*index));
            state.stored.extend(stored.map(|(_, data)| data.clone()));
        }
        let count = records.len();
        state.calls.push(records);
        if act == Act::Leaves {
            state.leave.take().unwrap().send(()).unwrap();
        }
        (count, act, state.released.subscribe())
    };
    let entry = |index: usize| match &act {
        Act::Refuses(refused) if refused.contains(&index) => {
            json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." })
        }
        _ => json!({ "RecordId": format!("{index:056}") }),
    };
    let results = if act == Act::Forgets { count - 1 } else { count };
    let entries: Vec<Value> = (0..results).map(entry).collect();
    let failed = entries.iter().filter(|entry| entry["ErrorCode"].is_string()).count();
    let body = json!({ "FailedPutCount": failed, "Encrypted": false, "RequestResponses": entries });
    match act {
        Act::Fails(status, code) | Act::Lies(status, code) => {
            let body = if code.is_empty() { json!({}) } else { json!({ "__type": code, "message": "scripted" }) };
            reply(status, &body)
        }
        // Stops the connection's task without a panic message.
        Act::Aborts => std::panic::resume_unwind(Box::new(())),
        Act::Babbles(text) => text.into_response(),
        Act::Hangs => match std::future::pending::<Infallible>().await {},
        Act::Waits(time) => {
            tokio::time::sleep(time).await;
            reply(200, &body)
        }
        Act::IsHeld => {
            released.wait_for(|released| *released).await.unwrap();
            reply(200, &body)
        }
        Act::Leaves => ([("connection", "close")], reply(200, &body)).into_response(),
        Act::Takes | Act::Refuses(_) | Act::Forgets => reply(200, &body),
    }
}

fn reply(status: u16, body: &Value) -> Response {
    let headers = [("content-type", "application/x-amz-json-1.1")];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}
