//! A scripted Kinesis: it stores records, or fails in various ways.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The error code of a throttled record.
pub(crate) const THROTTLED: &str = "ProvisionedThroughputExceededException";

/// How Kinesis responds to a call.
#[derive(Clone, Debug)]
pub(crate) enum KinesisResponse {
    /// Stores every record.
    Store,
    /// Refuses the call with a status and a code.
    Refuse(u16, &'static str),
    /// Refuses the records of `PutRecords` at these indices with these codes, and stores the others.
    RefuseSome(Vec<(usize, &'static str)>),
    /// Stores the first records of `PutRecords`, and throttles the others, like a full shard.
    StoreFirst(usize),
    /// Stores every record, but responds with one result too few.
    Miscount,
    /// Never responds.
    Hang,
    /// Resets the connection.
    Reset,
    /// Stores every record, and resets the connection instead of responding.
    StoreAndReset,
    /// Responds with an HTML page.
    Page(u16),
}

/// A stored record: its partition key, and its data as text.
pub(crate) type Stored = (String, String);

#[derive(Default)]
struct State {
    script: VecDeque<KinesisResponse>,
    otherwise: Option<KinesisResponse>,
    /// The operation and the number of records of each call.
    calls: Vec<(String, usize)>,
    stored: Vec<Stored>,
    streams: Vec<String>,
}

/// Kinesis, on its own port, until it is dropped.
pub(crate) struct Kinesis {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Kinesis {
    /// Starts a Kinesis that follows `script`, call by call, and then stores.
    pub(crate) async fn start(script: impl IntoIterator<Item = KinesisResponse>) -> Self {
        Self::with(script, KinesisResponse::Store).await
    }

    /// Starts a Kinesis that responds the same way to each call.
    pub(crate) async fn always(response: KinesisResponse) -> Self {
        Self::with([], response).await
    }

    async fn with(script: impl IntoIterator<Item = KinesisResponse>, otherwise: KinesisResponse) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = script.into_iter().collect();
        let state = Arc::new(Mutex::new(State { script, otherwise: Some(otherwise), ..State::default() }));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, shared.clone()));
            }
        });
        Self { address, state, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The operation and the number of records of each call, in order.
    pub(crate) fn calls(&self) -> Vec<(String, usize)> {
        self.state.lock().unwrap().calls.clone()
    }

    /// The number of records of each call.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.calls().into_iter().map(|(_, records)| records).collect()
    }

    /// The stored records, in order.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        self.state.lock().unwrap().stored.clone()
    }

    /// The data of the stored records.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.stored().into_iter().map(|(_, data)| data).collect()
    }

    /// The streams that were written to.
    pub(crate) fn streams(&self) -> Vec<String> {
        self.state.lock().unwrap().streams.clone()
    }
}

impl Drop for Kinesis {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves one connection; `None` when it closes.
async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    loop {
        let (operation, body) = read(&mut connection).await?;
        let reaction = state.lock().unwrap().take(&operation, &body);
        let (status, body) = match reaction {
            Some(Action::Respond(status, body)) => (status, body),
            Some(Action::Reset) => {
                connection.set_zero_linger().ok()?;
                return None;
            }
            None => std::future::pending().await,
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    }
}

enum Action {
    Respond(u16, String),
    Reset,
}

impl State {
    /// Handles a call; `None` to stay silent.
    fn take(&mut self, operation: &str, body: &Value) -> Option<Action> {
        let single = operation == "PutRecord";
        let records: Vec<&Value> =
            if single { vec![body] } else { body["Records"].as_array().unwrap().iter().collect() };
        self.calls.push((operation.to_owned(), records.len()));
        self.streams.push(body["StreamName"].as_str().unwrap().to_owned());
        if let Some(message) = beyond_limits(&records) {
            return Some(refusal(400, "ValidationException", message));
        }
        let response = self.script.pop_front().or_else(|| self.otherwise.clone()).unwrap();
        let results: Vec<Value> = match response {
            KinesisResponse::Hang => return None,
            KinesisResponse::Reset => return Some(Action::Reset),
            KinesisResponse::Page(status) => return Some(Action::Respond(status, "<html>busy</html>".to_owned())),
            KinesisResponse::Refuse(status, code) => return Some(refusal(status, code, &records[0].to_string())),
            // `PutRecord` fails as a whole.
            KinesisResponse::RefuseSome(places) if single && places[0].0 == 0 => {
                return Some(refusal(400, places[0].1, ""));
            }
            KinesisResponse::RefuseSome(places) => (0..records.len())
                .map(|index| match places.iter().find(|(place, _)| *place == index) {
                    Some((_, code)) => json!({"ErrorCode": code, "ErrorMessage": records[index].to_string()}),
                    None => self.store(records[index]),
                })
                .collect(),
            KinesisResponse::StoreFirst(0) if single => return Some(refusal(400, THROTTLED, "")),
            KinesisResponse::StoreFirst(room) => {
                let result = |(index, record): (usize, &Value)| {
                    if index < room {
                        return self.store(record);
                    }
                    json!({"ErrorCode": THROTTLED, "ErrorMessage": record.to_string()})
                };
                records.into_iter().enumerate().map(result).collect()
            }
            KinesisResponse::Store => records.iter().map(|record| self.store(record)).collect(),
            KinesisResponse::Miscount => records.iter().map(|record| self.store(record)).skip(1).collect(),
            KinesisResponse::StoreAndReset => {
                for record in records {
                    self.store(record);
                }
                return Some(Action::Reset);
            }
        };
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        let response =
            if single { results[0].clone() } else { json!({"FailedRecordCount": failed, "Records": results}) };
        Some(Action::Respond(200, response.to_string()))
    }

    fn store(&mut self, record: &Value) -> Value {
        self.stored.push((key(record).to_owned(), String::from_utf8(data(record)).unwrap()));
        json!({"SequenceNumber": self.stored.len().to_string(), "ShardId": "shardId-000000000000"})
    }
}

/// An error response whose message has request data, as in Kinesis.
fn refusal(status: u16, code: &str, message: &str) -> Action {
    Action::Respond(status, json!({"__type": code, "message": message}).to_string())
}

/// The limit of Kinesis that a call exceeds.
fn beyond_limits(records: &[&Value]) -> Option<&'static str> {
    let sizes = || records.iter().map(|record| data(record).len() + key(record).len());
    let keys_fit = records.iter().all(|record| (1..=256).contains(&key(record).chars().count()));
    match () {
        () if !(1..=500).contains(&records.len()) => Some("1 to 500 records"),
        () if sizes().any(|size| size > 1 << 20) => Some("a record of 1 MiB at most"),
        () if sizes().sum::<usize>() > 5 << 20 => Some("a call of 5 MiB at most"),
        () if !keys_fit => Some("a key of 1 to 256 characters"),
        () => None,
    }
}

fn key(record: &Value) -> &str {
    record["PartitionKey"].as_str().unwrap()
}

fn data(record: &Value) -> Vec<u8> {
    STANDARD.decode(record["Data"].as_str().unwrap()).unwrap()
}

/// Reads a call of the JSON protocol: its operation and its body.
async fn read(connection: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        (connection.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let header = |name: &str| {
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().1
    };
    assert_eq!(header("content-type"), "application/x-amz-json-1.1");
    let length: usize = header("content-length").parse().unwrap();
    let operation = header("x-amz-target").strip_prefix("Kinesis_20131202.").unwrap().to_owned();
    while bytes.len() < head_end + length {
        (connection.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    Some((operation, serde_json::from_slice(&bytes[head_end..]).unwrap()))
}
