//! `/pipeline/object` with `whole` and `download`.

use test_support::http::Connection;
use test_support::s3::{Gate, S3};
use test_support::until;
use test_support::up::{STREAM, Up};

use crate::shown_objects::{newest, object_url};

/// More than the page shows at first.
const LONG: usize = 300 * 1024;

fn url(up: &Up, kind: &str) -> String {
    object_url(STREAM, &newest(up, kind))
}

#[test]
fn a_whole_object_is_not_truncated_and_can_be_saved() {
    for (compression, extension) in [("none", ""), ("gzip", ".gz")] {
        let up = Up::start(&["--compression", compression]);
        let record: String = ('a'..='w').cycle().take(LONG).collect();
        up.put(&[&record]);
        up.until_processed(1);
        let (path, url) = (newest(&up, "delivered"), url(&up, "delivered"));
        let (_, name) = path.rsplit_once('/').unwrap();
        let attachment = format!("attachment; filename=\"{}\"", name.strip_suffix(extension).unwrap());
        let text = "text/plain; charset=utf-8";
        let mut connection = Connection::open(up.page());
        for (more, content_type, disposition) in [
            ("&whole=true", text, None),
            ("&download=true", "application/octet-stream", Some(attachment.as_str())),
            ("&whole=true&download=true", "application/octet-stream", Some(&attachment)),
        ] {
            let response = connection.get(&format!("{url}{more}"), "localhost");
            assert_eq!(
                (response.status, response.header("content-type"), response.header("content-disposition")),
                (200, Some(content_type), disposition),
                "{compression} {more}"
            );
            assert_eq!(response.header("x-truncated"), None, "{compression} {more}");
            assert!(response.body == format!("{record}\n"), "{compression} {more}");
        }
        let start = connection.get(&format!("{url}&whole=false"), "localhost");
        assert_eq!((start.status, start.header("x-truncated")), (200, Some("true")));
    }
}

#[test]
fn two_whole_objects_are_read_at_once() {
    let s3 = S3::start_for_readers(Gate::Open, STREAM);
    let up = s3.up(&[]);
    up.put(&["{}"]);
    up.until_processed(1);
    let whole = format!("{}&whole=true", url(&up, "delivered"));
    let get = || Connection::open(up.page()).get(&whole, "localhost");
    get().is(200);
    s3.gate.send_replace(Gate::Hangs);
    let request = format!("GET {whole} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut reads = [(); 2].map(|()| {
        let mut connection = Connection::open(up.page());
        connection.send(request.as_bytes());
        connection
    });
    until(|| s3.met(Gate::Hangs) == 2);
    let refused = get();
    let message = r#"{"message":"two whole objects are being read; try again later"}"#;
    assert_eq!((refused.status, refused.body.as_str()), (503, message));
    s3.gate.send_replace(Gate::Open);
    // The client of S3 retries.
    for read in &mut reads {
        read.response().is(200);
    }
    // A slot is free as soon as the server notices that the client has the bytes.
    until(|| get().status == 200);
}
