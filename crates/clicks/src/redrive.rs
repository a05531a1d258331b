//! `clicks redrive` on a terminal: a progress bar, and the report as a table.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use redrive::{Options, Progress, RedriveError, Redriven, Report};
use serde::Serialize;

use crate::interrupts::Interrupts;
use crate::progress::Bar;
use crate::table::Table;

/// Redrives with a progress bar of the bytes that were read.
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

/// A report as a table, or as JSON.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ReportTable<'a>(pub(crate) &'a Report);

impl Display for ReportTable<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut table = Table::default();
        let Report { objects, records, dry_run, .. } = self.0;
        table.row("objects", objects.found);
        table.row("  done", objects.done);
        table.non_zero(&[
            ("  archived", objects.archived),
            ("  not archived", objects.not_archived),
            ("  unreadable", objects.unreadable),
            ("  not error objects", objects.foreign),
        ]);
        table.row("records", records.found);
        table.row(if *dry_run { "  to put" } else { "  selected" }, records.selected);
        let by_age = self.0.selected_by_age.iter().map(|(age, number)| (age.name(), *number));
        counts(&mut table, "by error code", by_name(&self.0.selected_by_error_code));
        counts(&mut table, "by age", by_age);
        counts(&mut table, "by function", by_name(&self.0.selected_by_function));
        if !dry_run {
            table.row("  put", records.put);
        }
        table.non_zero(&[
            ("  sent without a response (uncertain)", records.uncertain_now),
            ("  left", records.left),
            ("  put before", records.put_before),
            ("  held back: failed again (--again)", records.failed_again),
            ("  held back: uncertain (--again=uncertain)", records.uncertain),
            ("  not selected", records.not_selected),
            ("  corrupt", records.corrupt),
            ("  corrupt, found before", records.corrupt_before),
        ]);
        table.row("calls", self.0.calls);
        table.row("refusals", self.0.refusals);
        table.row("seconds", format_args!("{:.3}", self.0.seconds));
        if self.0.limit_reached {
            table.row("stopped by", "--limit");
        }
        if self.0.interrupted {
            table.row("interrupted", "yes, before the end");
        }
        table.row("stream", &self.0.target);
        table.row("journal", self.0.journal.display());
        if let Some(path) = &self.0.quarantine {
            table.row("corrupt lines", path.display());
        }
        if *dry_run {
            table.row("dry run", "nothing was put or written");
        }
        table.fmt(formatter)
    }
}

fn by_name(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&str, u64)> {
    counts.iter().map(|(name, number)| (name.as_str(), *number))
}

fn counts<'a>(table: &mut Table, title: &str, counts: impl Iterator<Item = (&'a str, u64)>) {
    for (index, (name, number)) in counts.enumerate() {
        if index == 0 {
            table.row(&format!("    {title}"), "");
        }
        table.row(&format!("      {name}"), number);
    }
}

#[cfg(test)]
mod tests {
    use redrive::{Age, ObjectCounts, RecordCounts};

    use super::*;

    #[test]
    fn a_table_has_no_empty_rows() {
        let mut report = Report { target: "clicks@us-east-1".to_owned(), journal: "l".into(), ..Report::default() };
        report.objects = ObjectCounts { found: 2, done: 1, ..ObjectCounts::default() };
        report.records = RecordCounts { found: 5, selected: 2, put: 2, failed_again: 3, ..RecordCounts::default() };
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
journal                              l
";
        assert_eq!(ReportTable(&report).to_string(), expected);
        report.dry_run = true;
        let dry = ReportTable(&report).to_string();
        assert!(dry.contains("\n  to put") && dry.ends_with("  nothing was put or written\n"));
    }
}
