use super::*;
use crate::stream::attempt::{InvocationError, InvocationSummary};

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn attempt(number: u32, log: &[&str]) -> Arc<Attempt> {
    let error = Some(InvocationError { kind: "KeyError".to_owned(), message: format!("'total' {number}") });
    let summary = InvocationSummary { attempt: number, error, ..InvocationSummary::default() };
    Arc::new(Attempt::new(summary, &lines(log)))
}

#[test]
fn lines_name_records_by_their_whole_ids() {
    let log = lines(&[
        r#"{"level":"WARN","message":"record failed","record_id":"490001","reason":"invalid_json"}"#,
        r#"{"_aws":{},"record_id":"490001"}"#,
        "could not parse record 490002: no total",
        "4900021 is another id, and so is 49000",
        "shardId-000000000000/490003 and 490001 in one line",
        "nothing",
    ]);
    let found = lines_about(&log, &HashSet::from(["490001", "490002", "490003", "490004"]));
    for (id, expected) in [("490001", &[0, 4][..]), ("490002", &[2]), ("490003", &[4]), ("490004", &[])] {
        let expected: Vec<&String> = expected.iter().map(|index| &log[*index]).collect();
        assert_eq!(found.get(id).map_or(vec![], |log| log.lines.iter().collect()), expected, "{id}");
    }
}

#[test]
fn the_lines_of_an_attempt_are_bounded() {
    let log = vec![format!("490001 {}", "x".repeat(2 * LINE_CHARS)); 20];
    let found = lines_about(&log, &HashSet::from(["490001"]));
    assert_eq!(found["490001"].lines.len(), LINES_OF_RECORD);
    assert!(found["490001"].lines.iter().all(|line| line.chars().count() == LINE_CHARS + 1));

    let ids: Vec<String> = (0..1000).map(|number| format!("49{number:060}")).collect();
    let log: Vec<String> = ids.iter().map(|id| format!("{id} {}", "x".repeat(LINE_CHARS))).collect();
    let found = lines_about(&log, &ids.iter().map(String::as_str).collect());
    let bytes: usize = found.iter().map(|(id, log)| id.len() + log.lines[0].len()).sum();
    assert!((RECORD_LINES_BYTES..RECORD_LINES_BYTES + 1000).contains(&bytes), "{bytes}");
}

#[test]
fn a_reason_is_read_from_lines_of_all_kinds() {
    let info = r#"{"level":"INFO","message":"processing"}"#;
    let long = format!(
        r#"{{"level":"ERROR","message":"failed","stackTrace":"{}","errorType":"KeyError","errorMessage":"'total'"}}"#,
        "x".repeat(5000)
    );
    let event = format!(r#"{{"reason":"late","records":"{}"}}"#, "x".repeat(REASON_LINE_BYTES));
    for (log, expected) in [
        (&[r#"{"level":"WARN","message":"record failed","reason":"unknown_id"}"#][..], Some("unknown_id")),
        (&[info, r#"{"level":"ERROR","message":"no total","error":"KeyError: 'total'"}"#], Some("KeyError: 'total'")),
        (&[info, r#"{"level":"error","message":"no total"}"#], Some("no total")),
        (&[r#"{"error":"late"}"#, r#"{"reason":"first"}"#], Some("first")),
        (&[info], None),
        (&[r#"{"message":"no level"}"#], None),
        (&["record 7: no total"], None),
        (&[r#"{"reason":7}"#], None),
        (&[r#"{"error":{"type":"KeyError"},"reason":"no total"}"#], Some("no total")),
        (&[r#"{"level":"error","error":{"type":"KeyError"},"message":"no total"}"#], Some("no total")),
        (&[r#"{"level":30,"message":"processing"}"#, r#"{"level":50,"message":"no total"}"#], Some("no total")),
        (
            &[r#"{"level":"ERROR","message":"failed 7","errorType":"KeyError","errorMessage":"'total'"}"#],
            Some("KeyError: 'total'"),
        ),
        (&[r#"{"errorMessage":"'total'"}"#], Some("'total'")),
        (&[&long], Some("KeyError: 'total'")),
        (&[&event], None),
        (&["[1]", "7", r#"{"level":40,"message":"late"}"#], Some("late")),
    ] {
        // Each line names the record.
        let named = log.iter().map(|line| match line.strip_suffix('}') {
            Some(object) => format!(r#"{object},"id":"490001"}}"#),
            None => format!("{line} 490001"),
        });
        let found = lines_about(&named.collect::<Vec<_>>(), &HashSet::from(["490001"]));
        let reason = found["490001"].reason.as_ref().map(|(_, reason)| reason.as_str());
        assert_eq!(reason, expected, "{log:?}");
    }
}

#[test]
fn a_batch_has_the_reasons_of_the_log_and_the_last_error() {
    let batch = Batch::new(1, 0, 2, None);
    assert_eq!((batch.reason_of("1"), batch.error()), (None, None));
    batch.add(attempt(1, &["a"]), RecordLines::new());
    batch.add(
        attempt(2, &["b"]),
        lines_about(&lines(&[r#"{"reason":"no total","record":"1"}"#]), &HashSet::from(["1"])),
    );
    assert_eq!((batch.reason_of("1").as_deref(), batch.reason_of("2")), (Some("no total"), None));
    assert_eq!(batch.error().as_deref(), Some("KeyError: 'total' 2"));
    assert_eq!(batch.attempts().iter().map(|attempt| attempt.summary.attempt).collect::<Vec<_>>(), [1, 2]);

    let (before, empty) = (batch.bytes(), Batch::new(1, 0, 2, None).bytes());
    assert!(before > empty + 2 * "KeyError".len() && !batch.is_forgotten());
    batch.forget();
    assert_eq!((batch.bytes(), batch.attempts().len(), batch.lines_about("1")), (empty, 0, Vec::new()));
    assert!(batch.is_forgotten());
}

#[test]
fn the_attempts_of_a_batch_are_bounded() {
    let batch = Batch::new(1, 0, 1, None);
    for number in 1..=100 {
        batch.add(attempt(number, &[]), RecordLines::new());
    }
    assert_eq!(batch.attempts().len(), MAX_ATTEMPTS);
    assert_eq!(batch.error().as_deref(), Some("KeyError: 'total' 100"));
}
