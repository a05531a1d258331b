//! A mysfits service that does as it is told: the right thing, or any wrong one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the service does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Answers with a status, headers and a body.
    With(u16, Vec<(&'static str, String)>, String),
    /// Answers after a while.
    After(Duration, Box<Answer>),
    /// Answers, then closes the connection without having said so: what a connection looks like that went stale.
    ThenClose(Box<Answer>),
    /// Answers, then says nothing more and leaves the connection open: what one looks like whose other side is gone.
    ThenHang(Box<Answer>),
    /// Never answers.
    Hang,
    /// Closes the connection without a word.
    Close,
    /// Resets the connection, as a machine does that knows nothing of it any more.
    Reset,
    /// Promises a body of which only the first half comes.
    Half(String),
    /// Promises a body, sends the first half of it, and waits.
    HalfThenHang(String),
    /// Answers with a body, and does not say beforehand how long it is.
    Chunked(String),
    /// Sends a body that never ends.
    Endless,
    /// Answers with what is not HTTP.
    Garbage,
}

impl Answer {
    pub(crate) fn json(body: &Value) -> Self {
        Self::text(200, body.to_string())
    }

    /// A body of JSON as it stands.
    pub(crate) fn json_text(body: &str) -> Self {
        Self::text(200, body)
    }

    pub(crate) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::With(status, Vec::new(), body.into())
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::text(status, "")
    }

    pub(crate) fn after_ms(self, ms: u64) -> Self {
        Self::After(Duration::from_millis(ms), Box::new(self))
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

type Behaviour = Box<dyn FnMut(&Request) -> Answer + Send>;

struct State {
    behaviour: Behaviour,
    requests: Vec<Request>,
    connections: usize,
    under_way: usize,
    most_under_way: usize,
}

/// The service, on a port of its own, until it is dropped.
pub(crate) struct Service {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Service {
    /// Starts a service that answers each request as `behaviour` says.
    pub(crate) async fn start(behaviour: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::listen(behaviour, None).await
    }

    /// Starts the service as it should be, over TLS.
    pub(crate) async fn with_tls(tls: TlsAcceptor) -> Self {
        Self::listen(well_built, Some(tls)).await
    }

    async fn listen(behaviour: impl FnMut(&Request) -> Answer + Send + 'static, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            behaviour: Box::new(behaviour),
            requests: Vec::new(),
            connections: 0,
            under_way: 0,
            most_under_way: 0,
        }));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                // A connection that breaks is what many a test is about.
                let (shared, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(connection).await.ok()?, &shared).await,
                        None => serve(connection, &shared).await,
                    }
                });
            }
        });
        Self { address, state, accepting }
    }

    /// Starts the service as it should be: the twelve mysfits, 404 for any other.
    pub(crate) async fn well_built() -> Self {
        Self::start(well_built).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers as `behaviour` says from now on, and forgets the requests so far.
    pub(crate) fn now(&self, behaviour: impl FnMut(&Request) -> Answer + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.behaviour = Box::new(behaviour);
        state.requests.clear();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The paths asked for so far, in order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// The most requests that were under way at once.
    pub(crate) fn most_under_way(&self) -> usize {
        self.state.lock().unwrap().most_under_way
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a well-built service answers, under any base path.
pub(crate) fn well_built(request: &Request) -> Answer {
    let fixture = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mysfits = fixture(include_str!("../../fixtures/mysfits.json"));
    let path = request.path.trim_start_matches("/prod");
    if path == "/mysfits" {
        return Answer::json(&fixture(include_str!("../../fixtures/service/python-list.json")));
    }
    let id = path.strip_prefix("/mysfits/").unwrap_or_default();
    match mysfits.as_array().unwrap().iter().find(|mysfit| mysfit["mysfitId"] == id) {
        Some(mysfit) => Answer::json(mysfit),
        None => Answer::text(404, json!({"message": "no such mysfit"}).to_string()),
    }
}

/// What requests come by.
trait Connection: AsyncRead + AsyncWrite + Unpin {
    /// Makes the end of the connection a reset.
    fn end_with_a_reset(&self);
}

impl Connection for TcpStream {
    fn end_with_a_reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Connection for TlsStream<TcpStream> {
    fn end_with_a_reset(&self) {
        self.get_ref().0.end_with_a_reset();
    }
}

async fn serve(mut connection: impl Connection, state: &Mutex<State>) -> Option<()> {
    loop {
        let request = read_request(&mut connection).await?;
        let answer = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            state.under_way += 1;
            state.most_under_way = state.most_under_way.max(state.under_way);
            (state.behaviour)(&request)
        };
        let went_on = respond(&mut connection, answer).await;
        state.lock().unwrap().under_way -= 1;
        went_on?;
    }
}

/// Reads the head of a request; a GET has no more.
async fn read_request(connection: &mut impl Connection) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let path = lines.next()?.strip_prefix("GET ")?.split(' ').next()?.to_owned();
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Some(Request { path, headers: lines.filter_map(header).collect() })
}

/// Answers; `None` where the connection ends with it.
async fn respond(connection: &mut impl Connection, answer: Answer) -> Option<()> {
    match answer {
        Answer::With(status, headers, body) => write(connection, status, &headers, &body, body.len()).await,
        Answer::After(delay, answer) => {
            tokio::time::sleep(delay).await;
            Box::pin(respond(connection, *answer)).await
        }
        Answer::ThenClose(answer) => {
            Box::pin(respond(connection, *answer)).await?;
            None
        }
        Answer::ThenHang(answer) => {
            Box::pin(respond(connection, *answer)).await?;
            Box::pin(respond(connection, Answer::Hang)).await
        }
        Answer::Hang => {
            // Ends when the other side has had enough, whatever it says until then.
            while connection.read_u8().await.is_ok() {}
            None
        }
        Answer::Close => None,
        Answer::Reset => {
            connection.end_with_a_reset();
            None
        }
        Answer::Half(body) => {
            write(connection, 200, &[], &body[..body.len() / 2], body.len()).await?;
            None
        }
        Answer::HalfThenHang(body) => {
            write(connection, 200, &[], &body[..body.len() / 2], body.len()).await?;
            connection.read_u8().await.ok()?;
            None
        }
        Answer::Chunked(body) => {
            let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            connection.write_all((head.to_owned() + &chunks).as_bytes()).await.ok()
        }
        Answer::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            loop {
                connection.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
        Answer::Garbage => {
            connection.write_all(b"\x16\x03\x01 not HTTP at all\r\n\r\n").await.ok()?;
            None
        }
    }
}

async fn write(
    connection: &mut impl Connection,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
    length: usize,
) -> Option<()> {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect::<Vec<_>>().concat();
    // No body, and so no length of one, comes with 204 (RFC 9110, section 15.3.5).
    let length = if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    let head = format!("HTTP/1.1 {status} X\r\n{length}{headers}\r\n");
    connection.write_all((head + body).as_bytes()).await.ok()
}
