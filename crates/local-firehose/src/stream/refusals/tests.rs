use super::*;
use crate::stream::PutError;

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
