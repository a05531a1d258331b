//! A mysfits service whose responses a test scripts: valid ones, and any fault.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How the service responds to a request.
#[derive(Clone, Debug)]
pub enum Response {
    /// A status, headers and a body.
    With(u16, Vec<(&'static str, String)>, String),
    /// Responds after a delay.
    After(Duration, Box<Response>),
    /// Responds once as many requests wait as the barrier counts.
    Together(Arc<Barrier>, Box<Response>),
    /// Responds, then closes the connection unannounced, as for a stale connection.
    ThenClose(Box<Response>),
    /// Responds, then stays silent with the connection open, as if the host were gone.
    ThenHang(Box<Response>),
    /// Never responds.
    Hang,
    /// Closes the connection without a response.
    Close,
    /// Resets the connection.
    Reset,
    /// Sends half of the body, then closes the connection.
    Half(String),
    /// Sends half of the body, then stays silent.
    HalfThenHang(String),
    /// A chunked body, without a content length.
    Chunked(String),
    /// A body that never ends.
    Endless,
    /// Sends what is not HTTP.
    Garbage,
}

impl Response {
    /// 200 with a JSON body.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::text(200, body.to_string())
    }

    /// 200 with a body of JSON as it is.
    #[must_use]
    pub fn json_text(body: &str) -> Self {
        Self::text(200, body)
    }

    /// A status with a body.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::With(status, Vec::new(), body.into())
    }

    /// A status with an empty body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::text(status, "")
    }

    /// This response after a delay.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Self {
        Self::After(Duration::from_millis(ms), Box::new(self))
    }

    /// This response once as many requests wait as `barrier` counts.
    #[must_use]
    pub fn together(self, barrier: &Arc<Barrier>) -> Self {
        Self::Together(Arc::clone(barrier), Box::new(self))
    }
}

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its headers, with names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body of UTF-8.
    pub body: String,
}

type Handler = Box<dyn FnMut(&Request) -> Response + Send>;

struct State {
    handler: Handler,
    requests: Vec<Request>,
    connections: usize,
    in_flight: usize,
    most_in_flight: usize,
}

/// The service, on its own port, until it is dropped.
pub struct ScriptedMysfitsService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl ScriptedMysfitsService {
    /// Starts a service that responds with `handler`.
    pub async fn start(handler: impl FnMut(&Request) -> Response + Send + 'static) -> Self {
        Self::listen(handler, None).await
    }

    /// Starts a healthy service with TLS.
    pub async fn with_tls(tls: TlsAcceptor) -> Self {
        Self::listen(healthy, Some(tls)).await
    }

    async fn listen(handler: impl FnMut(&Request) -> Response + Send + 'static, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            handler: Box::new(handler),
            requests: Vec::new(),
            connections: 0,
            in_flight: 0,
            most_in_flight: 0,
        }));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                // Many tests break the connection, so errors are ignored.
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

    /// Starts a healthy service: the twelve mysfits, and 404 for any other.
    pub async fn healthy() -> Self {
        Self::start(healthy).await
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Replaces the handler, and forgets the requests so far.
    pub fn now(&self, handler: impl FnMut(&Request) -> Response + Send + 'static) {
        let mut state = self.state.lock().unwrap();
        state.handler = Box::new(handler);
        state.requests.clear();
    }

    /// The requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The requested paths so far, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// How many connections were opened so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// The most requests that were in flight at the same time.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.state.lock().unwrap().most_in_flight
    }
}

impl Drop for ScriptedMysfitsService {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The response of a healthy service, with or without the base path `/prod`.
#[must_use]
pub fn healthy(request: &Request) -> Response {
    let fixture = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let mysfits = fixture(include_str!("../../../fixtures/mysfits.json"));
    let path = request.path.trim_start_matches("/prod");
    if path == "/mysfits" {
        return Response::json(&fixture(include_str!("../../../fixtures/service/python-list.json")));
    }
    let id = path.strip_prefix("/mysfits/").unwrap_or_default();
    match mysfits.as_array().unwrap().iter().find(|mysfit| mysfit["mysfitId"] == id) {
        Some(mysfit) => Response::json(mysfit),
        None => Response::text(404, json!({"message": "no such mysfit"}).to_string()),
    }
}

trait Connection: AsyncRead + AsyncWrite + Unpin {
    fn reset_on_close(&self);
}

impl Connection for TcpStream {
    fn reset_on_close(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Connection for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

async fn serve(mut connection: impl Connection, state: &Mutex<State>) -> Option<()> {
    loop {
        let request = read_request(&mut connection).await?;
        let response = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            (state.handler)(&request)
        };
        let keep_alive = respond(&mut connection, response).await;
        state.lock().unwrap().in_flight -= 1;
        keep_alive?;
    }
}

/// Reads a request. A body must have a length.
async fn read_request(connection: &mut impl Connection) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let (method, path) = (method.to_owned(), target.split(' ').next()?.to_owned());
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let mut body = vec![0; headers.get("content-length").map_or(Some(0), |length| length.parse().ok())?];
    connection.read_exact(&mut body).await.ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).ok()? })
}

/// Responds; `None` if the connection closes then.
async fn respond(connection: &mut impl Connection, response: Response) -> Option<()> {
    match response {
        Response::With(status, headers, body) => write(connection, status, &headers, &body, body.len()).await,
        Response::After(delay, response) => {
            tokio::time::sleep(delay).await;
            Box::pin(respond(connection, *response)).await
        }
        Response::Together(barrier, response) => {
            barrier.wait().await;
            Box::pin(respond(connection, *response)).await
        }
        Response::ThenClose(response) => {
            Box::pin(respond(connection, *response)).await?;
            None
        }
        Response::ThenHang(response) => {
            Box::pin(respond(connection, *response)).await?;
            Box::pin(respond(connection, Response::Hang)).await
        }
        Response::Hang => {
            // Until the client closes the connection.
            while connection.read_u8().await.is_ok() {}
            None
        }
        Response::Close => None,
        Response::Reset => {
            connection.reset_on_close();
            None
        }
        Response::Half(body) => {
            write(connection, 200, &[], &body[..body.len() / 2], body.len()).await?;
            None
        }
        Response::HalfThenHang(body) => {
            write(connection, 200, &[], &body[..body.len() / 2], body.len()).await?;
            connection.read_u8().await.ok()?;
            None
        }
        Response::Chunked(body) => {
            let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            connection.write_all((head.to_owned() + &chunks).as_bytes()).await.ok()
        }
        Response::Endless => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.ok()?;
            let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
            loop {
                connection.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
        Response::Garbage => {
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
    // 204 has neither a body nor a content length (RFC 9110, section 15.3.5).
    let length = if status == 204 { String::new() } else { format!("content-length: {length}\r\n") };
    let head = format!("HTTP/1.1 {status} X\r\n{length}{headers}\r\n");
    connection.write_all((head + body).as_bytes()).await.ok()
}
