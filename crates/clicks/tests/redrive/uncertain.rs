//! Calls without a response: the records may be stored.

use serde_json::json;

use crate::firehose::{Act, Firehose};
use crate::run::{NAME, Numbers, Redrive, all, each, new, numbered};

#[test]
fn records_sent_without_a_response_are_put_again_only_by_option() {
    for (act, why) in [
        (Act::Lies(500, "InternalFailure"), "InternalFailure: scripted"),
        (Act::Lies(502, ""), "unreadable response with status 502"),
        (Act::Lies(400, ""), "unreadable response with status 400"),
        (Act::Aborts, ""),
        (Act::Babbles("<html>"), "unreadable response with status 200"),
        (Act::Babbles("{}"), "the response has 0 results for 3 records"),
        (
            Act::Babbles(r#"{"FailedPutCount":0,"RequestResponses":[{},{},{}]}"#),
            "the response has no result for a record",
        ),
        (Act::Forgets, "the response has 2 results for 3 records"),
    ] {
        let firehose = Firehose::with(std::slice::from_ref(&act));
        let redrive = Redrive::of(&[("a", &all(["a", "b", "c"])), ("b", "\n")]);
        let exit = redrive.run(
            &firehose,
            &["--archive", "done"],
            1,
            &json!({ "found": 3, "selected": 3, "uncertain_now": 3 }),
        );
        let message = format!("3 records were sent without a response and may be stored: {why}");
        assert!(exit.stderr.contains(&message), "{act:?}: {}", exit.stderr);
        exit.objects(&json!({ "found": 2, "done": 1, "archived": 1 }));
        for option in ["--archive=done", "--again", "--again=failed"] {
            redrive.run(&firehose, &[option], 1, &json!({ "found": 3, "uncertain": 3 }));
        }
        assert_eq!(firehose.calls().len(), 1, "{act:?}");
        let again = ["--again=uncertain", "--archive", "done"];
        redrive
            .run(&firehose, &again, 0, &json!({ "found": 3, "selected": 3, "put": 3 }))
            .objects(&json!({ "found": 1, "done": 1, "archived": 1 }));
        assert_eq!(firehose.counts(), each(["a", "b", "c"], 2), "{act:?}");
        redrive.run(&firehose, &["errors/done"], 0, &json!({ "found": 3, "put_before": 3 }));
    }
}

#[test]
fn three_consecutive_calls_without_a_response_stop_the_run() {
    let lost = Act::Lies(500, "InternalFailure");
    let firehose = Firehose::with(&[lost.clone(), lost.clone(), Act::Takes, lost.clone(), lost.clone(), lost]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 80)))]);
    let exit = redrive.run(
        &firehose,
        &["--rate", "10"],
        1,
        &json!({ "found": 60, "selected": 60, "put": 10, "uncertain_now": 50 }),
    );
    assert!(
        exit.stderr.ends_with("\nerror: no response from Firehose: InternalFailure: scripted\n"),
        "{}",
        exit.stderr
    );
    assert_eq!(firehose.calls().len(), 6);
    let rest = json!({ "found": 80, "selected": 20, "put": 20, "put_before": 10, "uncertain": 50 });
    redrive.run(&firehose, &[], 1, &rest);
    assert_eq!(firehose.counts(), each(numbered(0, 80), 1));
    redrive.run(&firehose, &["--again=all"], 0, &json!({ "found": 80, "selected": 50, "put": 50, "put_before": 30 }));
    assert_eq!(firehose.stored().len(), 130);
}

/// Equal bytes may be another user's record, and the call may have stored nothing.
#[test]
fn a_record_that_failed_again_proves_nothing_about_an_uncertain_one() {
    for (act, stored) in [(Act::Aborts, 1), (Act::Fails(500, "InternalFailure"), 0)] {
        let firehose = Firehose::with(std::slice::from_ref(&act));
        let redrive = Redrive::of(&[("a", &all(["a"]))]);
        redrive.run(&firehose, &[], 1, &json!({ "found": 1, "selected": 1, "uncertain_now": 1 }));
        redrive.write("b", new("a"));
        for _ in 0..2 {
            redrive.run(&firehose, &[], 1, &json!({ "found": 2, "uncertain": 1, "failed_again": 1 }));
        }
        assert_eq!(firehose.stored().len(), stored, "{act:?}");
        redrive.run(&firehose, &["--again"], 1, &json!({ "found": 2, "uncertain": 1, "selected": 1, "put": 1 }));
        redrive.run(&firehose, &["--again=all"], 0, &json!({ "found": 1, "selected": 1, "put": 1 }));
        assert_eq!(firehose.stored().len(), stored + 2, "{act:?}");
    }
}

#[test]
fn equal_records_are_all_put_if_one_call_got_no_response() {
    let firehose = Firehose::with(&[Act::Fails(500, "InternalFailure"), Act::Takes]);
    let redrive = Redrive::of(&[("a", &all(["a", "a"]))]);
    let one_each = ["--rate", "1"];
    redrive.run(&firehose, &one_each, 1, &json!({ "found": 2, "selected": 2, "put": 1, "uncertain_now": 1 }));
    redrive.write("b", new("a"));
    redrive.run(&firehose, &[], 1, &json!({ "found": 3, "put_before": 1, "uncertain": 1, "failed_again": 1 }));
    redrive.run(&firehose, &["--again=all"], 0, &json!({ "found": 3, "put_before": 1, "selected": 2, "put": 2 }));
    // One of the first two records, and the two that are put now.
    assert_eq!(firehose.stored().len(), 3);
}

#[test]
fn an_uncertain_record_is_not_sent_again_in_the_same_run() {
    let firehose = Firehose::with(&[Act::Aborts, Act::Aborts]);
    let redrive = Redrive::of(&[(&format!("a/{NAME}"), &all(["a"])), (&format!("b/{NAME}"), &all(["a"]))]);
    // The copy is read after the call.
    redrive.run(&firehose, &[], 1, &json!({ "found": 2, "selected": 1, "uncertain_now": 1, "uncertain": 1 }));
    let again = ["--again=uncertain"];
    redrive.run(&firehose, &again, 1, &json!({ "found": 2, "selected": 1, "uncertain_now": 1, "uncertain": 1 }));
    assert_eq!(firehose.stored().len(), 2);
    redrive.run(&firehose, &again, 0, &json!({ "found": 2, "selected": 1, "put": 1, "put_before": 1 }));
}
