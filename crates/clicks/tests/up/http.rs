//! HTTP as bytes, so that a test can send what no client would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;
use test_support::PATIENCE;

/// A connection that stays open from one request to the next.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// To `http://ADDRESS:PORT`.
    pub(crate) fn open(url: &str) -> Self {
        let connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.set_nodelay(true).unwrap();
        Self(BufReader::new(connection))
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// `headers` with a line's end each.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n");
        self.send((head + body).as_bytes());
        self.answer()
    }

    /// A path as it is, at a host by its name.
    pub(crate) fn get(&mut self, path: &str, host: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        self.answer()
    }

    /// The rest of the next line that begins so.
    pub(crate) fn line_with(&mut self, start: &str) -> String {
        let mut lines = self.0.by_ref().lines().map(Result::unwrap);
        lines.find_map(|line| line.strip_prefix(start).map(ToOwned::to_owned)).expect(start)
    }

    /// What comes until the other side ends the connection. It may not go on for ever, as an event stream does.
    pub(crate) fn rest(&mut self) -> String {
        let patience = Instant::now() + PATIENCE;
        let mut rest = Vec::new();
        while self.0.read_until(b'\n', &mut rest).unwrap() > 0 {
            assert!(Instant::now() < patience, "the connection does not end: {}", String::from_utf8_lossy(&rest));
        }
        String::from_utf8(rest).unwrap()
    }

    /// The next answer, which has to tell its length.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let length = answer.header("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// The next answer but for its body.
    pub(crate) fn head(&mut self) -> Answer {
        let lines: Vec<String> =
            self.0.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, lines, body: String::new() }
    }
}

/// All of it, so that a test that fails shows what it got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    lines: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    /// The status is as it should be.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.lines.iter().filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
