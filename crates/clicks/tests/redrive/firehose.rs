//! A Firehose in the test, which does as it is told with each call.

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

/// What is done with a call of `PutRecordBatch`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// All records are stored.
    Takes,
    /// All but these, by their index.
    Refuses(Vec<usize>),
    /// Nothing is stored: an answer with a status, and a code if there is one.
    Fails(u16, &'static str),
    /// Stored, and answered with an error.
    Lies(u16, &'static str),
    /// Stored, and the connection ends.
    Aborts,
    /// Stored, and answered with this.
    Babbles(&'static str),
    /// Stored, and the response has one result too few.
    Forgets,
    /// Stored, and never answered.
    Hangs,
    /// Stored after a while.
    Waits(Duration),
    /// Stored, and answered when [`Firehose::release`] is called.
    IsHeld,
    /// Stored; from then on nobody listens until [`Firehose::listen`].
    Leaves,
}

#[derive(Default)]
struct Told {
    script: VecDeque<Act>,
    /// What is done when the script is at its end.
    then: Option<Act>,
    describe: Option<(u16, Value)>,
    calls: Vec<Vec<Vec<u8>>>,
    stored: Vec<Vec<u8>>,
    leave: Option<oneshot::Sender<()>>,
    released: watch::Sender<bool>,
    /// Of the last request.
    authorization: String,
}

/// The server. It counts what is stored, whatever it answers.
pub(crate) struct Firehose {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    runtime: Runtime,
}

impl Firehose {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Does these, and then takes everything.
    pub(crate) fn with(script: &[Act]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut firehose = Self { address: (test_support::own_address(), 0).into(), told: Arc::default(), runtime };
        firehose.script(script);
        firehose.listen();
        firehose
    }

    /// Listens at its address, as in the beginning.
    pub(crate) fn listen(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let (leave, left) = oneshot::channel();
        self.told.lock().unwrap().leave = Some(leave);
        let app = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&self.told));
        let left = async move { left.await.unwrap_or_default() };
        self.runtime.spawn(async move { axum::serve(listener, app).with_graceful_shutdown(left).await });
    }

    /// Does these next.
    pub(crate) fn script(&self, script: &[Act]) {
        self.told.lock().unwrap().script = script.iter().cloned().collect();
    }

    /// Does this for ever.
    pub(crate) fn always(&self, act: Act) {
        self.told.lock().unwrap().then = Some(act);
    }

    /// Answers the calls that are held.
    pub(crate) fn release(&self) {
        self.told.lock().unwrap().released.send_replace(true);
    }

    /// What it answers to whoever asks for the stream; nothing by a status of zero.
    pub(crate) fn describe(&self, status: u16, answer: Value) {
        self.told.lock().unwrap().describe = Some((status, answer));
    }

    /// Who has asked last; nobody yet, where it is empty.
    pub(crate) fn authorization(&self) -> String {
        self.told.lock().unwrap().authorization.clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The stream and where it is, as the report and the ledger's name have it.
    pub(crate) fn target(&self) -> String {
        format!("clicks@localhost-{}", self.address.port())
    }

    /// The records of each call so far.
    pub(crate) fn calls(&self) -> Vec<Vec<Vec<u8>>> {
        self.told.lock().unwrap().calls.clone()
    }

    /// What is stored, in order.
    pub(crate) fn stored(&self) -> Vec<Vec<u8>> {
        self.told.lock().unwrap().stored.clone()
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

/// The stream's.
pub(crate) const ARN: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks";

/// A description, as Firehose gives it.
pub(crate) fn description(status: &str, kind: &str) -> Value {
    json!({ "DeliveryStreamDescription": {
        "DeliveryStreamName": "clicks", "DeliveryStreamARN": ARN,
        "DeliveryStreamStatus": status, "DeliveryStreamType": kind, "VersionId": "1", "Destinations": [],
        "HasMoreDestinations": false,
    } })
}

async fn answer(State(told): State<Arc<Mutex<Told>>>, headers: HeaderMap, body: String) -> Response {
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["DeliveryStreamName"], "clicks");
    headers["authorization"].to_str().unwrap().clone_into(&mut told.lock().unwrap().authorization);
    match headers["x-amz-target"].to_str().unwrap() {
        "Firehose_20150804.DescribeDeliveryStream" => {
            let described = told.lock().unwrap().describe.clone();
            let (status, body) = described.unwrap_or_else(|| (200, description("ACTIVE", "DirectPut")));
            if status == 0 {
                std::future::pending::<()>().await;
            }
            reply(status, &body)
        }
        "Firehose_20150804.PutRecordBatch" => put(&told, &body).await,
        other => panic!("{other}"),
    }
}

async fn put(told: &Mutex<Told>, body: &Value) -> Response {
    let data = |record: &Value| STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
    let records: Vec<Vec<u8>> = body["Records"].as_array().unwrap().iter().map(data).collect();
    let (count, act, mut released) = {
        let mut told = told.lock().unwrap();
        let act = told.script.pop_front().or_else(|| told.then.clone()).unwrap_or(Act::Takes);
        let refused = |index| matches!(&act, Act::Refuses(refused) if refused.contains(&index));
        if !matches!(act, Act::Fails(..)) {
            let stored = records.iter().enumerate().filter(|(index, _)| !refused(*index));
            told.stored.extend(stored.map(|(_, data)| data.clone()));
        }
        let count = records.len();
        told.calls.push(records);
        if act == Act::Leaves {
            told.leave.take().unwrap().send(()).unwrap();
        }
        (count, act, told.released.subscribe())
    };
    let entry = |index: usize| match &act {
        Act::Refuses(refused) if refused.contains(&index) => {
            json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down." })
        }
        _ => json!({ "RecordId": format!("{index:056}") }),
    };
    let told_of = if act == Act::Forgets { count - 1 } else { count };
    let entries: Vec<Value> = (0..told_of).map(entry).collect();
    let failed = entries.iter().filter(|entry| entry["ErrorCode"].is_string()).count();
    let body = json!({ "FailedPutCount": failed, "Encrypted": false, "RequestResponses": entries });
    match act {
        Act::Fails(status, code) | Act::Lies(status, code) => {
            let body = if code.is_empty() { json!({}) } else { json!({ "__type": code, "message": "told to" }) };
            reply(status, &body)
        }
        // Ends the connection's task, without a message of a panic.
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
