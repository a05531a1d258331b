//! `clicks redrive` on a terminal: a progress bar, and the report as a table.

use std::cell::Cell;
use std::fmt::{self, Display, Formatter};

use redrive::{Objects, Options, Progress, RedriveError, Redriven, Report};
use serde::Serialize;

use crate::interrupts::Interrupts;
use crate::progress::Bar;
use crate::table::table;

/// Redrives with a bar of the bytes that are read.
pub(crate) async fn run(options: Options, interrupts: Interrupts) -> Result<Redriven, RedriveError> {
    let bar = Cell::new(None);
    let shown = Cell::new(0);
    let on_progress = move |Progress { bytes_total, bytes, found, put }| {
        let drawn = bar.take().unwrap_or_else(|| Bar::new(Some(bytes_total)));
        drawn.advance(bytes - shown.replace(bytes), format!("{found} records, {put} put"));
        bar.set(Some(drawn));
    };
    redrive::run(options, interrupts.count(), Box::new(on_progress)).await
}

/// A report as a table; the same as JSON.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Table<'a>(pub(crate) &'a Report);

impl Display for Table<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        let Objects { found, done, archived, not_archived, unreadable, foreign } = &self.0.objects;
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
        let records = &self.0.records;
        row("records", records.found.to_string());
        row(if self.0.dry_run { "  to put" } else { "  selected" }, records.selected.to_string());
        let parts = [
            (
                "by error code",
                self.0.selected_by_error_code.iter().map(|(name, n)| (name.as_str(), n)).collect::<Vec<_>>(),
            ),
            ("by age", self.0.selected_by_age.iter().map(|(age, n)| (age.name(), n)).collect()),
            ("by function", self.0.selected_by_function.iter().map(|(name, n)| (name.as_str(), n)).collect()),
        ];
        for (name, counts) in parts.iter().filter(|(_, counts)| !counts.is_empty()) {
            row(&format!("    {name}"), String::new());
            for (name, number) in counts {
                row(&format!("      {name}"), number.to_string());
            }
        }
        if !self.0.dry_run {
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
        row("calls", self.0.calls.to_string());
        row("refusals", self.0.refusals.to_string());
        row("seconds", format!("{:.3}", self.0.seconds));
        if self.0.limit_reached {
            row("ended by", "--limit".to_owned());
        }
        if self.0.interrupted {
            row("interrupted", "yes, before the end".to_owned());
        }
        row("stream", self.0.target.clone());
        row("ledger", self.0.ledger.display().to_string());
        if let Some(path) = &self.0.copied_aside {
            row("corrupt lines", path.display().to_string());
        }
        if self.0.dry_run {
            row("dry run", "nothing was put or written".to_owned());
        }
        table(f, &rows)
    }
}

#[cfg(test)]
mod tests {
    use redrive::{Age, Records};

    use super::*;

    #[test]
    fn a_table_has_what_there_is() {
        let mut report = Report { target: "clicks@us-east-1".to_owned(), ledger: "l".into(), ..Report::default() };
        report.objects = Objects { found: 2, done: 1, ..Objects::default() };
        report.records = Records { found: 5, selected: 2, put: 2, failed_again: 3, ..Records::default() };
        report.selected_by_error_code = [("Lambda.FunctionError".to_owned(), 2)].into();
        report.selected_by_age = [(Age::OverAnHour, 1), (Age::Unknown, 1)].into();
        report.selected_by_function = [("arn:f".to_owned(), 2)].into();
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
        assert_eq!(Table(&report).to_string(), expected);
        report.dry_run = true;
        let dry = Table(&report).to_string();
        assert!(dry.contains("\n  to put") && dry.ends_with("  nothing was put or written\n"));
    }
}
