use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::advance;

use super::*;

fn reports() -> (Arc<RefusalReports>, Receiver<Notice>) {
    let notices = Notices::default();
    let subscriber = notices.subscribe();
    (Arc::new(RefusalReports::new(RefusedBy::Stream("s".to_owned()), notices)), subscriber)
}

fn refused(records: u64) -> RefusedRecords {
    RefusedRecords::new(records, RefusalReason::Backlog)
}

fn next(subscriber: &mut Receiver<Notice>) -> Option<u64> {
    match subscriber.try_recv() {
        Ok(Notice::Refused { records, .. }) => Some(records),
        Err(TryRecvError::Empty) => None,
        other => panic!("{other:?}"),
    }
}

/// Advances the clock, and lets the reports run.
async fn after(seconds: u64) {
    tokio::task::yield_now().await;
    advance(Duration::from_secs(seconds)).await;
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_one_report_and_the_next_follows_after_ten_seconds() {
    let (reports, mut subscriber) = reports();
    // The seconds that pass, the records that are refused then, and what is reported before.
    for (seconds, records, reported) in [
        (0, 500, None),
        (0, 7, None),
        (1, 3, Some(507)),
        (9, 4, None),
        (1, 0, Some(7)),
        (10, 0, None),
        (60, 2, None),
        (1, 0, Some(2)),
    ] {
        after(seconds).await;
        assert_eq!(next(&mut subscriber), reported, "{seconds} {records}");
        reports.add(&refused(records));
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_is_reported_at_the_end() {
    let (reports, mut subscriber) = reports();
    reports.report();
    assert_eq!(next(&mut subscriber), None);
    reports.add(&refused(3));
    reports.report();
    assert_eq!(next(&mut subscriber), Some(3));
    after(1).await;
    assert_eq!(next(&mut subscriber), None);
}

#[test]
fn a_notice_names_the_stream() {
    for (by, expected) in [
        (RefusedBy::Stream("s".to_owned()), r#""stream":"s""#),
        (RefusedBy::DataStream("d".to_owned()), r#""data_stream":"d""#),
    ] {
        let notice = Notice::Refused { by, at_ms: 7, records: 2, by_reason: refused(2) };
        let expected = format!(r#"{{"event":"refused",{expected},"at_ms":7,"records":2,"by_reason":{{"backlog":2}}}}"#);
        assert_eq!(serde_json::to_string(&notice).unwrap(), expected);
    }
}

#[test]
fn refused_records_are_counted_and_described_by_reason() {
    let results = [
        Ok(()),
        Err(PutError::BacklogFull(None)),
        Err(PutError::Unavailable),
        Err(PutError::BacklogFull(None)),
        Err(PutError::RetentionFull),
    ];
    let mut refused = RefusedRecords::of(&results);
    assert_eq!(refused.total(), 4);
    refused.add(0, RefusalReason::Invalid);
    assert_eq!(serde_json::to_string(&refused).unwrap(), r#"{"backlog":2,"memory":1,"unavailable":1}"#);
    let expected = "2 (the backlog is full: `--backlog-mb`); 1 (the memory of request bodies or of `--retention-mb` is full); \
                    1 (the stream is stopping, or its state cannot be written)";
    assert_eq!(refused.to_string(), expected);
    for reason in RefusalReason::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
}
