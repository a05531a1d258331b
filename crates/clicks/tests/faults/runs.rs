//! Runs of many clicks, while the same fault occurs several times. Afterwards each click is counted.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use test_support::put_client::BATCH;
use test_support::up::{PROCESSOR, Up};

use crate::clicks::{CLIENTS, Clicks, NUMBERED, event, put};
use crate::counts::{Counts, Found, check, check_in};
use crate::mysfits::Mysfits;
use crate::processes::{nothing_runs_in, signal_children};
use crate::storage::Storage;

/// The clicks of each run.
const CLICKS: usize = 100_000;

/// How often the fault of a run occurs.
const FAULTS: usize = 4;

/// Each event sends a request to the service.
const NO_CACHE: [&str; 4] = ["--env", "LOOKUP_CACHE_SECONDS=0", "--env", "LOOKUP_STALE_SECONDS=0"];

/// The clicks in a part for each fault: one half before the fault, one half during it.
fn parts() -> impl Iterator<Item = [Range<usize>; 2]> {
    let half = CLICKS / FAULTS / 2;
    (0..CLICKS).step_by(2 * half).map(move |first| [first..first + half, first + half..first + 2 * half])
}

#[test]
fn the_service_is_down_for_a_while() {
    let mut service = Mysfits::start();
    let up = Up::start(&[&[PROCESSOR, "--service", &service.url()], &NO_CACHE[..]].concat());
    for [before, during] in parts() {
        put(&up, before);
        let failed = up.snapshot()["failed"].as_u64();
        service.switch_off();
        put(&up, during);
        up.until(|view| view["failed"].as_u64() > failed);
        service.switch_on();
    }
    up.until_processed(CLICKS as u64);
    // The number of failed clicks depends on the timing.
    let counts = Found::of(&up.folder().join("out/bucket"), &NUMBERED, &(0..CLICKS)).counts();
    counts.print("the service down, four times in a run");
    assert_eq!(counts, Counts::split(CLICKS - counts.failed, counts.failed));
    assert!(counts.failed > 0);
}

#[test]
fn functions_are_killed_in_the_middle_of_events() {
    let mut service = Mysfits::start();
    // With retries until one succeeds.
    let patient = ["--env", "LOOKUP_TIMEOUT_MS=60000", "--buffer-records", "1000", "--retries", "300"];
    let up = Up::start(&[&[PROCESSOR, "--service", &service.url()], &NO_CACHE[..], &patient].concat());
    let kills = Cell::new(0);
    for [before, during] in parts() {
        put(&up, before);
        // Every event ends by a kill.
        service.hang();
        put(&up, during);
        let retries = up.snapshot()["retries"].as_u64();
        up.until(|view| {
            kills.set(kills.get() + signal_children(up.process(), "-KILL"));
            view["retries"].as_u64() > retries
        });
        service.switch_on();
    }
    up.until_processed(CLICKS as u64);
    assert!(kills.get() >= FAULTS);
    check_in(&up, "functions killed in the middle of events", &(0..CLICKS), Counts::delivered(CLICKS));
}

#[test]
fn the_storage_refuses_for_a_while() {
    let storage = Storage::new();
    let mut up = Up::start_in(storage.folder(), &[PROCESSOR]);
    for [before, during] in parts() {
        put(&up, before);
        storage.works(false);
        put(&up, during);
        up.until(|view| view["storage_error"].is_string());
        storage.works(true);
    }
    assert_eq!(up.stop().code, Some(0));
    check_in(&up, "the storage refuses, four times in a run", &(0..CLICKS), Counts::delivered(CLICKS));
}

#[test]
fn the_pipeline_is_killed_several_times() {
    let storage = Storage::new();
    let start = || Up::start_in(storage.folder(), &[PROCESSOR, "--click-identity", "--state", "state"]);
    let mut random = crate::chaos::random();
    let clicks = Clicks::with_ids(&mut random);
    // The last batch is for the last run of the pipeline, so that it has records which are not stored.
    let last = CLICKS / BATCH - 1;
    let batches = Mutex::new((0..last).rev().map(|nth| nth * BATCH).collect());
    let mut left_behind = 0;
    for run in 0..2 * FAULTS {
        // Every other run ends with records that the storage refused.
        storage.works(run % 2 == 0);
        let mut up = start();
        left_behind += up.snapshot()["accepted"].as_u64().unwrap();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| clicks.put_until_killed(up.firehose(), &batches));
            }
            // At any moment.
            thread::sleep(Duration::from_millis(random.u64(0..300)));
            if run + 1 == 2 * FAULTS {
                clicks.put(&up, event(last));
                // And once when an object was refused.
                up.until(|view| view["storage_error"].is_string());
            }
            up.signal("-KILL");
        });
        up.end();
        nothing_runs_in(storage.folder());
    }
    storage.works(true);
    let mut up = start();
    left_behind += up.snapshot()["accepted"].as_u64().unwrap();
    clicks.put_until_killed(up.firehose(), &batches);
    assert_eq!((batches.into_inner().unwrap(), up.stop().code), (vec![], Some(0)));

    // A record that was delivered, and not removed from the state before the kill, is delivered again: at least once, as by Firehose.
    // Its id is the same.
    let doubled = Found::of(&storage.bucket(), &clicks, &(0..CLICKS)).counts().doubled;
    let expected = Counts { doubled, ..Counts::delivered(CLICKS) };
    let case = "the pipeline killed eight times, with `--state`";
    let found = check(case, &storage.bucket(), &clicks, &(0..CLICKS), expected);
    assert_eq!(found.outside, 0, "ids that were not put");
    // At most the records in the state at each start, and a batch of each client in each run whose response was lost.
    assert!(left_behind > 0 && doubled as u64 <= left_behind + (2 * FAULTS * CLIENTS * BATCH) as u64, "{doubled}");

    // The state has no more records.
    assert_eq!(start().snapshot()["accepted"], 0);
}
