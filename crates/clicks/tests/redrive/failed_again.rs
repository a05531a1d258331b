//! Records that fail again after they were put.

use serde_json::json;

use crate::firehose::Firehose;
use crate::run::{NAME, Redrive, all, line, new, now_ms, old};

#[test]
fn records_that_fail_again_are_held_back_each_time() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["x", "y"]))]), Firehose::start());
    redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
    redrive.write("b", new("x"));
    for options in [&[][..], &[], &["--again=uncertain"], &["--dry-run"]] {
        let code = i32::from(!options.contains(&"--dry-run"));
        redrive.run(&firehose, options, code, &json!({ "found": 1, "failed_again": 1 }));
    }
    assert_eq!(firehose.texts(), ["x", "y"]);
    redrive.run(&firehose, &["--again"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    redrive.run(&firehose, &["--again"], 0, &json!({}));
    redrive.write("c", new("x"));
    redrive.run(&firehose, &[], 1, &json!({ "found": 1, "failed_again": 1 }));
    redrive.run(&firehose, &["--again=all"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    // Another record that failed meanwhile is not held back.
    redrive.write("d", new("z"));
    redrive.run(&firehose, &[], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    assert_eq!(firehose.texts(), ["x", "y", "x", "x", "z"]);
}

#[test]
fn as_many_equal_records_are_held_back_as_were_put() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["guest"; 5]))]), Firehose::start());
    redrive.run(&firehose, &[], 0, &json!({ "found": 5, "selected": 5, "put": 5 }));
    redrive.write("b", new("guest").repeat(7));
    redrive.run(&firehose, &[], 1, &json!({ "found": 7, "failed_again": 5, "selected": 2, "put": 2 }));
    redrive.write("c", new("guest").repeat(3));
    redrive.run(
        &firehose,
        &[],
        1,
        &json!({ "found": 10, "failed_again": 7, "put_before": 2, "selected": 1, "put": 1 }),
    );
    assert_eq!(firehose.texts(), ["guest"; 8]);
    // No further one is held back when they are put again.
    let again = json!({ "found": 10, "selected": 7, "put": 7, "put_before": 3 });
    redrive.run(&firehose, &["--again"], 0, &again);
    assert_eq!(firehose.texts(), ["guest"; 15]);
}

#[test]
fn records_that_failed_before_the_put_are_not_held_back() {
    // They arrive before the first one is put.
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    redrive.write("a", new("guest").repeat(2));
    redrive.write("b", new("guest"));
    redrive.write(NAME, line("guest", "Lambda.FunctionTimedOut", now_ms()));
    redrive.run(&firehose, &["--limit", "1"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
    // One that failed long ago is added.
    redrive.write("old", old("guest"));
    redrive.run(&firehose, &[], 0, &json!({ "found": 5, "put_before": 1, "selected": 4, "put": 4 }));
    assert_eq!(firehose.texts(), ["guest"; 5]);
    // One without an arrival time may be any of them.
    redrive.write("unknown", "{\"rawData\":\"Z3Vlc3Q=\"}\n".repeat(6));
    redrive.run(&firehose, &[], 1, &json!({ "found": 6, "failed_again": 5, "selected": 1, "put": 1 }));
    assert_eq!(firehose.texts(), ["guest"; 6]);
}

#[test]
fn records_appended_to_an_object_may_have_failed_again() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["x", "y"]))]), Firehose::start());
    redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
    redrive.write("a", all(["x", "y"]) + &new("x") + &new("z"));
    redrive.run(&firehose, &[], 1, &json!({ "found": 4, "put_before": 2, "failed_again": 1, "selected": 1, "put": 1 }));
    assert_eq!(firehose.texts(), ["x", "y", "z"]);
}
