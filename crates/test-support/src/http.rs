//! HTTP/1.1 as bytes: a test can send requests that no client library would send.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use crate::PATIENCE;

/// A connection that stays open between requests.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects to `http://ADDRESS:PORT`.
    #[must_use]
    pub fn open(url: &str) -> Self {
        let connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.set_nodelay(true).unwrap();
        Self(BufReader::new(connection))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Whether the server has responded or closed the connection. Does not wait.
    pub fn is_answered(&mut self) -> bool {
        self.0.get_ref().set_nonblocking(true).unwrap();
        let answered = match self.0.fill_buf() {
            Err(error) => error.kind() != ErrorKind::WouldBlock,
            Ok(_) => true,
        };
        self.0.get_ref().set_nonblocking(false).unwrap();
        answered
    }

    /// Sends a request and reads the response. Each of `headers` ends with CR LF.
    pub fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send((head + body).as_bytes());
        self.response()
    }

    /// Requests a path, with this `Host`. The path is sent as it is.
    pub fn get(&mut self, path: &str, host: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        self.response()
    }

    /// The rest of the next line that begins with `start`.
    pub fn line_with(&mut self, start: &str) -> String {
        let mut lines = self.0.by_ref().lines().map(Result::unwrap);
        lines.find_map(|line| line.strip_prefix(start).map(ToOwned::to_owned)).expect(start)
    }

    /// All bytes until the server closes the connection. Fails after [`PATIENCE`], so that an endless event stream fails, too.
    pub fn rest(&mut self) -> String {
        let patience = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        while self.0.read_until(b'\n', &mut rest).unwrap() > 0 {
            assert!(Instant::now() < patience, "the connection stays open: {}", String::from_utf8_lossy(&rest));
        }
        String::from_utf8(rest).unwrap()
    }

    /// The next response, which must have a `Content-Length`.
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        let length = response.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }

    /// The next response without its body.
    pub fn head(&mut self) -> Response {
        let lines: Vec<String> =
            self.0.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, lines, body: String::new() }
    }
}

/// A response, whole, so that a failed assertion shows all of it.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    lines: Vec<String>,
    /// The body as text.
    pub body: String,
}

impl Response {
    /// Asserts the status.
    #[track_caller]
    pub fn is(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    /// The body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of the first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.iter().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
