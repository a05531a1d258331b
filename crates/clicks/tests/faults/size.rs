//! Batches and replies at Lambda's limit of 6 MB.

use std::collections::BTreeSet;

use test_support::up::{PROCESSOR, Up};

use crate::clicks::put;
use crate::counts::{Counts, check_in};
use crate::misbehaving::summaries;

/// Enough for one full event, and a rest.
const CLICKS: usize = 40_000;

/// The largest event of Lambda, and the largest reply of the processor.
const EVENT_BYTES: u64 = 6 * 1024 * 1024;
const REPLY_BYTES: u64 = 6_000_000;

/// Of the 26,430 clicks of a full event, those that exceed the reply: each has 228 bytes in the event, and about 270 in the reply.
const PAST_THE_BUDGET: usize = 7_392;

/// The clicks of an event with the deployed `BufferSizeInMBs`. The test puts three events, and a rest.
const IN_085_MB: u64 = 12_732;

/// A pipeline with full batches only, and a rest at its stop; and the summaries of its invocations.
fn batches(buffer_mb: &str) -> (Up, Vec<serde_json::Value>) {
    let wait = ["--buffer-seconds", "900", "--buffer-records", "100000"];
    let mut up = Up::start(&[&[PROCESSOR, "--buffer-mb", buffer_mb], &wait[..]].concat());
    put(&up, 0..CLICKS);
    assert_eq!(up.stop().code, Some(0));
    let invocations = summaries(&up, usize::MAX);
    (up, invocations)
}

#[test]
fn a_reply_over_6_mb_fails_the_records_over_the_budget_only() {
    let (up, invocations) = batches("3");
    let number = |line: &serde_json::Value, field: &str| line[field].as_u64().unwrap();
    let full = invocations.iter().max_by_key(|line| number(line, "event_bytes")).unwrap();
    // The buffer estimates the size around each record a little too high.
    assert!((EVENT_BYTES / 20 * 19..=EVENT_BYTES).contains(&number(full, "event_bytes")), "{full}");
    assert!((REPLY_BYTES - 1000..=REPLY_BYTES).contains(&number(full, "response_bytes")), "{full}");
    assert_eq!(full["failed.response_budget"], PAST_THE_BUDGET, "{full}");
    let expected = Counts::split(CLICKS - PAST_THE_BUDGET, PAST_THE_BUDGET);
    let found = check_in(&up, "an event of 6 MB, a reply that would be larger", &(0..CLICKS), expected);
    assert_eq!(found.errors, BTreeSet::from([("Lambda.ProcessingFailedStatus".to_owned(), 1)]));
}

#[test]
fn batches_of_the_deployed_size_are_delivered_completely() {
    let (up, invocations) = batches("0.85");
    let mut records: Vec<_> = invocations.iter().map(|line| line["records"].as_u64().unwrap()).collect();
    records.sort_unstable();
    assert_eq!(records, [CLICKS as u64 - 3 * IN_085_MB, IN_085_MB, IN_085_MB, IN_085_MB]);
    check_in(&up, "events of 0.85 MB", &(0..CLICKS), Counts::delivered(CLICKS));
}
