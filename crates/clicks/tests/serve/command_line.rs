//! The address that it prints, and its end.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::json;
use test_support::http::Connection;

use crate::harness::{Serve, command};

#[test]
fn the_printed_address_serves_both_apis_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(folder.path(), &[]);
    let streams = serve.call("Firehose_20150804.ListDeliveryStreams", &json!({})).json();
    assert_eq!(streams, json!({ "DeliveryStreamNames": [], "HasMoreDeliveryStreams": false }));
    let streams = serve.call("Kinesis_20131202.ListStreams", &json!({})).json();
    assert_eq!(streams, json!({ "StreamNames": [], "HasMoreStreams": false, "StreamSummaries": [] }));
    for path in ["/", "/pipeline/", "/clicks", "/v2/orders"] {
        assert_eq!(Connection::open(&serve.endpoint).get(path, "localhost").status, 404, "{path}");
    }
}

#[test]
fn a_signal_stops_it() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let folder = tempfile::tempdir().unwrap();
        let mut serve = Serve::start(folder.path(), &[]);
        serve.signal(signal);
        let end = serve.end();
        assert_eq!((end.code, end.stdout.as_str(), end.stderr.as_str()), (Some(0), "", ""), "{signal}");
    }
}

#[test]
fn wrong_usage_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let toml = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    toml("f.toml", "[functions.f]\ncommand = 'cat'\n");
    toml("key.toml", "[functions.f]\ncommand = 'cat'\nmemory = 128\n");
    toml("up.toml", "[pipeline]\nport = 0\n[functions.f]\ncommand = 'cat'\n");
    for (arguments, code, message) in [
        (&["--host", "127.0.0.1", "--port", &port][..], 1, "choose another port with `--port N`"),
        (&["--port", "65536"], 2, "accepted is a whole number from 0 to 65535"),
        (&["--host", "192.0.2.1"], 2, "found 192.0.2.1, which this machine does not have"),
        (&["--host", "example.com"], 2, "accepted is an IP address"),
        (&["--stop-seconds", "3601"], 2, "accepted is a whole number from 0 to 3600"),
        (&["--retention-mb", "0"], 2, "accepted is a whole number from 1 to 65536"),
        (&["--destination", "s3://bucket"], 2, "accepted is a folder, or s3://"),
        (&["--s3-endpoint", "http://127.0.0.1:9000"], 2, "needs `--destination s3://`"),
        (&["--function-map", "f"], 2, "accepted is NAME=COMMAND"),
        (&["--function-map", "f=/no/such/command"], 2, "not an executable file"),
        (&["--function-map", "a.b=cat"], 2, "`--function-map a.b=…`: found `a.b`; accepted is the name of a function"),
        (
            &["--config", "f.toml", "--function-map", "f=cat -n"],
            2,
            "[functions.f] in f.toml and `--function-map f=…`: both are the function f; leave one of them out",
        ),
        (&["--config", "key.toml"], 2, "key.toml, line 3, column 1: unknown key `memory`: did you mean `memory-mb`?"),
        (
            &["--config", "up.toml"],
            2,
            "`--config up.toml`: found [pipeline]; accepted are tables [functions.NAME] only; ",
        ),
        (&["--config", "nowhere.toml"], 2, "could not read `--config nowhere.toml`: No such file or directory"),
        (&["--destination", "s3://"], 2, "needs credentials"),
    ] {
        let output = command(folder.path(), arguments).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && stderr.contains(message), "{arguments:?}: {stderr}");
    }
}
