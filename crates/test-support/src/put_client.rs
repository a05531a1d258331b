//! A fast client of `PutRecordBatch` that returns an error, instead of failing its test, when its Firehose is killed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::up::STREAM;

/// The most records of a `PutRecordBatch`.
pub const BATCH: usize = 500;

/// A connection that stays open between batches.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects to `http://ADDRESS:PORT`.
    pub fn open(url: &str) -> io::Result<Self> {
        let connection = TcpStream::connect(url.trim_start_matches("http://"))?;
        connection.set_nodelay(true)?;
        Ok(Self(BufReader::new(connection)))
    }

    /// Puts a [`request`]. The inner error is the whole response when a record was refused; after the outer one, the outcome is unknown.
    pub fn put(&mut self, request: &[u8]) -> io::Result<Result<(), String>> {
        self.0.get_mut().write_all(request)?;
        let mut length = 0;
        let mut response = String::new();
        while !response.ends_with("\r\n\r\n") {
            let start = response.len();
            if self.0.read_line(&mut response)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(value) = response[start..].strip_prefix("content-length: ") {
                length = value.trim_end().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let accepted =
            response.starts_with("HTTP/1.1 200 ") && body.starts_with(br#"{"Encrypted":false,"FailedPutCount":0,"#);
        Ok(if accepted { Ok(()) } else { Err(response + &String::from_utf8_lossy(&body)) })
    }
}

/// The bytes of a `PutRecordBatch` request.
#[must_use]
pub fn request(records: impl Iterator<Item = impl AsRef<[u8]>>) -> Vec<u8> {
    let mut body = format!(r#"{{"DeliveryStreamName":"{STREAM}","Records":["#);
    for (index, record) in records.enumerate() {
        body.push_str(if index == 0 { r#"{"Data":""# } else { r#",{"Data":""# });
        STANDARD.encode_string(record, &mut body);
        body.push_str(r#""}"#);
    }
    body.push_str("]}");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: Firehose_20150804.PutRecordBatch\r\nContent-Length: {}\r\n\r\n",
        body.len(),
    );
    (head + &body).into_bytes()
}
