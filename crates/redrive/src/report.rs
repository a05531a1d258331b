//! The result of a redrive.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::record::FailedRecord;

/// How many codes or functions are counted by name: anyone who can write objects can invent them.
const MOST_KEYS: usize = 50;

const OTHERS: &str = "others";

/// How long ago Firehose received a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Age {
    /// Also an arrival in the future, by this machine's clock.
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

/// Numbers of lines. Each is in one of them, but for `found`, and `selected`: the sum of `put`, `uncertain_now` and `left`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RecordCounts {
    /// All that were read.
    pub found: u64,
    /// Records that this run puts.
    pub selected: u64,
    /// Put by this run.
    pub put: u64,
    /// Sent by this run without a response: they may be in the stream.
    pub uncertain_now: u64,
    /// Selected, and not put because the run stopped before.
    pub left: u64,
    /// Put by an earlier run.
    pub put_before: u64,
    /// Held back, because they failed again after an earlier run put them.
    pub failed_again: u64,
    /// Held back, because an earlier run sent them without a response.
    pub uncertain: u64,
    /// Not selected by the options.
    pub not_selected: u64,
    /// Without a record; quarantined by this run.
    pub corrupt: u64,
    /// Without a record; quarantined by an earlier run.
    pub corrupt_before: u64,
}

/// Numbers of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ObjectCounts {
    /// All in the source.
    pub found: u64,
    /// All their records are put, by this run or an earlier one.
    pub done: u64,
    /// Moved to the archive by this run.
    pub archived: u64,
    /// Done, but the move to the archive failed.
    pub not_archived: u64,
    /// Only partly read, because the storage or decompression failed; and unreadable folders.
    pub unreadable: u64,
    /// Not error objects. They are left as they are.
    pub foreign: u64,
}

/// The result of a redrive. The JSON has these names.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The stream and its region or address.
    pub target: String,
    /// Whether nothing was put or written.
    pub dry_run: bool,
    /// The objects that were read.
    pub objects: ObjectCounts,
    /// The lines in them.
    pub records: RecordCounts,
    /// The selected records by Firehose's error code.
    pub selected_by_error_code: BTreeMap<String, u64>,
    /// The selected records by the time since their arrival.
    pub selected_by_age: BTreeMap<Age, u64>,
    /// The selected records by the function that failed.
    pub selected_by_function: BTreeMap<String, u64>,
    /// Calls of `PutRecordBatch` or `PutRecords`.
    pub calls: u64,
    /// How often the service refused a record.
    pub refusals: u64,
    /// From the first object to the last call.
    pub seconds: f64,
    /// Whether the limit of records stopped the run.
    pub limit_reached: bool,
    /// Whether an interrupt stopped the run.
    pub interrupted: bool,
    /// The journal's file.
    pub journal: PathBuf,
    /// The file with the lines that this run quarantined.
    pub quarantine: Option<PathBuf>,
}

impl Report {
    pub(super) fn select(&mut self, record: &FailedRecord, now_ms: i64) {
        self.records.selected += 1;
        count(&mut self.selected_by_error_code, &record.code);
        count(&mut self.selected_by_function, &record.function);
        *self.selected_by_age.entry(Age::of(record.arrival_ms, now_ms)).or_default() += 1;
    }

    /// Whether the operator must act: this run did not do all that it should have, or it holds records back.
    #[must_use]
    pub fn requires_attention(&self) -> bool {
        let RecordCounts { uncertain_now, left, failed_again, uncertain, corrupt, .. } = self.records;
        let ObjectCounts { not_archived, unreadable, foreign, .. } = self.objects;
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

    fn failed(code: &str, arrival_ms: Option<i64>) -> FailedRecord {
        FailedRecord { data: Vec::new(), code: code.to_owned(), function: "arn:f".to_owned(), arrival_ms }
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
            // The clock of Firehose is ahead.
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
    fn what_waits_for_the_operator_requires_attention() {
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
        let dry = Report {
            dry_run: true,
            records: RecordCounts { corrupt: 1, ..RecordCounts::default() },
            ..Report::default()
        };
        assert!(!dry.requires_attention());
    }
}
