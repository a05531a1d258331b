//! The size of a call.

use serde_json::json;

use crate::firehose::Firehose;
use crate::run::{Redrive, all, each, numbered};

#[test]
fn a_call_has_the_limits_of_firehose() {
    let text = |bytes: usize| "x".repeat(bytes);
    for (records, options, expected) in [
        (numbered(0, 1_201), &[][..], vec![500, 500, 201]),
        (numbered(0, 1_000), &[], vec![500, 500]),
        // 4 MiB, neither a byte more nor less.
        (vec![text(1_000_000); 9], &[], vec![4, 4, 1]),
        (vec![text(524_288); 17], &[], vec![8, 8, 1]),
        // No more than a second's worth.
        (numbered(0, 25), &["--rate", "10"], vec![10, 10, 5]),
        (numbered(0, 1_001), &["--rate", "499"], vec![499, 499, 3]),
    ] {
        let (redrive, firehose) = (Redrive::of(&[("a", &all(&records))]), Firehose::start());
        let count = records.len();
        let exit = redrive.run(&firehose, options, 0, &json!({ "found": count, "selected": count, "put": count }));
        let calls: Vec<usize> = firehose.calls().iter().map(Vec::len).collect();
        assert_eq!(calls, expected);
        assert_eq!((&exit.report()["calls"], &exit.report()["refusals"]), (&json!(expected.len()), &json!(0)));
        assert!(firehose.texts() == records);
    }
}

#[test]
fn small_objects_share_calls() {
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    for number in 0..120 {
        redrive.write(&format!("2026/{number:03}"), all(numbered(number * 10, number * 10 + 10)));
    }
    redrive.run(&firehose, &[], 0, &json!({ "found": 1_200, "selected": 1_200, "put": 1_200 }));
    assert_eq!(firehose.calls().iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
    assert_eq!(firehose.texts(), numbered(0, 1_200));
    assert_eq!(firehose.counts(), each(numbered(0, 1_200), 1));
}
