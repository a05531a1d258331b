//! The id and the time of a click, from the page's request to the line.

use test_support::http::Connection;
use test_support::up::{PROCESSOR, Up};

const CLICK: &str = r#"{"userId":"u","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae","clickId":"0b8e6f0c-9d0c-4d7e-8f57-0d3b6a3a3a01","clickedAt":"2026-11-29T08:15:00.123Z"}"#;

#[test]
fn a_click_that_is_sent_again_keeps_its_id() {
    for (options, fields) in [
        (&[PROCESSOR][..], r#""userId":"u","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae""#),
        (
            &[PROCESSOR, "--click-identity"],
            r#""userId":"u","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae","clickId":"0b8e6f0c-9d0c-4d7e-8f57-0d3b6a3a3a01","clickedAt":"2026-11-29T08:15:00.123Z""#,
        ),
    ] {
        let up = Up::start(options);
        for _ in 0..2 {
            Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", CLICK).is(200);
        }
        up.until_processed(2);
        let line = format!("{{{fields},\"goodevil\":\"Evil\",\"lawchaos\":\"Lawful\",\"species\":\"Chimera\"}}\n");
        assert_eq!(up.objects("firehose"), line.repeat(2));
    }
}

#[test]
fn the_edge_accepts_only_a_uuid_and_a_time() {
    let up = Up::start(&[]);
    for (from, to) in [("0b8e6f0c-", "0b8e6f0c"), (".123Z", "Z"), ("\"2026-11-29T08:15:00.123Z\"", "1764404100123")] {
        let body = CLICK.replace(from, to);
        assert_ne!(body, CLICK);
        Connection::open(up.page()).ask("PUT", "/clicks", "Content-Type: application/json\r\n", &body).is(400);
    }
}
