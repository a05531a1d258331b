//! What a redrive came to: a table for people, the same as JSON for machines.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::Serialize;

use super::failed::Failed;
use crate::report::table;

/// The most codes or functions that are told apart: whoever may write objects may invent them.
const MOST_KEYS: usize = 50;

/// What the rest of them is counted under.
const OTHERS: &str = "others";

/// How long ago Firehose got a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Age {
    /// Or not yet, by this machine's clock.
    UpToAnHour,
    OverAnHour,
    OverADay,
    OverSevenDays,
    OverThirtyDays,
    /// The line does not tell.
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

    fn name(self) -> &'static str {
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
pub(crate) struct Records {
    /// All that were read.
    pub(crate) found: u64,
    /// To be put by this run.
    pub(crate) selected: u64,
    /// Put by this run.
    pub(crate) put: u64,
    /// Sent by this run, without an answer: perhaps in the stream.
    pub(crate) uncertain_now: u64,
    /// Not put, although selected: the run ended before.
    pub(crate) left: u64,
    /// Put by an earlier run.
    pub(crate) put_before: u64,
    /// Held back: they were put before, and failed again.
    pub(crate) failed_again: u64,
    /// Held back: they were sent before, and got no answer.
    pub(crate) uncertain: u64,
    /// Not asked for.
    pub(crate) not_selected: u64,
    /// They hold no record, and were copied aside by this run.
    pub(crate) corrupt: u64,
    /// They hold no record, and were copied aside by an earlier run.
    pub(crate) corrupt_before: u64,
}

/// Objects, by what they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Objects {
    /// All below the source.
    pub(crate) found: u64,
    /// Nothing is left of them to put: by this run or an earlier one.
    pub(crate) done: u64,
    /// Moved to the archive by this run.
    pub(crate) archived: u64,
    /// Done, and not moved although asked for.
    pub(crate) not_archived: u64,
    /// Not read to their end, because the storage failed; and folders that could not be read.
    pub(crate) unreadable: u64,
    /// No error objects, and left alone.
    pub(crate) foreign: u64,
}

/// The numbers of a redrive. The names of the JSON are the names here.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Report {
    /// The stream, and where it is.
    pub(crate) target: String,
    /// Whether nothing was put or written.
    pub(crate) dry_run: bool,
    /// What was read.
    pub(crate) objects: Objects,
    /// What was in it.
    pub(crate) records: Records,
    /// The selected records by Firehose's error code.
    pub(crate) selected_by_error_code: BTreeMap<String, u64>,
    /// By the time since Firehose got them.
    pub(crate) selected_by_age: BTreeMap<Age, u64>,
    /// By the function that failed.
    pub(crate) selected_by_function: BTreeMap<String, u64>,
    /// Calls of Firehose.
    pub(crate) calls: u64,
    /// How often records were refused.
    pub(crate) refusals: u64,
    /// From the first object to the last call.
    pub(crate) seconds: f64,
    /// Whether `--limit` ended it.
    pub(crate) limit_reached: bool,
    /// Whether it was stopped before its end.
    pub(crate) interrupted: bool,
    /// Where the state of each record is.
    pub(crate) ledger: PathBuf,
    /// Where the corrupt lines of this run are.
    pub(crate) copied_aside: Option<PathBuf>,
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
    pub(crate) fn needs_somebody(&self) -> bool {
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

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        let Objects { found, done, archived, not_archived, unreadable, foreign } = &self.objects;
        row("objects", found.to_string());
        row("  done", done.to_string());
        let exceptions = |row: &mut dyn FnMut(&str, String), numbers: &[(&str, &u64)]| {
            numbers.iter().filter(|(_, number)| **number > 0).for_each(|(name, number)| row(name, number.to_string()));
        };
        exceptions(
            &mut row,
            &[
                ("  archived", archived),
                ("  not archived", not_archived),
                ("  unreadable", unreadable),
                ("  no error objects", foreign),
            ],
        );
        let records = &self.records;
        row("records", records.found.to_string());
        row(if self.dry_run { "  to put" } else { "  selected" }, records.selected.to_string());
        let parts = [
            (
                "by error code",
                self.selected_by_error_code.iter().map(|(name, n)| (name.as_str(), n)).collect::<Vec<_>>(),
            ),
            ("by age", self.selected_by_age.iter().map(|(age, n)| (age.name(), n)).collect()),
            ("by function", self.selected_by_function.iter().map(|(name, n)| (name.as_str(), n)).collect()),
        ];
        for (name, counts) in parts.iter().filter(|(_, counts)| !counts.is_empty()) {
            row(&format!("    {name}"), String::new());
            for (name, number) in counts {
                row(&format!("      {name}"), number.to_string());
            }
        }
        if !self.dry_run {
            row("  put", records.put.to_string());
        }
        exceptions(
            &mut row,
            &[
                ("  sent without an answer (uncertain)", &records.uncertain_now),
                ("  left", &records.left),
                ("  put before", &records.put_before),
                ("  held back: failed again (--again)", &records.failed_again),
                ("  held back: uncertain (--again=uncertain)", &records.uncertain),
                ("  not selected", &records.not_selected),
                ("  corrupt", &records.corrupt),
                ("  corrupt, found before", &records.corrupt_before),
            ],
        );
        row("calls", self.calls.to_string());
        row("refusals", self.refusals.to_string());
        row("seconds", format!("{:.3}", self.seconds));
        if self.limit_reached {
            row("ended by", "--limit".to_owned());
        }
        if self.interrupted {
            row("interrupted", "yes, before the end".to_owned());
        }
        row("stream", self.target.clone());
        row("ledger", self.ledger.display().to_string());
        if let Some(path) = &self.copied_aside {
            row("corrupt lines", path.display().to_string());
        }
        if self.dry_run {
            row("dry run", "nothing was put or written".to_owned());
        }
        table(f, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: &str, arrival_ms: Option<i64>) -> Failed {
        Failed { data: Vec::new(), code: code.to_owned(), function: "arn:f".to_owned(), arrival_ms }
    }

    #[test]
    fn the_table_tells_what_there_is() {
        let mut report = Report { target: "clicks@us-east-1".to_owned(), ledger: "l".into(), ..Report::default() };
        report.objects = Objects { found: 2, done: 1, ..Objects::default() };
        report.select(&failed("Lambda.FunctionError", Some(0)), 3_600_000);
        report.select(&failed("Lambda.FunctionError", None), 3_600_000);
        report.records = Records { found: 5, put: 2, failed_again: 3, ..report.records };
        let expected = "\
objects                              2
  done                               1
records                              5
  selected                           2
    by error code
      Lambda.FunctionError           2
    by age
      over an hour                   1
      unknown                        1
    by function
      arn:f                          2
  put                                2
  held back: failed again (--again)  3
calls                                0
refusals                             0
seconds                              0.000
stream                               clicks@us-east-1
ledger                               l
";
        assert_eq!(report.to_string(), expected);
        report.dry_run = true;
        let dry = report.to_string();
        assert!(dry.contains("\n  to put") && dry.ends_with("  nothing was put or written\n"));
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
            report.needs_somebody()
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
        assert!(!dry.needs_somebody());
    }
}
