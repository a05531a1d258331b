//! Counts the clicks in the storage.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use test_support::files::objects;
use test_support::up::Up;

use crate::clicks::{Clicks, NUMBERED, put_and_wait};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Clicks that Firehose has accepted.
    pub(crate) put: usize,
    /// Clicks with an enriched line in the destination.
    pub(crate) delivered: usize,
    /// Clicks whose source record is in the error output, byte by byte, and that have no line in the destination.
    pub(crate) failed: usize,
    /// Clicks in neither.
    pub(crate) lost: usize,
    /// Additional copies of clicks.
    pub(crate) doubled: usize,
}

impl Counts {
    /// Some delivered, some in the error output, each once.
    pub(crate) fn split(delivered: usize, failed: usize) -> Self {
        Self { put: delivered + failed, delivered, failed, lost: 0, doubled: 0 }
    }

    pub(crate) fn delivered(put: usize) -> Self {
        Self::split(put, 0)
    }

    pub(crate) fn failed(put: usize) -> Self {
        Self::split(0, put)
    }

    /// Prints the row.
    pub(crate) fn print(&self, case: &str) {
        let Self { put, delivered, failed, lost, doubled } = self;
        println!("| {case} | {put} | {delivered} | {failed} | {lost} | {doubled} |");
    }
}

/// How often each click of a range is in the storage, and the errors of the failed ones.
pub(crate) struct Found {
    delivered: Vec<usize>,
    failed: Vec<usize>,
    /// The `errorCode` and `attemptsMade` of the error output.
    pub(crate) errors: BTreeSet<(String, u64)>,
    /// Records of the error output that are not numbered clicks.
    pub(crate) others: Vec<String>,
    /// Records of clicks with numbers outside of the range.
    pub(crate) outside: usize,
}

impl Found {
    /// Reads a bucket. A delivered line must be that of a click.
    #[track_caller]
    pub(crate) fn of(bucket: &Path, clicks: &Clicks, numbers: &Range<usize>) -> Self {
        let none = vec![0; numbers.len()];
        let mut found =
            Self { delivered: none.clone(), failed: none, errors: BTreeSet::new(), others: Vec::new(), outside: 0 };
        let index = |number| numbers.contains(&number).then(|| number - numbers.start);
        for line in objects(&bucket.join("firehose")).lines() {
            match index(clicks.number_of_line(line).expect(line)) {
                Some(index) => found.delivered[index] += 1,
                None => found.outside += 1,
            }
        }
        for line in objects(&bucket.join("errors")).lines() {
            let error: Value = serde_json::from_str(line).unwrap();
            let original = STANDARD.decode(error["rawData"].as_str().unwrap()).unwrap();
            let original = String::from_utf8(original).unwrap();
            let Some(number) = clicks.number(&original) else {
                found.others.push(original);
                continue;
            };
            let Some(index) = index(number) else {
                found.outside += 1;
                continue;
            };
            found.failed[index] += 1;
            let code = error["errorCode"].as_str().unwrap().to_owned();
            found.errors.insert((code, error["attemptsMade"].as_u64().unwrap()));
        }
        found
    }

    pub(crate) fn codes(&self) -> BTreeSet<&str> {
        self.errors.iter().map(|(code, _)| code.as_str()).collect()
    }

    /// How often each is stored.
    pub(crate) fn times(&self) -> impl Iterator<Item = usize> {
        self.delivered.iter().zip(&self.failed).map(|(delivered, failed)| delivered + failed)
    }

    pub(crate) fn counts(&self) -> Counts {
        let outcomes = || self.delivered.iter().zip(&self.failed);
        Counts {
            put: self.delivered.len(),
            delivered: outcomes().filter(|(delivered, _)| **delivered > 0).count(),
            failed: outcomes().filter(|(delivered, failed)| **delivered == 0 && **failed > 0).count(),
            lost: self.times().filter(|times| *times == 0).count(),
            doubled: self.times().map(|times| times.saturating_sub(1)).sum(),
        }
    }
}

/// Counts clicks in a bucket, and prints and checks their row.
#[track_caller]
pub(crate) fn check(case: &str, bucket: &Path, clicks: &Clicks, numbers: &Range<usize>, expected: Counts) -> Found {
    let found = Found::of(bucket, clicks, numbers);
    found.counts().print(case);
    assert_eq!(found.counts(), expected, "{case}");
    assert_eq!(found.others, Vec::<String>::new(), "{case}");
    found
}

/// The same for clicks of visitors in the bucket of a pipeline.
#[track_caller]
pub(crate) fn check_in(up: &Up, case: &str, numbers: &Range<usize>, expected: Counts) -> Found {
    check(case, &up.folder().join("out/bucket"), &NUMBERED, numbers, expected)
}

/// Checks that all clicks are in the error output after four failed invocations.
#[track_caller]
pub(crate) fn check_failed(up: &Up, case: &str, clicks: &Range<usize>, code: &str) {
    let found = check_in(up, case, clicks, Counts::failed(clicks.len()));
    assert_eq!(found.errors, BTreeSet::from([(code.to_owned(), 4)]), "{case}\n{}", up.log());
}

/// Puts clicks, and checks that all are delivered.
#[track_caller]
pub(crate) fn delivers(up: &Up, case: &str, clicks: &Range<usize>) {
    put_and_wait(up, clicks);
    check_in(up, case, clicks, Counts::delivered(clicks.len()));
}

/// Puts clicks, and checks that all are in the error output after four attempts.
#[track_caller]
pub(crate) fn fails(up: &Up, case: &str, clicks: &Range<usize>, code: &str) {
    put_and_wait(up, clicks);
    check_failed(up, case, clicks, code);
}
