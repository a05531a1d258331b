//! Records and calls that Firehose refuses.

use serde_json::json;
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{Act, Firehose};
use crate::run::{Numbers, Redrive, all, each, numbered};

#[test]
fn only_refused_records_are_sent_again() {
    let firehose = Firehose::with(&[
        Act::Refuses(vec![0, 7, 499]),
        Act::Refuses(vec![1]),
        Act::Fails(400, "ThrottlingException"),
        Act::Refuses(vec![0]),
        Act::Takes,
        Act::Refuses((0..100).collect()),
    ]);
    let records = numbered(0, 600);
    let redrive = Redrive::of(&[("a", &all(&records))]);
    let exit = redrive.run(&firehose, &["--archive", "done"], 0, &json!({ "found": 600, "selected": 600, "put": 600 }));
    exit.objects(&json!({ "found": 1, "done": 1, "archived": 1 }));
    let calls = firehose.calls();
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [500, 3, 1, 1, 1, 100, 100]);
    let text = |index: usize| records[index].clone().into_bytes();
    assert_eq!(calls[1..5], [vec![text(0), text(7), text(499)], vec![text(7)], vec![text(7)], vec![text(7)]]);
    assert_eq!(firehose.counts(), each(records, 1));
    // Three, one, one, one, a hundred.
    assert_eq!((&exit.report()["calls"], &exit.report()["refusals"]), (&json!(7), &json!(106)));
}

#[test]
fn retryable_errors_are_retried() {
    for (status, code) in [
        (400, "ThrottlingException"),
        (400, "Throttling"),
        (400, "LimitExceededException"),
        (400, "com.amazonaws.firehose#RequestLimitExceeded"),
        (429, ""),
        (503, "ServiceUnavailableException"),
    ] {
        let firehose = Firehose::with(&[Act::Fails(status, code), Act::Fails(status, code)]);
        let redrive = Redrive::of(&[("a", &all(["a", "b"]))]);
        let exit = redrive.run(&firehose, &[], 0, &json!({ "found": 2, "selected": 2, "put": 2 }));
        assert_eq!((firehose.calls().len(), firehose.texts()), (3, vec!["a".to_owned(), "b".to_owned()]), "{code}");
        assert_eq!(exit.report()["refusals"], 4);
    }
}

#[test]
fn other_errors_stop_the_run() {
    for code in
        ["AccessDeniedException", "ExpiredTokenException", "InvalidArgumentException", "ResourceNotFoundException"]
    {
        let firehose = Firehose::with(&[Act::Takes, Act::Fails(400, code)]);
        let redrive = Redrive::of(&[("a", &all(numbered(0, 1_100)))]);
        let exit =
            redrive.run(&firehose, &[], 1, &json!({ "found": 1_000, "selected": 1_000, "put": 500, "left": 500 }));
        exit.reports(&[&format!("error: the service refuses the call: {code}: scripted")]);
        // The refused records are not uncertain.
        let records = json!({ "found": 1_100, "selected": 600, "put": 600, "put_before": 500 });
        redrive.run(&firehose, &[], 0, &records);
        assert_eq!(firehose.counts(), each(numbered(0, 1_100), 1));
    }
}

#[test]
fn a_firehose_that_is_down_for_a_while_loses_nothing() {
    let mut firehose = Firehose::with(&[Act::Takes, Act::Leaves]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 30)))]);
    let child = redrive.spawn(&firehose, &["--rate", "10"]);
    until(|| firehose.calls().len() == 2);
    until(|| std::net::TcpStream::connect(firehose.url().trim_start_matches("http://")).is_err());
    // Time for calls without a connection.
    std::thread::sleep(std::time::Duration::from_millis(1_300));
    firehose.listen();
    let exit = Exit::of(child);
    exit.comes_to(0, &json!({ "found": 30, "selected": 30, "put": 30 }));
    assert_eq!(firehose.counts(), each(numbered(0, 30), 1));
}

#[test]
fn a_refused_uncertain_record_stays_uncertain() {
    // Stored, without a response.
    let firehose = Firehose::with(&[Act::Aborts]);
    let redrive = Redrive::of(&[("a", &all(["a", "b"]))]);
    redrive.run(&firehose, &[], 1, &json!({ "found": 2, "selected": 2, "uncertain_now": 2 }));
    for script in
        [vec![Act::Fails(400, "AccessDeniedException")], vec![Act::Refuses(vec![1]), Act::Fails(400, "Other")]]
    {
        firehose.script(&script);
        let exit = redrive.end(&firehose, &["--again=uncertain"]);
        assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    }
    // The first was put again; the second was refused.
    assert_eq!(firehose.texts(), ["a", "b", "a"]);
    redrive.run(&firehose, &[], 1, &json!({ "found": 2, "put_before": 1, "uncertain": 1 }));
    assert_eq!(firehose.texts().len(), 3);
}
