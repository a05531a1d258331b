//! Objects on the page's port: those that the page lists, and no other file.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};
use test_support::http::Response;
use test_support::up::{STREAM, Up};

use crate::site::{CLICK, click, get};

/// The bytes of an object that the page gets.
const MOST_SHOWN: usize = 256 * 1024;

/// The page's request for an object, with everything encoded in the URL.
pub(crate) fn object_url(stream: &str, path: &str) -> String {
    let encoded = path.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    format!("/pipeline/object?stream={stream}&path={encoded}")
}

fn object(up: &Up, stream: &str, path: &str) -> Response {
    get(up, &object_url(stream, path))
}

#[track_caller]
fn assert_is_gone(response: &Response) {
    let expected = r#"{"message":"the object is no longer in the storage"}"#;
    assert_eq!((response.status, response.body.as_str()), (404, expected));
}

/// The newest object that the page lists of a kind.
pub(crate) fn newest(up: &Up, kind: &str) -> String {
    let view = up.snapshot();
    let objects = view["objects"].as_array().unwrap();
    objects.iter().find(|object| object["kind"] == kind).unwrap()["path"].as_str().unwrap().to_owned()
}

#[test]
fn a_listed_object_is_shown_as_text() {
    for compression in ["none", "gzip"] {
        let up = Up::start(&["--compression", compression]);
        up.put(&[CLICK, "{\"do\":\"fail\"}", "{\"do\":\"drop\"}", "\u{e9}"]);
        up.until_processed(4);
        let response = object(&up, STREAM, &newest(&up, "delivered"));
        assert_eq!((response.status, response.body), (200, format!("{CLICK}\n\u{e9}\n")), "{compression}");

        let response = object(&up, STREAM, &newest(&up, "error"));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(response.header("x-truncated"), None);
        let line: Value = serde_json::from_str(&response.body).unwrap();
        assert_eq!(line["errorCode"], "Lambda.ProcessingFailedStatus");
    }
}

#[test]
fn a_long_object_is_truncated() {
    for compression in ["none", "gzip"] {
        let up = Up::start(&["--compression", compression]);
        // The stand-in adds a line's end.
        for (number, (bytes, truncated)) in [(MOST_SHOWN - 1, None), (MOST_SHOWN, Some("true"))].into_iter().enumerate()
        {
            let record: String = ('a'..='w').cycle().take(bytes).collect();
            up.put(&[&record]);
            up.until_processed(number as u64 + 1);
            let response = object(&up, STREAM, &newest(&up, "delivered"));
            assert_eq!(
                (response.status, response.header("x-truncated")),
                (200, truncated),
                "{compression} {bytes}: {response:?}"
            );
            assert_eq!(response.body.len(), MOST_SHOWN);
            assert!((record + "\n").starts_with(&response.body));
        }
    }
}

#[test]
fn an_unlisted_object_is_not_shown() {
    let up = Up::start(&[]);
    click(&up, CLICK);
    up.until_processed(1);
    let listed = newest(&up, "delivered");
    let bucket = up.folder().join("out/bucket");
    fs::write(bucket.join("firehose/other"), "of another user").unwrap();
    let not_listed = "not one of the last objects of this stream, and of none of its kept records";
    for (stream, path, message) in [
        (STREAM, "firehose/other", not_listed),
        (STREAM, "../function.log", not_listed),
        (STREAM, "/etc/passwd", not_listed),
        (STREAM, "firehose", not_listed),
        (STREAM, "", not_listed),
        (STREAM, &format!("/{listed}"), not_listed),
        (STREAM, &format!("firehose/../{listed}"), not_listed),
        (STREAM, &listed.to_uppercase(), not_listed),
        ("other", &listed, "unknown stream"),
    ] {
        let response = object(&up, stream, path);
        let expected = json!({ "message": message }).to_string();
        assert_eq!((response.status, response.body), (404, expected), "{path}");
    }
    object(&up, STREAM, &listed).is(200);
    fs::remove_file(bucket.join(&listed)).unwrap();
    assert_is_gone(&object(&up, STREAM, &listed));
}

#[test]
fn only_a_regular_file_below_the_folder_is_shown() {
    let up = Up::start(&[]);
    click(&up, CLICK);
    up.until_processed(1);
    let listed = newest(&up, "delivered");
    let (object_path, secret) = (up.folder().join("out/bucket").join(&listed), up.folder().join("secret"));
    fs::write(&secret, "of another user").unwrap();
    let hour = object_path.parent().unwrap();
    let (other, name) = (up.folder().join("other"), object_path.file_name().unwrap());
    fs::create_dir(&other).unwrap();
    fs::write(other.join(name), "of another user").unwrap();
    for replace in [
        &|| symlink(&secret, &object_path).unwrap(),
        &|| assert!(Command::new("mkfifo").arg(&object_path).status().unwrap().success()),
        &|| {
            fs::remove_dir(hour).unwrap();
            symlink(&other, hour).unwrap();
        },
    ] as [&dyn Fn(); 3]
    {
        fs::remove_file(&object_path).unwrap();
        replace();
        assert_is_gone(&object(&up, STREAM, &listed));
    }
}

#[test]
fn the_record_of_a_click_is_the_body_without_white_space() {
    let up = Up::start(&["--backup-prefix", "source/"]);
    for (number, (body, record)) in [
        (CLICK, CLICK),
        (" {\r\n\t\"mysfitId\" : \"a-1\" , \"userId\" : \"a  b\" }\n", r#"{"mysfitId":"a-1","userId":"a  b"}"#),
        (r#"{"userId":"\u00e9 é \/ \"x\"","mysfitId":"1"}"#, r#"{"userId":"\u00e9 é \/ \"x\"","mysfitId":"1"}"#),
        (r#"{"userId":"","mysfitId":"1"}"#, r#"{"userId":"","mysfitId":"1"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        click(&up, body);
        let backups = |view: &Value| {
            let objects = view["objects"].as_array().unwrap();
            objects.iter().filter(|object| object["kind"] == "backup").count()
        };
        up.until(|view| backups(view) > number);
        // Without a line's end: Firehose adds none.
        assert_eq!(object(&up, STREAM, &newest(&up, "backup")).body, record);
    }
}
