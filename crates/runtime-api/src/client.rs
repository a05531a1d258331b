//! A minimal client of the Runtime API with only the standard library, for test functions. They build fast, and can misbehave in ways that a
//! real runtime prevents.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// An event.
#[derive(Debug)]
pub struct Event {
    /// The request id.
    pub request_id: String,
    /// `Lambda-Runtime-Deadline-Ms`.
    pub deadline_ms: String,
    /// `Lambda-Runtime-Invoked-Function-Arn`.
    pub function_arn: String,
    /// `Lambda-Runtime-Trace-Id`.
    pub trace_id: String,
    /// The payload.
    pub body: Vec<u8>,
}

/// Waits for the next event. The error for a refused call has its status.
pub fn next() -> io::Result<Event> {
    let (status, mut headers, body) = call("GET", "invocation/next", b"")?;
    if status != 200 {
        return Err(io::Error::other(format!("the Runtime API responded {status}")));
    }
    let mut header = |name: &str| headers.remove(name).unwrap_or_default();
    Ok(Event {
        request_id: header("lambda-runtime-aws-request-id"),
        deadline_ms: header("lambda-runtime-deadline-ms"),
        function_arn: header("lambda-runtime-invoked-function-arn"),
        trace_id: header("lambda-runtime-trace-id"),
        body,
    })
}

/// Sends the response to an event; returns the status.
pub fn reply(request_id: &str, body: &[u8]) -> io::Result<u16> {
    call("POST", &format!("invocation/{request_id}/response"), body).map(|(status, ..)| status)
}

/// Reports that an event failed; returns the status.
pub fn error(request_id: &str, error_type: &str, message: &str) -> io::Result<u16> {
    report_error(&format!("invocation/{request_id}/error"), error_type, message)
}

/// Reports that the function can't start; returns the status.
pub fn init_error(error_type: &str, message: &str) -> io::Result<u16> {
    report_error("init/error", error_type, message)
}

fn report_error(path: &str, error_type: &str, message: &str) -> io::Result<u16> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message }).to_string();
    call("POST", path, body.as_bytes()).map(|(status, ..)| status)
}

/// Returns the status, the headers by their names in lower case, and the body.
fn call(method: &str, path: &str, body: &[u8]) -> io::Result<(u16, HashMap<String, String>, Vec<u8>)> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(&host)?;
    let length = body.len();
    write!(
        stream,
        "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\n\
         host: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;

    let mut reader = BufReader::new(stream);
    let mut lines = reader.by_ref().lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = HashMap::new();
    while let Some(line) = lines.next().transpose()?
        && let Some((name, value)) = line.split_once(": ")
    {
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok((status, headers, body))
}
