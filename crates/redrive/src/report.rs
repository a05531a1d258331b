//! The result of a redrive, in numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::failed::Failed;

/// The most codes or functions that are told apart: whoever may write objects may invent them.
const MOST_KEYS: usize = 50;

/// What the rest of them is counted under.
const OTHERS: &str = "others";

/// How long ago Firehose got a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Age {
    /// Or not yet, by this machine's clock.
    UpToAnHour,
    /// From an hour to a day.
    OverAnHour,
    /// From a day to 7 days.
    OverADay,
    /// From 7 to 30 days.
    OverSevenDays,
    /// 30 days or more.
    OverThirtyDays,
    /// The line has no arrival time.
    Unknown,
}

impl Age {
    fn of(arrival_ms: Option<i64>, now_ms: i64) -> Self {
        const HOUR_MS: i64 = 3_600_000;
        const DAY_MS: i64 = 24 * HOUR_MS;
        match arrival_ms.map(|arrival| now_ms.saturating_sub(arrival)) {
            None => Self::Unknown,
            Some(age) if age >= 30 * DAY_MS => Self::OverThirtyDays,
            Some(age) if age >= 7 * DAY_MS => Self::OverSevenDays,
            Some(age) if age >= DAY_MS => Self::OverADay,
            Some(age) if age >= HOUR_MS => Self::OverAnHour,
            Some(_) => Self::UpToAnHour,
        }
    }

    /// Such as `over a day`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpToAnHour => "up to an hour",
            Self::OverAnHour => "over an hour",
            Self::OverADay => "over a day",
            Self::OverSevenDays => "over 7 days",
            Self::OverThirtyDays => "over 30 days",
            Self::Unknown => "unknown",
        }
    }
}

/// Lines of error objects, by what they are. Each is in one of these, but for `selected`, which is all that was or is to be put:
/// `put`, `uncertain_now` and `left` together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Records {
    /// All that were read.
    pub found: u64,
    /// To be put by this run.
    pub selected: u64,
    /// Put by this run.
    pub put: u64,
    /// Sent by this run, without an answer: perhaps in the stream.
    pub uncertain_now: u64,
    /// Not put, although selected: the run ended before.
    pub left: u64,
    /// Put by an earlier run.
    pub put_before: u64,
    /// Held back: they were put before, and failed again.
    pub failed_again: u64,
    /// Held back: they were sent before, and got no answer.
    pub uncertain: u64,
    /// Not asked for.
    pub not_selected: u64,
    /// They hold no record, and were copied aside by this run.
    pub corrupt: u64,
    /// They hold no record, and were copied aside by an earlier run.
    pub corrupt_before: u64,
}

/// Objects, by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Objects {
    /// All below the source.
    pub found: u64,
    /// Nothing is left of them to put: by this run or an earlier one.
    pub done: u64,
    /// Moved to the archive by this run.
    pub archived: u64,
    /// Done, and not moved although asked for.
    pub not_archived: u64,
    /// Not read to their end, because the storage failed; and folders that could not be read.
    pub unreadable: u64,
    /// No error objects, and left alone.
    pub foreign: u64,
}

/// The numbers of a redrive. The names of the JSON are the names here.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The stream, and where it is.
    pub target: String,
    /// Whether nothing was put or written.
    pub dry_run: bool,
    /// What was read.
    pub objects: Objects,
    /// What was in it.
    pub records: Records,
    /// The selected records by Firehose's error code.
    pub selected_by_error_code: BTreeMap<String, u64>,
    /// By the time since Firehose got them.
    pub selected_by_age: BTreeMap<Age, u64>,
    /// By the function that failed.
    pub selected_by_function: BTreeMap<String, u64>,
    /// Calls of Firehose.
    pub calls: u64,
    /// How often records were refused.
    pub refusals: u64,
    /// From the first object to the last call.
    pub seconds: f64,
    /// Whether `--limit` ended it.
    pub limit_reached: bool,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// Where the state of each record is.
    pub ledger: PathBuf,
    /// Where the corrupt lines of this run are.
    pub copied_aside: Option<PathBuf>,
}

impl Report {
    /// Counts a record that is to be put.
    pub(super) fn select(&mut self, failed: &Failed, now_ms: i64) {
        self.records.selected += 1;
        count(&mut self.selected_by_error_code, &failed.code);
        count(&mut self.selected_by_function, &failed.function);
        *self.selected_by_age.entry(Age::of(failed.arrival_ms, now_ms)).or_default() += 1;
    }

    /// Whether somebody has to look at something: what this run should have done, and has not, or what it holds back.
    #[must_use]
    pub fn requires_attention(&self) -> bool {
        let Records { uncertain_now, left, failed_again, uncertain, corrupt, .. } = self.records;
        let Objects { not_archived, unreadable, foreign, .. } = self.objects;
        let waits = [uncertain_now, left, failed_again, uncertain, corrupt, not_archived, foreign];
        unreadable > 0 || (!self.dry_run && waits.into_iter().any(|number| number > 0))
    }
}

fn count(counts: &mut BTreeMap<String, u64>, key: &str) {
    let key = if counts.contains_key(key) || counts.len() < MOST_KEYS { key } else { OTHERS };
    *counts.entry(key.to_owned()).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: &str, arrival_ms: Option<i64>) -> Failed {
        Failed { data: Vec::new(), code: code.to_owned(), function: "arn:f".to_owned(), arrival_ms }
    }

    #[test]
    fn ages() {
        const HOUR: i64 = 3_600_000;
        for (arrival_ms, expected) in [
            (Some(0), Age::OverThirtyDays),
            (Some(1000 * HOUR - 8 * 24 * HOUR), Age::OverSevenDays),
            (Some(1000 * HOUR - 24 * HOUR), Age::OverADay),
            (Some(1000 * HOUR - HOUR), Age::OverAnHour),
            (Some(1000 * HOUR - HOUR + 1), Age::UpToAnHour),
            // By a clock that is ahead.
            (Some(2000 * HOUR), Age::UpToAnHour),
            (Some(i64::MIN), Age::OverThirtyDays),
            (None, Age::Unknown),
        ] {
            assert_eq!(Age::of(arrival_ms, 1000 * HOUR), expected, "{arrival_ms:?}");
        }
    }

    #[test]
    fn invented_codes_do_not_fill_the_memory() {
        let mut report = Report::default();
        for number in 0..2 * MOST_KEYS {
            report.select(&failed(&number.to_string(), None), 0);
        }
        assert_eq!(report.selected_by_error_code.len(), MOST_KEYS + 1);
        assert_eq!(report.selected_by_error_code[OTHERS], MOST_KEYS as u64);
    }

    #[test]
    fn whatever_waits_for_somebody_is_told() {
        let needs = |change: fn(&mut Report)| {
            let mut report = Report::default();
            change(&mut report);
            report.requires_attention()
        };
        for (change, expected) in [
            ((|report| report.records.put = 1) as fn(&mut Report), false),
            (|report| report.records.put_before = 1, false),
            (|report| report.records.not_selected = 1, false),
            (|report| report.records.corrupt_before = 1, false),
            (|report| report.records.corrupt = 1, true),
            (|report| report.records.left = 1, true),
            (|report| report.records.failed_again = 1, true),
            (|report| report.records.uncertain = 1, true),
            (|report| report.records.uncertain_now = 1, true),
            (|report| report.objects.foreign = 1, true),
            (|report| report.objects.not_archived = 1, true),
            (|report| report.objects.unreadable = 1, true),
        ] {
            assert_eq!(needs(change), expected);
        }
        let dry = Report { dry_run: true, records: Records { corrupt: 1, ..Records::default() }, ..Report::default() };
        assert!(!dry.requires_attention());
    }
}
