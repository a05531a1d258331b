use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::stream::attempt::{Attempt, InvocationSummary};
use crate::stream::event::StreamEvent;
use crate::stream::notices::Notices;
use crate::stream::settings::StreamSettings;
use crate::stream::stats::StreamStats;

/// A metric with its samples: name and labels, and value.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    samples: BTreeMap<String, f64>,
}

/// Strict: a metric has HELP, TYPE and its samples in one group, no sample twice, and only escapes that exist.
#[track_caller]
fn parse(text: &str) -> BTreeMap<String, Metric> {
    assert!(text.ends_with('\n'));
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut current = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            current = help.split_once(' ').unwrap().0.to_owned();
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {current} ")).unwrap();
            let metric = Metric { kind: kind.to_owned(), ..Metric::default() };
            assert!(metrics.insert(current.clone(), metric).is_none(), "{line} again");
            continue;
        }
        let (name_and_labels, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name_and_labels.split_once('{').unwrap_or((name_and_labels, "}"));
        let metric = metrics.get_mut(&current).unwrap();
        let suffixes: &[&str] = if metric.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|suffix| name == format!("{current}{suffix}")), "{line} in {current}");
        let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(is_name(name), "{line}");
        let mut names = BTreeSet::new();
        let mut rest = labels;
        while rest != "}" {
            let (label, quoted) = rest.split_once("=\"").unwrap();
            assert!(is_name(label) && names.insert(label), "{line}");
            let mut end = 0;
            let bytes = quoted.as_bytes();
            while bytes[end] != b'"' {
                let is_escape = bytes[end] == b'\\';
                assert!(!is_escape || br#"\"n"#.contains(&bytes[end + 1]), "{line}");
                end += if is_escape { 2 } else { 1 };
            }
            rest = quoted[end + 1..].strip_prefix(',').unwrap_or(&quoted[end + 1..]);
        }
        assert!(metric.samples.insert(name_and_labels.to_owned(), value.parse().unwrap()).is_none(), "{line} again");
    }
    metrics
}

fn snapshot(name: &str, events: impl IntoIterator<Item = StreamEvent>) -> StreamSnapshot {
    let stats = StreamStats::new(&StreamSettings::untransformed(name, Path::new("nowhere")), Notices::default());
    for event in events {
        stats.record(event);
    }
    stats.snapshot()
}

fn invoked(outcome: &'static str, attempt: u32, milliseconds: f64) -> StreamEvent {
    let summary = InvocationSummary { milliseconds, attempt, outcome, ..InvocationSummary::default() };
    StreamEvent::Invoked {
        attempt: Attempt::new(summary, &[]).into(),
        failed_by_reason: BTreeMap::new(),
        is_retried: false,
    }
}

fn text(streams: &[StreamSnapshot], data_streams: &[DataStreamSnapshot]) -> String {
    let mut text = MetricsText::default();
    write_metrics(&mut text, streams, data_streams);
    text.as_str().to_owned()
}

#[test]
fn the_metrics_of_streams_are_those_of_their_snapshots() {
    let busy = [
        StreamEvent::Accepted { records: 9, bytes: 90 },
        StreamEvent::Refused { records: 91_623, reason: RefusalReason::Backlog },
        StreamEvent::InvocationStarted { shard: None, batch: 1, records: 5, bytes: 50 },
        StreamEvent::InvocationStarted { shard: None, batch: 2, records: 2, bytes: 20 },
        invoked("timed_out", 1, 30_000.0),
        invoked("response", 2, 20.0),
        invoked("response", 1, 1.5),
        StreamEvent::Transformed { batch: 1, records: 4, bytes: 44, dropped: 1 },
        StreamEvent::UploadRefused { error: "full".to_owned(), is_first: true },
        StreamEvent::UploadRefused { error: "full".to_owned(), is_first: false },
        StreamEvent::FailedAgain { code: "code" },
    ];
    let refused_by_reason = RefusedRecords::new(3, RefusalReason::Memory);
    let data_stream = DataStreamSnapshot { data_stream: "d".to_owned(), accepted: 4, refused_by_reason };
    let text = text(&[snapshot("idle", []), snapshot("busy", busy)], &[data_stream]);
    let metrics = parse(&text);
    for (name, kind, samples) in [
        ("firehose_records_accepted_total", "counter", 2),
        ("firehose_records_total", "counter", 6),
        ("firehose_records_refused_total", "counter", 12),
        ("firehose_invocations_total", "counter", 12),
        ("firehose_invocation_retries_total", "counter", 2),
        ("firehose_invocations_in_flight", "gauge", 2),
        ("firehose_invocation_duration_seconds", "histogram", 38),
        ("firehose_backlog_records", "gauge", 6),
        ("firehose_backlog_bytes", "gauge", 4),
        ("firehose_storage_errors_total", "counter", 2),
        ("firehose_storage_refusing", "gauge", 2),
        ("kinesis_records_accepted_total", "counter", 1),
        ("kinesis_records_refused_total", "counter", 6),
    ] {
        assert_eq!((metrics[name].kind.as_str(), metrics[name].samples.len()), (kind, samples), "{name}");
    }
    assert_eq!(metrics.len(), 13);
    for line in [
        r#"firehose_records_accepted_total{stream="idle"} 0"#,
        r#"firehose_records_accepted_total{stream="busy"} 9"#,
        r#"firehose_records_total{stream="busy",outcome="dropped"} 1"#,
        r#"firehose_records_total{stream="busy",outcome="failed"} 1"#,
        r#"firehose_records_refused_total{stream="busy",reason="backlog"} 91623"#,
        r#"firehose_records_refused_total{stream="busy",reason="rate"} 0"#,
        r#"firehose_invocations_total{stream="busy",outcome="response"} 2"#,
        r#"firehose_invocations_total{stream="busy",outcome="timed_out"} 1"#,
        r#"firehose_invocation_retries_total{stream="busy"} 1"#,
        r#"firehose_invocations_in_flight{stream="busy"} 1"#,
        r#"firehose_invocation_duration_seconds_bucket{stream="busy",le="0.0025"} 1"#,
        r#"firehose_invocation_duration_seconds_bucket{stream="busy",le="10"} 2"#,
        r#"firehose_invocation_duration_seconds_bucket{stream="busy",le="+Inf"} 3"#,
        r#"firehose_invocation_duration_seconds_count{stream="busy"} 3"#,
        r#"firehose_backlog_records{stream="busy",stage="buffered"} 2"#,
        r#"firehose_backlog_records{stream="busy",stage="in_function"} 2"#,
        r#"firehose_backlog_records{stream="busy",stage="waiting"} 3"#,
        r#"firehose_backlog_bytes{stream="busy",stage="buffered"} 20"#,
        r#"firehose_storage_errors_total{stream="busy"} 2"#,
        r#"firehose_storage_refusing{stream="busy"} 1"#,
        r#"kinesis_records_accepted_total{stream="d"} 4"#,
        r#"kinesis_records_refused_total{stream="d",reason="memory"} 3"#,
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is not in {text}");
    }
    let sum = metrics["firehose_invocation_duration_seconds"].samples[r#"firehose_invocation_duration_seconds_sum{stream="busy"}"#];
    assert!((sum - 30.0215).abs() < 1e-9, "{sum}");
}

#[test]
fn buckets_are_cumulative_and_the_last_one_is_the_count() {
    let text = text(&[snapshot("s", (0..20).map(|power| invoked("response", 1, f64::from(1 << power))))], &[]);
    let of = |suffix: &str| -> Vec<u64> {
        let start = format!("firehose_invocation_duration_seconds_{suffix}{{");
        let lines = text.lines().filter(|line| line.starts_with(&start));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect()
    };
    let buckets = of("bucket");
    assert!(buckets.is_sorted() && buckets.len() == 17, "{buckets:?}");
    assert_eq!((buckets.last(), of("count")), (Some(&20), vec![20]));
}

#[test]
fn labels_and_help_are_escaped() {
    let mut text = MetricsText::default();
    text.metric("a", Gauge, "one\\\ntwo");
    text.sample("a", &[("b", "c\"d\\e\nf"), ("g", "}, é")], 1.5);
    text.sample("a", &[], 7);
    let expected = "# HELP a one\\\\\\ntwo\n# TYPE a gauge\na{b=\"c\\\"d\\\\e\\nf\",g=\"}, é\"} 1.5\na 7\n";
    assert_eq!(text.as_str(), expected);
    assert_eq!(parse(text.as_str())["a"].samples.len(), 2);
}

#[test]
fn without_streams_there_are_no_samples() {
    assert!(parse(&text(&[], &[])).values().all(|metric| metric.samples.is_empty()));
}
