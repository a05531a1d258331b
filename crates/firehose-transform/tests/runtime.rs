//! The function over a Runtime API of its own, which responds as each test says.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use firehose_transform::{Diagnostic, Event, Invocation, Outcome};
use serde_json::{Value, json};

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(60);

const EVENT: &str = r#"{"invocationId":"i","records":[{"recordId":"a","data":"aGk="}]}"#;

/// What the function posts.
#[derive(Debug)]
struct Posted {
    path: String,
    headers: BTreeMap<String, Vec<u8>>,
    body: Value,
}

/// An invocation, and the status of the response to what the function posts.
struct Given {
    payload: &'static str,
    invocation_id: &'static [u8],
    status: &'static str,
}

impl Default for Given {
    fn default() -> Self {
        Self { payload: EVENT, invocation_id: b"invocation-1", status: "202 Accepted" }
    }
}

/// Not a test but the function: the tests run this executable with only it.
#[test]
#[ignore = "run by the other tests"]
fn function() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let handler = async |event: &Event<'_>, invocation: &Invocation| {
            assert!(!event.is_empty(), "no records");
            let first = event.records().flatten().next().map(|record| record.data().to_vec());
            match first.as_deref() {
                Some(b"error") => Err(Diagnostic {
                    error_type: "ServiceUnavailable".to_owned(),
                    error_message: "the service is down".to_owned(),
                }),
                _ => Ok(event.transform(|record| match record.data() {
                    b"context" => {
                        let time = invocation.time_left() > Duration::from_secs(20);
                        Ok(Outcome::Ok(format!("{} {:?} {time}", invocation.request_id, invocation.trace_id).into()))
                    }
                    data => Ok(Outcome::Ok(data.to_ascii_uppercase())),
                })),
            }
        };
        firehose_transform::run_batch(handler).await.unwrap();
    });
}

/// Runs the function until it has posted something for each invocation.
fn posted(invocations: Vec<Given>) -> Vec<Posted> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let count = invocations.len();
    let script = Arc::new(Mutex::new(invocations.into_iter().enumerate().collect::<Vec<_>>()));
    let (sender, posted): (_, Receiver<Posted>) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (script, sender) = (Arc::clone(&script), sender.clone());
            thread::spawn(move || serve(stream, &script, &sender));
        }
    });
    let mut function = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "function", "--ignored", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .envs([("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let posted = (0..count).map(|_| posted.recv_timeout(PATIENCE).unwrap()).collect();
    function.kill().unwrap();
    function.wait().unwrap();
    posted
}

/// Serves one connection of the function.
fn serve(mut stream: TcpStream, script: &Mutex<Vec<(usize, Given)>>, sender: &Sender<Posted>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let path = line.split(' ').nth(1).unwrap().to_owned();
        let headers = headers(&mut reader);
        let length = headers.get("content-length").map_or(0, |length| str::from_utf8(length).unwrap().parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        if line.starts_with("GET") {
            let next =
                script.lock().unwrap().first().map(|(index, given)| (*index, given.payload, given.invocation_id));
            let Some((index, payload, invocation_id)) = next else {
                // Lambda freezes the environment.
                thread::sleep(PATIENCE);
                return;
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: request-{index}\r\nlambda-runtime-deadline-ms: 600000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\
                 lambda-runtime-trace-id: Root=1-2\r\nContent-Length: {}\r\nlambda-runtime-invocation-id: ",
                payload.len()
            );
            stream.write_all(&[head.as_bytes(), invocation_id, b"\r\n\r\n", payload.as_bytes()].concat()).unwrap();
        } else {
            let (_, given) = script.lock().unwrap().remove(0);
            let response = format!("HTTP/1.1 {}\r\nContent-Length: 15\r\n\r\n{{\"status\":\"OK\"}}", given.status);
            stream.write_all(response.as_bytes()).unwrap();
            sender.send(Posted { path, headers, body: serde_json::from_slice(&body).unwrap() }).unwrap();
        }
    }
}

fn headers(reader: &mut BufReader<TcpStream>) -> BTreeMap<String, Vec<u8>> {
    let lines = std::iter::from_fn(|| {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        Some(line.trim_ascii().to_vec()).filter(|line| !line.is_empty())
    });
    lines
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            (str::from_utf8(&line[..colon]).unwrap().to_lowercase(), line[colon + 1..].trim_ascii().to_vec())
        })
        .collect()
}

fn ok(data: &str) -> Value {
    json!({"records": [{"recordId": "a", "result": "Ok", "data": data}]})
}

#[test]
fn responses_and_errors_are_posted_to_their_invocation() {
    let payloads = [
        (EVENT, "response", ok("SEk=")),
        (
            r#"{"records":[{"recordId":"a","data":"ZXJyb3I="}]}"#,
            "error",
            json!({"errorType": "ServiceUnavailable", "errorMessage": "the service is down"}),
        ),
        (
            r#"{"records":[]}"#,
            "error",
            json!({"errorType": "Panic", "errorMessage": "the function panicked: no records"}),
        ),
        (
            "{}",
            "error",
            json!({
                "errorType": "NotAFirehoseEvent",
                "errorMessage": "not a Firehose transformation event: no object with an array `records` of objects at line 1, column 2",
            }),
        ),
        // The function goes on after each of them.
        (EVENT, "response", ok("SEk=")),
    ];
    let given = payloads.iter().map(|(payload, _, _)| Given { payload, ..Given::default() }).collect();
    for (index, (posted, (_, kind, body))) in posted(given).into_iter().zip(payloads).enumerate() {
        assert_eq!(posted.path, format!("/2018-06-01/runtime/invocation/request-{index}/{kind}"));
        assert_eq!(posted.body, body);
        assert_eq!(posted.headers["lambda-runtime-invocation-id"], b"invocation-1");
        let error_type =
            posted.headers.get("lambda-runtime-function-error-type").map(|text| str::from_utf8(text).unwrap());
        assert_eq!(error_type, body["errorType"].as_str());
    }
}

#[test]
fn a_malformed_invocation_id_is_left_out() {
    let [posted] = &*posted(vec![Given { invocation_id: b"\xff", ..Given::default() }]) else { panic!("one response") };
    assert_eq!((posted.headers.get("lambda-runtime-invocation-id"), &posted.body), (None, &ok("SEk=")));
}

#[test]
fn a_refused_response_does_not_end_the_function() {
    for status in ["410 Gone", "413 Payload Too Large", "500 Internal Server Error"] {
        let posted = posted(vec![Given { status, ..Given::default() }, Given::default()]);
        assert_eq!(posted[1].body, ok("SEk="), "{status}");
    }
}

#[test]
fn a_handler_has_the_context_of_its_invocation() {
    let payload = r#"{"records":[{"recordId":"a","data":"Y29udGV4dA=="}]}"#;
    let posted = posted(vec![Given { payload, ..Given::default() }]);
    let expected =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, r#"request-0 Some("Root=1-2") true"#);
    assert_eq!(posted[0].body, ok(&expected));
}
