//! Clients that send slowly or not at all: they get 408 or a closed connection, and delay no other client.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use test_support::PATIENCE;
use test_support::http::Connection;
use test_support::up::{Up, batch};

use crate::data_streams::{self, STREAMS};

const CLICK: &str = r#"{"userId":"guest","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
const JSON: &str = "Content-Type: application/json\r\n";

/// Of each kind.
const SLOW: usize = 64;

/// One byte of a hundred.
const SLOW_BODY: &str = "Host: localhost\r\nContent-Length: 100\r\n\r\n{";

fn start(folder: &Path) -> Up {
    // Enough for all slow clients, again and again.
    data_streams::start(folder, STREAMS, &["--function", "none", "--rate", "1000000", "--burst", "1000000"])
}

/// Slow clients of each route, and the beginnings of their responses, which may be none.
fn slow(up: &Up, clients: usize) -> Vec<(Connection, &'static str)> {
    let [page, firehose, kinesis] = [up.page(), up.firehose(), up.address("kinesis")];
    let target = |operation: &str| format!("POST / HTTP/1.1\r\nX-Amz-Target: {operation}\r\n{SLOW_BODY}");
    let half_a_head = || "POST / HTTP/1.1\r\nHost: loc".to_owned();
    let timeout = "HTTP/1.1 408 Request Timeout\r\n";
    let kinds = [
        (page, format!("PUT /clicks HTTP/1.1\r\n{SLOW_BODY}"), timeout),
        (page, format!("POST /v2/orders HTTP/1.1\r\n{SLOW_BODY}"), timeout),
        (page, half_a_head(), ""),
        (firehose, target("Firehose_20150804.PutRecordBatch"), timeout),
        (firehose, half_a_head(), ""),
        (kinesis, target("Kinesis_20131202.PutRecords"), timeout),
        (kinesis, half_a_head(), ""),
    ];
    let mut slow = Vec::new();
    for (url, bytes, response) in kinds {
        slow.extend((0..clients).map(|_| {
            let mut connection = Connection::open(url);
            connection.send(bytes.as_bytes());
            (connection, response)
        }));
    }
    slow
}

/// All get their responses before the first slow client is given up.
#[test]
fn slow_clients_delay_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path());
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut slow = slow(&up, SLOW);
        let mut page = Connection::open(up.page());
        page.ask("PUT", "/clicks", JSON, CLICK).is(200);
        page.ask("POST", "/v2/orders", JSON, "{}").is(200);
        up.call("PutRecordBatch", &batch("clicks", &[CLICK])).is(200);
        let record = json!({ "PartitionKey": "a", "Data": "e30=" });
        data_streams::call(&up, "PutRecords", &json!({ "StreamName": "orders", "Records": [record] })).is(200);
        let answered = slow.iter_mut().map(|(connection, _)| usize::from(connection.is_answered())).sum::<usize>();
        if answered == 0 {
            return;
        }
        // A machine that is busy for seconds is no failure.
        assert!(Instant::now() < patience, "{answered} slow clients were answered first");
    }
}

#[test]
fn slow_clients_get_a_timeout_or_a_closed_connection() {
    let folder = tempfile::tempdir().unwrap();
    let up = start(folder.path());
    for (mut connection, response) in slow(&up, 8) {
        let received = connection.rest();
        assert!(received.starts_with(response) && received.is_empty() == response.is_empty(), "{received}");
    }
}

/// Others get their places: 300 are more than one server has.
#[test]
fn idle_connections_are_closed() {
    let up = Up::start(&[]);
    let mut idle: Vec<Connection> = (0..300).map(|_| Connection::open(up.firehose())).collect();
    // After a request, too.
    let mut kept = Connection::open(up.page());
    kept.get("/", "localhost").is(200);
    up.put(&[CLICK]);
    idle.push(kept);
    for connection in &mut idle {
        assert_eq!(connection.rest(), "");
    }
}

#[test]
fn over_the_rate_no_body_is_awaited() {
    let up = Up::start(&["--rate", "1", "--burst", "1"]);
    let length = CLICK.len();
    let head = format!("PUT /clicks HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {length}\r\n\r\n");
    let throttled = || {
        let mut connection = Connection::open(up.page());
        connection.ask("PUT", "/clicks", JSON, CLICK);
        connection.send(head.as_bytes());
        let response = connection.response();
        (response.status == 429).then_some(connection)
    };
    let patience = Instant::now() + PATIENCE;
    // On a busy machine a second may pass between the two clicks, and then the second one is within the rate.
    let mut connection = std::iter::repeat_with(throttled)
        .take_while(|_| Instant::now() < patience)
        .flatten()
        .next()
        .expect("a click over the rate");
    // The connection stays open for the body, and for the next request.
    connection.send(CLICK.as_bytes());
    let next = connection.ask("PUT", "/clicks", JSON, CLICK);
    assert!([200, 429].contains(&next.status), "{next:?}");
}
