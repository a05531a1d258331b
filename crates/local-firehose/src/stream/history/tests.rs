use std::collections::BTreeMap;

use super::*;
use crate::stream::attempt::{Attempt, InvocationSummary, NOT_STARTED};
use crate::stream::event::ObjectSummary;
use crate::stream::refusals::RefusalReason;
use crate::stream::value_counts::ValueCounts;
use firehose_model::prefix::ErrorOutputType;

/// The start of a bucket.
const START: i64 = 1_800_000_000_000;
const MINUTE: i64 = 60_000;

fn accepted(records: usize) -> StreamEvent {
    StreamEvent::Accepted { records, bytes: 9 }
}

fn stored(kind: Kind, records: usize) -> StreamEvent {
    let object = ObjectSummary { path: "o".to_owned(), kind, records, bytes: 9, at_ms: 7 };
    StreamEvent::Stored { object, failed_by_code: BTreeMap::new(), values: ValueCounts::default() }
}

fn invoked(milliseconds: f64, outcome: &'static str) -> StreamEvent {
    let summary = InvocationSummary { milliseconds, outcome, ..InvocationSummary::default() };
    StreamEvent::Invoked {
        attempt: Attempt::new(summary, &[]).into(),
        failed_by_reason: BTreeMap::new(),
        is_retried: false,
    }
}

fn history(events: &[(i64, usize)]) -> History {
    let mut history = History::default();
    for (at_ms, records) in events {
        history.record(&accepted(*records), *at_ms);
    }
    history
}

/// The accepted records of the buckets that have some, each with its place before the last bucket.
fn seen(history: &History, now_ms: i64) -> Vec<(usize, u64)> {
    let HistoryColumns { accepted, .. } = history.columns("s", now_ms);
    assert_eq!(accepted.len(), 180);
    accepted.into_iter().rev().enumerate().filter(|(_, records)| *records > 0).collect()
}

#[test]
fn records_are_in_the_bucket_of_their_time() {
    for (events, after_ms, expected) in [
        // Within five seconds, and at their ends.
        (&[(0, 1), (4_999, 2), (5_000, 4)][..], 5_000, &[(0, 4), (1, 3)][..]),
        // Gaps are zeros.
        (&[(0, 1), (60_000, 2)], 65_000, &[(1, 2), (13, 1)]),
        (&[], 0, &[]),
        // The first bucket is the last one that is seen, and the next does not see it.
        (&[(0, 1)], 15 * MINUTE - 1, &[(179, 1)]),
        (&[(0, 1)], 15 * MINUTE, &[]),
        // Long idle, in the buckets and in the snapshot.
        (&[(0, 1), (48 * 60 * MINUTE, 2)], 48 * 60 * MINUTE, &[(0, 2)]),
        (&[(0, 1)], 48 * 60 * MINUTE, &[]),
        // A clock that is set back, and a snapshot before an event.
        (&[(0, 1), (60_000, 2), (5_000, 4)], 5_000, &[(0, 4), (1, 1)]),
        (&[(0, 1), (60_000, 2)], 0, &[(0, 1)]),
    ] {
        let events: Vec<_> = events.iter().map(|(at_ms, records)| (START + at_ms, *records)).collect();
        assert_eq!(seen(&history(&events), START + after_ms), expected, "{events:?}");
    }
}

#[test]
fn buckets_are_limited() {
    let events: Vec<_> = (0..10_000).map(|number| (START + number * 1_000, 1)).collect();
    let history = history(&events);
    assert_eq!(history.buckets.len(), 180);
    let now_ms = START + 9_999_000;
    let columns = history.columns("s", now_ms);
    assert_eq!((columns.accepted.iter().sum::<u64>(), columns.accepted[0]), (900, 5));
    assert_eq!((columns.at_ms[0], columns.at_ms[179]), (now_ms - 4_000 - 179 * 5_000, now_ms - 4_000));
    assert!(columns.at_ms.is_sorted_by(|one, next| next - one == 5_000));
}

#[test]
fn each_event_counts_in_its_column() {
    let mut history = History::default();
    for event in [
        accepted(1),
        StreamEvent::Refused { records: 2, reason: RefusalReason::Backlog },
        StreamEvent::Refused { records: 1, reason: RefusalReason::Invalid },
        StreamEvent::Transformed { batch: 1, records: 9, bytes: 9, dropped: 4 },
        stored(Kind::Delivered, 5),
        stored(Kind::Error(ErrorOutputType::ProcessingFailed), 6),
        stored(Kind::Backup, 100),
        StreamEvent::FailedAgain { code: "code" },
        invoked(20.0, "response"),
        invoked(0.0, NOT_STARTED),
        StreamEvent::UploadStarted,
    ] {
        history.record(&event, START);
    }
    let columns = history.columns("s", START);
    let last = |column: &[u64]| column[179];
    let HistoryColumns { accepted, delivered, dropped, failed, refused, invocations, .. } = &columns;
    let found = [accepted, delivered, dropped, failed, refused, invocations].map(|column| last(column));
    assert_eq!(found, [1, 5, 4, 7, 3, 1]);
    let json = serde_json::to_value(&columns).unwrap();
    assert_eq!((&json["stream"], &json["bucket_ms"]), (&"s".into(), &5000.into()));
    assert_eq!((&json["p50_ms"][178], json["p50_ms"][179].is_number()), (&serde_json::Value::Null, true));
}

#[test]
fn percentiles_are_within_a_tenth() {
    let exact = |sorted: &[f64], percent: usize| sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1];
    let geometric = |count: i32, first: f64, factor: f64| (0..count).map(move |power| first * factor.powi(power));
    for mut sample in [
        vec![0.1],
        vec![300_000.0],
        vec![3.0, 5.0],
        vec![1.0; 1000],
        (1..=1000).map(f64::from).collect(),
        // One of twenty is slow.
        [vec![10.0; 19], vec![4_000.0]].concat(),
        [vec![10.0; 18], vec![4_000.0; 2]].concat(),
        geometric(140, 0.11, 1.11).collect(),
    ] {
        let mut durations = DurationCounts::default();
        for milliseconds in &sample {
            durations.add(*milliseconds);
        }
        sample.sort_by(f64::total_cmp);
        for percent in [50, 95] {
            let (found, exact) =
                (durations.percentile(percent).unwrap(), exact(&sample, usize::try_from(percent).unwrap()));
            assert!((found / exact - 1.0).abs() < 0.1, "p{percent}: {found} instead of {exact}");
        }
    }
    assert_eq!(DurationCounts::default().percentile(50), None);
}

#[test]
fn every_duration_counts() {
    let mut durations = DurationCounts::default();
    for milliseconds in [0.0, -1.0, f64::NAN, 1e-9, 1e12, f64::INFINITY] {
        durations.add(milliseconds);
    }
    assert_eq!(durations.count(), 6);
}
