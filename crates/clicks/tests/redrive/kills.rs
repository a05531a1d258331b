//! Kills at any moment, and interrupts.

use std::env;
use std::fs;
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use test_support::exit::Exit;
use test_support::until;

use crate::firehose::{Act, Firehose};
use crate::run::{INTERRUPTED, Numbers, Redrive, all, each, now_ms, numbered, wait_for_line, whole};

const RECORDS: usize = 3_200;
const KILLS: usize = 40;

/// Random, or `REDRIVE_SEED` of an earlier run.
fn seed() -> u64 {
    let seed = env::var("REDRIVE_SEED").map_or_else(|_| now_ms(), |seed| seed.parse().unwrap());
    println!("REDRIVE_SEED={seed}");
    seed
}

/// How a call is handled.
fn act(random: &mut Rng) -> Act {
    match random.u8(0..10) {
        0 => Act::Refuses((0..60).filter(|_| random.bool()).collect()),
        1 => Act::Fails(503, "ServiceUnavailableException"),
        2 => Act::Aborts,
        3..=5 => Act::Waits(Duration::from_millis(random.u64(0..20))),
        _ => Act::Takes,
    }
}

#[test]
fn whenever_it_is_killed_nothing_is_put_twice_or_forgotten() {
    let mut random = Rng::with_seed(seed());
    let (redrive, firehose) = (Redrive::of(&[]), Firehose::start());
    let write = || {
        for (number, records) in numbered(0, RECORDS).chunks(RECORDS / 8).enumerate() {
            redrive.write(&format!("2026/{number}"), all(records));
        }
    };
    write();
    // Some records are put, and some are uncertain.
    redrive.end(&firehose, &["--limit", "100"]);
    firehose.script(&[Act::IsHeld]);
    let calls = firehose.calls().len();
    let mut child = redrive.spawn(&firehose, &["--limit", "100"]);
    until(|| firehose.calls().len() > calls);
    child.kill().unwrap();
    child.wait().unwrap();
    for _ in 0..KILLS {
        firehose.script(&(0..20).map(|_| act(&mut random)).collect::<Vec<_>>());
        let calls = firehose.calls().len();
        let limit = random.usize(20..200).to_string();
        let mut child = redrive.spawn(&firehose, &["--limit", &limit]);
        // Around a call, or at any time.
        if random.u8(0..4) > 0 {
            until(|| firehose.calls().len() > calls || child.try_wait().unwrap().is_some());
            sleep(Duration::from_micros(random.u64(0..15_000)));
        } else {
            sleep(Duration::from_millis(random.u64(0..100)));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    firehose.script(&[]);
    // Written again, so that finished objects are read, too.
    write();
    // A dry run does not change the journal of a killed process.
    let journal = fs::read(redrive.journal()).unwrap();
    let dry_run = redrive.end(&firehose, &["--dry-run"]).report()["records"].clone();
    assert!(fs::read(redrive.journal()).unwrap() == journal);
    let exit = redrive.end(&firehose, &[]);
    // A kill is no damage.
    exit.reports(&[]);
    let report = exit.report();
    whole(&report);
    let number = |name: &str| usize::try_from(report["records"][name].as_u64().unwrap()).unwrap();
    let uncertain = number("uncertain");
    for name in ["found", "selected", "put_before", "uncertain"] {
        assert_eq!(dry_run[name], report["records"][name], "{name}");
    }
    println!("{uncertain} uncertain, {} put before the last run", number("put_before"));
    assert_eq!(number("put") + number("put_before") + uncertain, RECORDS, "{report:#}");
    assert_eq!(exit.code, Some(i32::from(uncertain > 0)), "{}", exit.stderr);
    let stored = firehose.counts();
    assert!(stored.values().all(|times| *times == 1), "put twice");
    assert!(stored.len() >= RECORDS - uncertain, "forgotten: {} of {uncertain}", RECORDS - stored.len());
    // The kills left uncertain records.
    assert!(uncertain > 0 && number("put_before") > 0, "{report:#}");

    let exit = redrive.end(&firehose, &["--again=uncertain"]);
    assert_eq!((exit.code, &exit.report()["records"]["put"]), (Some(0), &json!(uncertain)), "{}", exit.stderr);
    let again = firehose.counts();
    assert_eq!(again.len(), RECORDS);
    assert_eq!(again.values().sum::<usize>(), stored.len() + uncertain);
}

#[test]
fn an_interrupt_finishes_the_call_in_flight() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let firehose = Firehose::with(&[Act::IsHeld]);
        let redrive = Redrive::of(&[("a", &all(numbered(0, 700))), ("b", &all(numbered(700, 1_400)))]);
        let mut child = redrive.spawn(&firehose, &[]);
        until(|| firehose.calls().len() == 1);
        test_support::signal(signal, child.id());
        wait_for_line(&mut child, INTERRUPTED);
        firehose.release();
        let exit = Exit::of(child);
        let report = exit.report();
        assert_eq!((exit.code, &report["interrupted"]), (Some(130), &json!(true)), "{}", exit.stderr);
        whole(&report);
        let left = report["records"]["left"].as_u64().unwrap();
        assert_eq!((&report["records"]["put"], firehose.stored().len()), (&json!(500), 500));
        assert_eq!(report["records"]["selected"], 500 + left);
        redrive.run(&firehose, &[], 0, &json!({ "found": 1_400, "put_before": 500, "selected": 900, "put": 900 }));
        assert_eq!(firehose.counts(), each(numbered(0, 1_400), 1));
    }
}

#[test]
fn an_interrupt_stops_a_back_off() {
    let firehose = Firehose::start();
    firehose.always(Act::Fails(503, "ServiceUnavailableException"));
    let redrive = Redrive::of(&[("a", &all(numbered(0, 10)))]);
    let child = redrive.spawn(&firehose, &[]);
    until(|| firehose.calls().len() == 4);
    let exit = Exit::after("-TERM", child);
    exit.comes_to(130, &json!({ "found": 10, "selected": 10, "left": 10 }));
    firehose.always(Act::Takes);
    redrive.run(&firehose, &[], 0, &json!({ "found": 10, "selected": 10, "put": 10 }));
}

/// Interrupts a process until it exits.
fn insist(mut child: Child) -> Exit {
    while child.try_wait().unwrap().is_none() {
        test_support::signal("-TERM", child.id());
        sleep(Duration::from_millis(50));
    }
    Exit::of(child)
}

#[test]
fn a_second_interrupt_aborts_the_call() {
    let firehose = Firehose::with(&[Act::Takes, Act::Hangs]);
    let redrive = Redrive::of(&[("a", &all(numbered(0, 1_000)))]);
    let child = redrive.spawn(&firehose, &[]);
    until(|| firehose.calls().len() == 2);
    let exit = insist(child);
    exit.comes_to(130, &json!({ "found": 1_000, "selected": 1_000, "put": 500, "uncertain_now": 500 }));
    exit.reports(&["500 records were sent without a response and may be stored: interrupted"]);
    redrive.run(&firehose, &[], 1, &json!({ "found": 1_000, "put_before": 500, "uncertain": 500 }));
    assert_eq!(firehose.counts(), each(numbered(0, 1_000), 1));
}

#[test]
fn an_interrupt_does_not_wait_for_the_description() {
    let (redrive, firehose) = (Redrive::of(&[("a", &all(["a"]))]), Firehose::start());
    firehose.describe(0, Value::Null);
    let child = redrive.spawn(&firehose, &[]);
    until(|| !firehose.authorization().is_empty());
    let exit = Exit::after("-TERM", child);
    exit.comes_to(130, &json!({}));
    assert_eq!(exit.report()["interrupted"], true);
    assert!(!redrive.journal().exists() && firehose.calls().is_empty());
}
