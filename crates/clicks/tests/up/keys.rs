//! The keys of objects with any characters: unchanged on S3, and encoded in a folder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use test_support::files::files;
use test_support::http::Connection;
use test_support::own_address;
use test_support::up::{STREAM, Up};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A click that the stand-in delivers to the partition of this user.
fn click_of(user: &str) -> String {
    json!({ "do": "partition", "keys": { "userId": user } }).to_string()
}

/// Each object's key without its name, in order.
fn prefixes(keys: &[String]) -> Vec<String> {
    let mut prefixes: Vec<String> = keys.iter().map(|key| key.rsplit_once('/').unwrap().0.to_owned()).collect();
    prefixes.sort();
    prefixes
}

/// The keys on the page.
fn listed(up: &Up) -> Vec<String> {
    let view = up.snapshot();
    let objects = view["objects"].as_array().unwrap();
    objects.iter().map(|object| object["path"].as_str().unwrap().to_owned()).collect()
}

fn shown(up: &Up, key: &str) -> (u16, String) {
    let encoded = key.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let response =
        Connection::open(up.page()).get(&format!("/pipeline/object?stream={STREAM}&path={encoded}"), "localhost");
    (response.status, response.body)
}

const HOSTILE: [&str; 6] = ["alice", "a//b", "/", "../..", "a\0b", "."];

fn arguments(endpoint: &str) -> [&str; 9] {
    [
        "--destination",
        "s3://clicks",
        "--s3-endpoint",
        endpoint,
        "--dynamic-partitioning",
        "--prefix",
        "by//!{partitionKeyFromLambda:userId}/",
        "--error-prefix",
        "/lead/!{firehose:error-output-type}/",
    ]
}

/// An S3 may respond 400 to a key with empty parts or dots.
#[test]
fn a_key_that_an_s3_refuses_is_encoded() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind((own_address(), 0))).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let paths = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&paths);
    let app = Router::new().fallback(async move |method: Method, uri: Uri| {
        if uri.path().split('/').skip(1).any(|part| matches!(part, "" | "." | "..")) {
            return (StatusCode::BAD_REQUEST, "<Error><Code>InvalidURI</Code></Error>");
        }
        let key = uri.path().strip_prefix("/clicks/").unwrap_or_default().replace("%25", "%").replace("%E2%80%A6", "…");
        if key.len() > 1024 {
            return (StatusCode::BAD_REQUEST, "<Error><Code>KeyTooLongError</Code></Error>");
        }
        if method == Method::PUT {
            seen.lock().unwrap().push(uri.path().to_owned());
        }
        (StatusCode::OK, "")
    });
    runtime.spawn(async move { axum::serve(listener, app).await });

    let mut up = Up::start(&arguments(&endpoint));
    up.put(&HOSTILE.map(click_of));
    up.put(&[r#"{"do":"fail"}"#]);
    up.until_processed(7);
    let shown = listed(&up);
    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    let stored = [
        "%/lead/processing-failed",
        "by/%/%/%",
        "by/%/%2E",
        "by/%/%2E%2E/%2E%2E",
        "by/%/a%00b",
        "by/%/a/%/b",
        "by/%/alice",
    ];
    assert_eq!(prefixes(&shown), stored);
    // In a URL, a `%` is encoded itself.
    let on_the_wire: Vec<String> = stored.map(|prefix| format!("/clicks/{}", prefix.replace('%', "%25"))).to_vec();
    assert_eq!(prefixes(&paths.lock().unwrap()), on_the_wire);

    // The encoded key is over the limit.
    let prefix = "../".repeat(150);
    let up = Up::start(&["--destination", "s3://clicks", "--s3-endpoint", &endpoint, "--prefix", &prefix]);
    up.put(&["{}"]);
    up.until_processed(1);
    assert!((1000..=1024).contains(&listed(&up)[0].len()), "{:?}", listed(&up));
}

#[test]
fn s3_gets_keys_with_every_slash_and_dot() {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind((own_address(), 0))).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let paths = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&paths);
    let refused = Arc::new(AtomicBool::new(false));
    let app = Router::new().fallback(async move |method: Method, uri: Uri| {
        if method != Method::PUT {
            return (StatusCode::OK, "");
        }
        // A temporary error is not about the key.
        if !refused.swap(true, Ordering::SeqCst) {
            return (StatusCode::BAD_REQUEST, "<Error><Code>ExpiredToken</Code></Error>");
        }
        seen.lock().unwrap().push(uri.path().to_owned());
        (StatusCode::OK, "")
    });
    runtime.spawn(async move { axum::serve(listener, app).await });

    let mut up = Up::start(&arguments(&endpoint));
    up.put(&HOSTILE.map(click_of));
    up.put(&[r#"{"do":"fail"}"#]);
    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert_eq!(
        prefixes(&paths.lock().unwrap()),
        [
            "/clicks//lead/processing-failed",
            "/clicks/by//.",
            "/clicks/by//../..",
            "/clicks/by///",
            "/clicks/by//a%00b",
            "/clicks/by//a//b",
            "/clicks/by//alice",
        ]
    );
}

#[test]
fn every_key_has_a_path_in_a_folder() {
    let partitioned = ["--dynamic-partitioning", "--prefix", "by/!{partitionKeyFromLambda:userId}/"];
    let mut up = Up::start(&[&partitioned[..], &["--error-prefix", "/lead//!{firehose:error-output-type}/"]].concat());
    up.put(&HOSTILE.map(click_of));
    up.put(&[r#"{"do":"fail"}"#]);
    up.until_processed(7);
    let alice = listed(&up).into_iter().find(|key| key.starts_with("by/alice/")).unwrap();

    // A user with the name of an object, and one with a path below it.
    let user = alice.strip_prefix("by/").unwrap().to_owned();
    up.put(&[click_of(&user)]);
    up.until_processed(8);
    up.put(&[click_of(&format!("{user}/x"))]);
    up.until_processed(9);
    assert!(up.snapshot()["storage_error"].is_null());

    // The page has the keys, and shows each object by its key.
    for key in listed(&up) {
        let (status, body) = shown(&up, &key);
        assert_eq!(status, 200, "{key}");
        if let Some(of_user) = key.strip_prefix("by/") {
            let click: Value = serde_json::from_str(&body).unwrap();
            assert!(of_user.starts_with(click["keys"]["userId"].as_str().unwrap()), "{key} {body}");
        }
    }
    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    assert_eq!(
        end.stdout,
        format!(
            "8 of 9 records delivered, 1 failed, none left\n{STREAM}: 9 accepted, 8 delivered, 0 dropped, 1 failed\n"
        )
    );

    let bucket = up.folder().join("out/bucket");
    let paths = files(&bucket);
    let names: Vec<String> =
        paths.iter().map(|path| path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(
        prefixes(&names),
        [
            "%/lead/%/processing-failed".to_owned(),
            "by/%/%".to_owned(),
            "by/%2E".to_owned(),
            "by/%2E%2E/%2E%2E".to_owned(),
            "by/a%00b".to_owned(),
            "by/a/%/b".to_owned(),
            "by/alice".to_owned(),
            format!("by/{user}%+"),
            format!("by/{user}%+/x"),
        ]
    );
}
