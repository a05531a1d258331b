//! A Kinesis that does as it is told: it stores records, or refuses them in any of its ways.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The code of a record for which its shard has no room.
pub(crate) const THROTTLED: &str = "ProvisionedThroughputExceededException";

/// What Kinesis does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Stores every record.
    Store,
    /// Refuses the call with a status and a code.
    Refuse(u16, &'static str),
    /// Of `PutRecords`, refuses those at these places with these codes, and stores the others.
    RefuseSome(Vec<(usize, &'static str)>),
    /// Of `PutRecords`, stores so many at the most, and has no room for the others: a shard that is full.
    StoreFirst(usize),
    /// Stores every record, and then says so of one fewer.
    Miscount,
    /// Never answers.
    Hang,
    /// Resets the connection.
    Reset,
    /// Stores every record, and resets the connection instead of telling so.
    StoreAndReset,
    /// Answers with a page.
    Page(u16),
}

/// A stored record: its partition key, and its data as text.
pub(crate) type Stored = (String, String);

#[derive(Default)]
struct State {
    script: VecDeque<Answer>,
    otherwise: Option<Answer>,
    /// The operation and the number of records of each call.
    calls: Vec<(String, usize)>,
    stored: Vec<Stored>,
    streams: Vec<String>,
}

/// Kinesis, on a port of its own, until it is dropped.
pub(crate) struct Kinesis {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Kinesis {
    /// Starts one that does what `script` says, call by call, and then stores.
    pub(crate) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::with(script, Answer::Store).await
    }

    /// Starts one that does the same with each call.
    pub(crate) async fn always(answer: Answer) -> Self {
        Self::with([], answer).await
    }

    async fn with(script: impl IntoIterator<Item = Answer>, otherwise: Answer) -> Self {
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

    /// What is stored, in order.
    pub(crate) fn stored(&self) -> Vec<Stored> {
        self.state.lock().unwrap().stored.clone()
    }

    /// The data of what is stored.
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

/// Serves one connection; `None` when it is over.
async fn serve(mut connection: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    loop {
        let (operation, body) = read(&mut connection).await?;
        let reaction = state.lock().unwrap().take(&operation, &body);
        let (status, body) = match reaction {
            Some(Reaction::Answer(status, body)) => (status, body),
            Some(Reaction::Reset) => {
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

/// What becomes of a connection.
enum Reaction {
    Answer(u16, String),
    Reset,
}

impl State {
    /// Takes a call; `None` to say nothing at all.
    fn take(&mut self, operation: &str, body: &Value) -> Option<Reaction> {
        let single = operation == "PutRecord";
        let records: Vec<&Value> =
            if single { vec![body] } else { body["Records"].as_array().unwrap().iter().collect() };
        self.calls.push((operation.to_owned(), records.len()));
        self.streams.push(body["StreamName"].as_str().unwrap().to_owned());
        if let Some(message) = beyond_limits(&records) {
            return Some(refusal(400, "ValidationException", message));
        }
        let answer = self.script.pop_front().or_else(|| self.otherwise.clone()).unwrap();
        let results: Vec<Value> = match answer {
            Answer::Hang => return None,
            Answer::Reset => return Some(Reaction::Reset),
            Answer::Page(status) => return Some(Reaction::Answer(status, "<html>busy</html>".to_owned())),
            Answer::Refuse(status, code) => return Some(refusal(status, code, &records[0].to_string())),
            // The only record of a call is refused with the call.
            Answer::RefuseSome(places) if single && places[0].0 == 0 => return Some(refusal(400, places[0].1, "")),
            Answer::RefuseSome(places) => (0..records.len())
                .map(|index| match places.iter().find(|(place, _)| *place == index) {
                    Some((_, code)) => json!({"ErrorCode": code, "ErrorMessage": records[index].to_string()}),
                    None => self.store(records[index]),
                })
                .collect(),
            Answer::StoreFirst(0) if single => return Some(refusal(400, THROTTLED, "")),
            Answer::StoreFirst(room) => {
                let result = |(index, record): (usize, &Value)| {
                    if index < room {
                        return self.store(record);
                    }
                    json!({"ErrorCode": THROTTLED, "ErrorMessage": record.to_string()})
                };
                records.into_iter().enumerate().map(result).collect()
            }
            Answer::Store => records.iter().map(|record| self.store(record)).collect(),
            Answer::Miscount => records.iter().map(|record| self.store(record)).skip(1).collect(),
            Answer::StoreAndReset => {
                for record in records {
                    self.store(record);
                }
                return Some(Reaction::Reset);
            }
        };
        let failed = results.iter().filter(|result| result.get("ErrorCode").is_some()).count();
        let answer = if single { results[0].clone() } else { json!({"FailedRecordCount": failed, "Records": results}) };
        Some(Reaction::Answer(200, answer.to_string()))
    }

    fn store(&mut self, record: &Value) -> Value {
        self.stored.push((key(record).to_owned(), String::from_utf8(data(record)).unwrap()));
        json!({"SequenceNumber": self.stored.len().to_string(), "ShardId": "shardId-000000000000"})
    }
}

/// A refusal whose message repeats what was sent, as Kinesis' messages can.
fn refusal(status: u16, code: &str, message: &str) -> Reaction {
    Reaction::Answer(status, json!({"__type": code, "message": message}).to_string())
}

/// Which of Kinesis' limits a call breaks.
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

/// Reads a call of Kinesis' JSON protocol: its operation and its body.
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
