//! `/clicks` of the edge, as a browser or another client sees it.

use std::fs;

use test_support::http::{Connection, Response};
use test_support::up::Up;

const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

/// CORS headers for module 5's pages.
const CORS: [(&str, &str); 3] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "OPTIONS,PUT"),
    ("access-control-allow-headers", "Content-Type"),
];

/// Checks the status, the body, and the headers of API Gateway.
#[track_caller]
fn is(response: &Response, status: u16, body: &str) {
    assert_eq!((response.status, response.body.as_str()), (status, body), "{response:?}");
    assert_eq!(response.header("content-type"), Some("application/json"));
    for (name, value) in CORS {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!(response.header("x-amzn-requestid").map(str::len), Some(36));
}

fn ask(connection: &mut Connection, method: &str, headers: &str, body: &str) -> Response {
    connection.ask(method, "/clicks", headers, body)
}

/// The deployed value, which is in the snapshot of the template.
fn max_age() -> String {
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/test/snapshots/ClickStream.snapshot.json");
    let snapshot = fs::read_to_string(snapshot).unwrap();
    let (_, value) = snapshot.split_once("Access-Control-Max-Age\": \"'").unwrap();
    value.split('\'').next().unwrap().to_owned()
}

/// A click with trailing spaces, of this size.
fn padded(bytes: usize) -> String {
    CLICK.to_owned() + &" ".repeat(bytes - CLICK.len())
}

#[test]
fn responses_to_clicks_are_those_of_api_gateway() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    // One connection for all: an error does not close it.
    for (headers, body, status, response) in [
        (JSON, CLICK, 200, r#"{"status":"OK"}"#),
        ("Content-Type: application/json; charset=utf-8\r\n", CLICK, 200, r#"{"status":"OK"}"#),
        ("", CLICK, 200, r#"{"status":"OK"}"#),
        (JSON, &padded(8192), 200, r#"{"status":"OK"}"#),
        (JSON, &padded(8193), 413, r#"{"message":"Request Too Long"}"#),
        ("Content-Type: text/plain\r\n", CLICK, 415, r#"{"message":"Unsupported Media Type"}"#),
        (JSON, "{}", 400, r#"{"message":"Invalid request body: userId is missing; mysfitId is missing"}"#),
        (
            JSON,
            r#"{"userId":{"sub":"secret"},"mysfitId":"a b"}"#,
            400,
            r#"{"message":"Invalid request body: mysfitId does not match ^[A-Za-z0-9_-]{1,128}$; userId is not of type string"}"#,
        ),
        (
            JSON,
            "",
            400,
            r#"{"message":"Invalid request body: it is not JSON (EOF while parsing a value at line 1 column 0)"}"#,
        ),
        (JSON, CLICK, 200, r#"{"status":"OK"}"#),
    ] {
        is(&ask(&mut connection, "PUT", headers, body), status, response);
    }
}

#[test]
fn a_preflight_is_allowed_and_other_methods_are_unknown() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    let origin = "Origin: https://mysfits.example\r\nAccess-Control-Request-Method: PUT\r\n";
    let preflight = ask(&mut connection, "OPTIONS", origin, "");
    is(&preflight, 200, "");
    assert_eq!(preflight.header("access-control-max-age"), Some(max_age().as_str()));
    assert_eq!(ask(&mut connection, "PUT", JSON, CLICK).header("access-control-max-age"), None);
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        is(&ask(&mut connection, method, JSON, CLICK), 403, r#"{"message":"Missing Authentication Token"}"#);
    }
}

#[test]
fn any_host_is_accepted() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    let length = CLICK.len();
    let request =
        format!("PUT /clicks HTTP/1.1\r\nHost: clicks.example\r\n{JSON}Content-Length: {length}\r\n\r\n{CLICK}");
    connection.send(request.as_bytes());
    is(&connection.response(), 200, r#"{"status":"OK"}"#);
}

#[test]
fn each_response_has_an_id_of_its_own() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    let ids = [(); 2].map(|()| ask(&mut connection, "PUT", JSON, CLICK).header("x-amzn-requestid").unwrap().to_owned());
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_body_of_unknown_length_is_limited() {
    let up = Up::start(&[]);
    for (bytes, status, body) in [(8192, 200, r#"{"status":"OK"}"#), (8193, 413, r#"{"message":"Request Too Long"}"#)] {
        let mut connection = Connection::open(up.page());
        let head = format!("PUT /clicks HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
        connection.send(head.as_bytes());
        for chunk in padded(bytes).as_bytes().chunks(1000) {
            connection.send(format!("{:x}\r\n{}\r\n", chunk.len(), str::from_utf8(chunk).unwrap()).as_bytes());
        }
        connection.send(b"0\r\n\r\n");
        is(&connection.response(), status, body);
    }
}

/// The longest body that a browser sends for a closed page. It is read, so that the client sees the response.
#[test]
fn a_long_body_does_not_reset_the_connection() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    is(&ask(&mut connection, "PUT", JSON, &padded(65536)), 413, r#"{"message":"Request Too Long"}"#);
    is(&ask(&mut connection, "PUT", JSON, CLICK), 200, r#"{"status":"OK"}"#);
}

#[test]
fn clicks_over_the_rate_are_throttled() {
    let up = Up::start(&["--rate", "1", "--burst", "3"]);
    let mut connection = Connection::open(up.page());
    let responses: Vec<Response> = (0..50).map(|_| ask(&mut connection, "PUT", JSON, CLICK)).collect();
    for response in &responses[..3] {
        is(response, 200, r#"{"status":"OK"}"#);
    }
    let refused = responses.iter().find(|response| response.status != 200).expect("50 clicks came within 47 seconds");
    is(refused, 429, r#"{"message":"Too Many Requests"}"#);
}

/// Takes the five seconds before the minimum rate applies.
#[test]
fn a_body_that_does_not_arrive_is_a_timeout() {
    let up = Up::start(&[]);
    let mut connection = Connection::open(up.page());
    connection
        .send(format!("PUT /clicks HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 99\r\n\r\n{{").as_bytes());
    is(&connection.response(), 408, r#"{"message":"Request Timeout"}"#);
}
