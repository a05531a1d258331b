use serde_json::json;

use super::*;
use firehose_model::delivery::ErrorCode;

fn metrics(requests: u64, reasons: &[(&str, u64)]) -> Metrics {
    let reasons = reasons.iter().map(|(reason, failed)| ((*reason).to_owned(), *failed));
    Metrics { service_requests: Some(requests), failed_by_reason: Some(reasons.collect()) }
}

fn replayed() -> Report {
    let mut report = Report { out: "out/x".into(), ..Report::default() };
    report.attempt(metrics(3, &[("service_unavailable", 2)]), false);
    report.attempt(metrics(1, &[("invalid_json", 1)]), true);
    let outcomes = [
        RecordOutcome::delivered("{}\n{}\n"),
        RecordOutcome::Failed(ErrorCode::ProcessingFailed),
        RecordOutcome::Dropped,
    ];
    report.batch(&outcomes, Duration::from_millis(30));
    report.attempt(metrics(0, &[]), true);
    report.batch(&[RecordOutcome::delivered("{}")], Duration::from_micros(9_960));
    report.finished(Duration::from_millis(1_260), Some(99))
}

#[test]
fn a_report_is_json() {
    assert_eq!(
        serde_json::to_value(replayed()).unwrap(),
        json!({
            "records": { "total": 4, "ok": 2, "dropped": 1, "failed": 1 },
            "skipped": 0,
            "skipped_copies": null,
            "failed_by_code": { "Lambda.ProcessingFailedStatus": 1 },
            "failed_by_reason": { "invalid_json": 1 },
            "clicks_delivered": 3,
            "seconds": 1.26,
            "clicks_per_second": 75.1,
            "service_requests": 4,
            "batches": 2,
            "attempts": 3,
            "batch_ms": { "first": 30.0, "median": 10.0, "last": 10.0 },
            "interrupted": false,
            "out": "out/x",
        })
    );
}

#[test]
fn a_report_is_a_table() {
    let expected = "\
2 of 4 records delivered, 1 dropped, 1 failed

records                            4
  ok                               2
  dropped                          1
  failed                           1
    Lambda.ProcessingFailedStatus  1
      invalid_json                 1
clicks delivered                   3
seconds                            1.260
clicks per second (function)       75.1
service requests                   4
batches                            2
attempts                           3
milliseconds per batch             first 30.0, median 10.0, last 10.0
out                                out/x
";
    assert_eq!(replayed().table().to_string(), expected);
}

#[test]
fn skipped_parts_are_in_table_and_json() {
    let report = Report { skipped: 2, skipped_copies: Some("out/skipped.jsonl".into()), ..Report::default() };
    let table = report.table().to_string();
    assert!(table.starts_with("no record processed, 2 parts skipped\n\n"), "{table}");
    assert!(table.contains("\nskipped                       2\n"), "{table}");
    assert!(table.ends_with("skipped parts                 out/skipped.jsonl\n"), "{table}");
    let json = serde_json::to_value(report).unwrap();
    assert_eq!((&json["skipped"], &json["skipped_copies"]), (&json!(2), &json!("out/skipped.jsonl")));
}

#[test]
fn unknown_numbers_are_not_zero() {
    let mut report = Report { interrupted: true, out: "out".into(), ..Report::default() };
    report.attempt(Metrics::default(), true);
    report.batch(&[ErrorCode::MissingRecordId, ErrorCode::ProcessingFailed].map(RecordOutcome::Failed), Duration::ZERO);
    let report = report.finished(Duration::ZERO, None);
    assert_eq!((report.service_requests, &report.failed_by_reason, report.clicks_per_second), (None, &None, None));
    let expected = "\
0 of 2 records delivered, 2 failed, interrupted

records                            2
  ok                               0
  dropped                          0
  failed                           2
    Lambda.MissingRecordId         1
    Lambda.ProcessingFailedStatus  1
      reasons                      not reported by the function
clicks delivered                   0
seconds                            0.000
clicks per second (function)       -
service requests                   not reported by the function
batches                            1
attempts                           1
milliseconds per batch             first 0.0, median 0.0, last 0.0
interrupted                        yes, before the end of the input
out                                out
";
    assert_eq!(report.table().to_string(), expected);
    assert_eq!(Report::default().finished(Duration::ZERO, None).batch_ms, None);
}

#[test]
fn the_local_service_counts_requests_if_the_function_does_not() {
    assert_eq!(Report::default().finished(Duration::ZERO, Some(9)).service_requests, Some(9));
}

#[test]
fn the_median_is_a_real_batch() {
    for (durations, median) in [(&[1, 2, 3][..], 2.0), (&[4, 3, 2, 1], 2.0), (&[7], 7.0)] {
        let durations: Vec<Duration> = durations.iter().copied().map(Duration::from_millis).collect();
        assert_eq!(batch_ms(&durations).unwrap().median.to_bits(), f64::to_bits(median));
    }
}
