//! `clicks redrive`: its options, a progress bar, and the report as a table.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum, value_parser};
use jiff::Timestamp;
use redrive::{
    ObjectSource, OnDamage, Options, Progress, RecordCounts, RedriveError, Redriven, Report, Selection, StreamRef,
};
use tokio::sync::watch;

use crate::examples::{TEMPLATE, examples};
use crate::interrupts::Interrupts;
use crate::progress::{Bar, Table};
use crate::up::options::{FieldName, ServiceUrl, StreamName};
use service_kit::count::{counted, records};

/// The longest name of a data stream (Amazon Kinesis Data Streams API Reference, "CreateStream", "StreamName").
const LONGEST_DATA_STREAM_NAME: usize = 128;

/// Puts records from Firehose's error output back into the stream, each record once.
///
/// Reads error objects: JSON objects with `rawData`, with or without white space between them, plain or GZIP. Puts the original
/// records into a delivery stream with PutRecordBatch, or, with --data-stream, into the data stream that a delivery stream reads,
/// with PutRecords. A journal on this machine has the state of each record, so a run continues where the last one stopped. With
/// another journal, or without it, records are put twice. First fix what made the records fail. Then check with --dry-run, and try
/// a few records with --limit.
///
/// The AWS_… variables set the region and the credentials: AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
/// (`aws configure export-credentials --format env` prints those of a profile).
#[derive(Args)]
#[command(
    group = ArgGroup::new("target").required(true).args(["stream", "data_stream"]),
    help_template = TEMPLATE,
    before_help = examples(&[
        ("What would be put?", "clicks redrive s3://BUCKET/errors --stream NAME --dry-run"),
        ("Some records; then the rest, without the limit", "clicks redrive s3://BUCKET/errors --stream NAME --limit 100"),
        (
            "Into a local pipeline",
            "clicks redrive out/bucket/errors --stream mysfits-clicks --endpoint http://127.0.0.1:8001",
        ),
    ]),
    after_help = "Exit codes: 0 all selected records are in the stream; 1 the operator must act \
                        (held back, uncertain, corrupt, not moved), or it failed; 2 wrong usage; 130 interrupted by Ctrl-C, \
                        SIGTERM or SIGHUP. The first interrupt finishes the current call; the second aborts it."
)]
pub(crate) struct Redrive {
    /// The error objects; a file is a single one. Hidden files and unfinished ones (`NAME#1`) are skipped.
    #[arg(value_name = "s3://BUCKET/PREFIX|DIR")]
    source: String,

    /// The delivery stream. Its source must be Direct PUT.
    #[arg(long, value_name = "NAME")]
    stream: Option<StreamName>,

    /// The data stream that the delivery stream reads, if its source is Kinesis Data Streams. Records are put with PutRecords.
    #[arg(long, value_name = "NAME")]
    data_stream: Option<StreamName<LONGEST_DATA_STREAM_NAME>>,

    /// The field of a record's JSON object that is its partition key: a string or a number, of at most 256 characters. Any other
    /// record, and each without this option, gets a hash of its bytes, which distributes records over the shards.
    #[arg(long, value_name = "FIELD", requires = "data_stream", conflicts_with = "stream")]
    partition_key: Option<FieldName>,

    /// Only report what would be put: nothing is put, moved or written, and the service is not called. So the journal's stream is not
    /// checked, and a data stream is assumed to accept records of 10 MiB, the largest possible limit.
    #[arg(long)]
    dry_run: bool,

    /// Only records with this error code, such as Lambda.FunctionError; may be given several times.
    #[arg(long, value_name = "CODE", help_heading = "Which records")]
    error_code: Vec<String>,

    /// Only records that arrived at this time or later: 2026-11-26T10:00:00Z, 2026-11-26 (UTC), or an age: 90m, 12h, 3d.
    #[arg(long, value_name = "WHEN", help_heading = "Which records", value_parser = when)]
    since: Option<i64>,

    /// Only records that arrived before this time.
    #[arg(long, value_name = "WHEN", help_heading = "Which records", value_parser = when)]
    until: Option<i64>,

    /// The most records of this run.
    #[arg(long, value_name = "N", help_heading = "Which records", value_parser = value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Also put records that are held back: `failed` ones failed again after they were put; `uncertain` ones were sent without a
    /// response and may be in the stream. Without a value: `failed`.
    #[arg(
        long,
        value_name = "WHICH",
        help_heading = "Which records",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "failed"
    )]
    again: Option<HeldBack>,

    /// The most records per second, which leaves capacity for live ones. A larger record counts as one for each 512 bytes. The
    /// smallest default quota of a stream is 1 MiB/s.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=100_000), help_heading = "Calls")]
    rate: u32,

    /// The file with the state of each record [default: ~/.local/state/clicks/redrive/STREAM@REGION.journal, for a data stream
    /// STREAM@kinesis@REGION.journal]
    #[arg(long, value_name = "FILE", help_heading = "Journal")]
    journal: Option<PathBuf>,

    /// Continue with a journal that is damaged or missing; records may be put twice. Without this option, that is an error.
    #[arg(long, value_name = "HOW", help_heading = "Journal")]
    damaged_journal: Option<DamagedJournal>,

    /// Move finished objects to this prefix of the bucket or folder.
    #[arg(long, value_name = "PREFIX", value_parser = redrive::parse_archive_prefix)]
    archive: Option<String>,

    /// The URL of another Firehose or Kinesis than AWS, such as http://127.0.0.1:8001 or http://127.0.0.1:8003 of `clicks up`.
    #[arg(long, value_name = "URL", help_heading = "Calls")]
    endpoint: Option<ServiceUrl>,

    /// The URL of another S3 than AWS, such as http://127.0.0.1:9000.
    #[arg(long, value_name = "URL", help_heading = "Calls")]
    s3_endpoint: Option<String>,

    /// Print the numbers as JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HeldBack {
    Failed,
    Uncertain,
    All,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum DamagedJournal {
    /// Continue from the last readable commit: records that were put after it may be put twice
    Older,
    /// Start a new journal: all records may be put twice
    New,
}

impl TryFrom<Redrive> for Options {
    type Error = RedriveError;

    fn try_from(asked: Redrive) -> Result<Self, RedriveError> {
        let stream = match (asked.stream, asked.data_stream) {
            (_, Some(StreamName(name))) => {
                StreamRef::Data { name, partition_key_field: asked.partition_key.map(|FieldName(name)| name) }
            }
            (stream, None) => StreamRef::Delivery(stream.map(|StreamName(name)| name).unwrap_or_default()),
        };
        let again = |which: HeldBack| matches!(asked.again, Some(HeldBack::All)) || asked.again == Some(which);
        Ok(Self {
            source: ObjectSource::parse(&asked.source, asked.s3_endpoint.as_deref())?,
            failed_again: again(HeldBack::Failed),
            uncertain: again(HeldBack::Uncertain),
            archive: asked.archive,
            stream,
            endpoint: asked.endpoint.map(|ServiceUrl(url)| url),
            selection: Selection { error_codes: asked.error_code, since_ms: asked.since, until_ms: asked.until },
            limit: asked.limit,
            rate: asked.rate,
            journal: asked.journal,
            on_damage: asked.damaged_journal.map(|how| match how {
                DamagedJournal::Older => OnDamage::Older,
                DamagedJournal::New => OnDamage::New,
            }),
            dry_run: asked.dry_run,
        })
    }
}

fn when(text: &str) -> Result<i64, String> {
    redrive::parse_time_ms(text, Timestamp::now())
}

pub(crate) async fn run(options: Options, interrupts: Interrupts) -> Result<Redriven, RedriveError> {
    let bar = Cell::new(None);
    let on_progress = move |Progress { bytes_total, bytes, found, put }| {
        let drawn = bar.take().unwrap_or_else(|| Bar::new(Some(bytes_total)));
        drawn.0.set_position(bytes);
        drawn.0.set_message(format!("{}, {put} put", records(found)));
        bar.set(Some(drawn));
    };
    redrive::run(options, count(interrupts), Box::new(on_progress)).await
}

fn count(mut interrupts: Interrupts) -> watch::Receiver<u32> {
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            interrupts.next().await;
            sender.send_modify(|times| *times += 1);
        }
    });
    receiver
}

fn summary(Report { objects, records: counts, dry_run, limit_reached, interrupted, .. }: &Report) -> String {
    let RecordCounts { found, selected, put, left, .. } = *counts;
    let is_complete = !limit_reached && !interrupted && objects.unreadable == 0;
    let mut parts = vec![match (selected, dry_run) {
        (0, _) => "no record to put".to_owned(),
        (_, true) => format!("{selected} of {} to put", records(found)),
        (_, false) => format!("{put} of {} put", records(selected)),
    }];
    parts.extend((left > 0).then(|| format!("{left} left")));
    parts.extend((selected > 0 && !dry_run && left == 0 && is_complete).then(|| "none left".to_owned()));
    for (number, what) in [
        (counts.uncertain_now, "uncertain"),
        (counts.failed_again + counts.uncertain, "held back"),
        (counts.put_before, "put before"),
        (counts.not_selected, "not selected"),
        (counts.corrupt + counts.corrupt_before, "corrupt"),
    ] {
        parts.extend((number > 0).then(|| format!("{number} {what}")));
    }
    let unreadable = || counted(objects.unreadable, "unreadable object", "unreadable objects");
    parts.extend((objects.unreadable > 0).then(unreadable));
    parts.extend(limit_reached.then(|| "stopped by --limit".to_owned()));
    parts.extend(interrupted.then(|| "interrupted".to_owned()));
    parts.join(", ")
}

pub(crate) fn table(report: &Report) -> Table {
    let mut table = Table::new(summary(report));
    let Report { objects, records, dry_run, .. } = report;
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
    counts(&mut table, "by error code", &report.selected_by_error_code, String::as_str);
    counts(&mut table, "by age", &report.selected_by_age, |age| age.name());
    counts(&mut table, "by function", &report.selected_by_function, String::as_str);
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
    table.row("calls", report.calls);
    table.row("refusals", report.refusals);
    table.row("seconds", format_args!("{:.3}", report.seconds));
    if report.limit_reached {
        table.row("stopped by", "--limit");
    }
    if report.interrupted {
        table.row("interrupted", "yes, before the end");
    }
    table.row("stream", &report.target);
    table.row("journal", report.journal.display());
    if let Some(path) = &report.quarantine {
        table.row("corrupt lines", path.display());
    }
    if *dry_run {
        table.row("dry run", "nothing was put or written");
    }
    table
}

fn counts<K>(table: &mut Table, title: &str, counts: &BTreeMap<K, u64>, name: impl Fn(&K) -> &str) {
    if !counts.is_empty() {
        table.row(&format!("    {title}"), "");
    }
    for (key, number) in counts {
        table.row(&format!("      {}", name(key)), number);
    }
}

#[cfg(test)]
mod tests {
    use redrive::{Age, ObjectCounts};

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
2 of 2 records put, none left, 3 held back

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
        assert_eq!(table(&report).to_string(), expected);
        report.dry_run = true;
        let dry = table(&report).to_string();
        assert!(dry.starts_with("2 of 5 records to put, 3 held back\n\n"), "{dry}");
        assert!(dry.contains("\n  to put") && dry.ends_with("  nothing was put or written\n"));
    }

    #[test]
    fn a_summary_says_what_is_left() {
        let counts = RecordCounts { found: 9, selected: 3, put: 3, ..RecordCounts::default() };
        let of = |records: RecordCounts| Report { records, ..Report::default() };
        let unreadable = ObjectCounts { unreadable: 1, ..ObjectCounts::default() };
        for (report, expected) in [
            (of(RecordCounts::default()), "no record to put"),
            (of(RecordCounts { put_before: 9, ..RecordCounts::default() }), "no record to put, 9 put before"),
            (of(RecordCounts { selected: 1, put: 1, ..counts.clone() }), "1 of 1 record put, none left"),
            (of(RecordCounts { put: 1, left: 2, ..counts.clone() }), "1 of 3 records put, 2 left"),
            (
                of(RecordCounts { put: 2, uncertain_now: 1, corrupt: 1, corrupt_before: 1, ..counts.clone() }),
                "2 of 3 records put, none left, 1 uncertain, 2 corrupt",
            ),
            // More may be left than is counted.
            (Report { limit_reached: true, ..of(counts.clone()) }, "3 of 3 records put, stopped by --limit"),
            (Report { interrupted: true, ..of(counts.clone()) }, "3 of 3 records put, interrupted"),
            (Report { objects: unreadable, ..of(counts) }, "3 of 3 records put, 1 unreadable object"),
        ] {
            assert_eq!(summary(&report), expected);
        }
    }
}
