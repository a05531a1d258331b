//! The function's side of the Runtime API in a few lines of the standard library: for stand-in functions in tests, which
//! should build at once and do what no real runtime would let them do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// An event as the function gets it.
#[derive(Debug)]
pub struct Event {
    /// The id to answer to.
    pub request_id: String,
    /// `Lambda-Runtime-Deadline-Ms` as it came.
    pub deadline_ms: String,
    /// `Lambda-Runtime-Invoked-Function-Arn` as it came.
    pub function_arn: String,
    /// `Lambda-Runtime-Trace-Id` as it came.
    pub trace_id: String,
    /// The payload.
    pub body: Vec<u8>,
}

/// Waits for the next event. A refusal is an error that tells the status.
pub fn next() -> io::Result<Event> {
    let answer = call("GET", "/2018-06-01/runtime/invocation/next", b"")?;
    if answer.status != 200 {
        return Err(io::Error::other(format!("the Runtime API answered {}", answer.status)));
    }
    let header = |name: &str| answer.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    Ok(Event {
        request_id: header("lambda-runtime-aws-request-id").unwrap_or_default(),
        deadline_ms: header("lambda-runtime-deadline-ms").unwrap_or_default(),
        function_arn: header("lambda-runtime-invoked-function-arn").unwrap_or_default(),
        trace_id: header("lambda-runtime-trace-id").unwrap_or_default(),
        body: answer.body,
    })
}

/// Answers an event; gives the status.
pub fn reply(request_id: &str, body: &[u8]) -> io::Result<u16> {
    call("POST", &format!("/2018-06-01/runtime/invocation/{request_id}/response"), body).map(|answer| answer.status)
}

/// Says that an event failed; gives the status.
pub fn error(request_id: &str, error_type: &str, message: &str) -> io::Result<u16> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string();
    let path = format!("/2018-06-01/runtime/invocation/{request_id}/error");
    call("POST", &path, body.as_bytes()).map(|answer| answer.status)
}

/// Says that the function can't start; gives the status.
pub fn init_error(error_type: &str, message: &str) -> io::Result<u16> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string();
    call("POST", "/2018-06-01/runtime/init/error", body.as_bytes()).map(|answer| answer.status)
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// One request on its own connection.
fn call(method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(&host)?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;

    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok(Answer { status, headers, body })
}
