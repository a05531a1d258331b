use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn record(body: &[u8]) -> Result<Put, ApiError> {
    read(body, false)
}

fn batch(body: &[u8]) -> Result<Put, ApiError> {
    read(body, true)
}

fn encoded(size: usize) -> String {
    STANDARD.encode(vec![b'x'; size])
}

fn batch_body(data: &[String]) -> String {
    let records: Vec<_> = data.iter().map(|data| json!({ "Data": data })).collect();
    json!({ "DeliveryStreamName": "clicks", "Records": records }).to_string()
}

fn batch_of(sizes: &[usize]) -> String {
    batch_body(&sizes.iter().map(|size| encoded(*size)).collect::<Vec<_>>())
}

#[test]
fn a_record_of_any_allowed_size_is_accepted() {
    for size in [0, 1, 2, 3, 1_023_999, 1_024_000] {
        let body = format!(r#"{{"Record":{{"Data":"{}"}},"DeliveryStreamName":"clicks"}}"#, encoded(size));
        let put = Put { stream: "clicks".to_owned(), data: vec![encoded(size)] };
        assert_eq!(record(body.as_bytes()), Ok(put), "{size}");
    }
}

#[test]
fn a_batch_of_any_allowed_size_is_accepted() {
    for sizes in [
        vec![0],
        vec![1; 500],
        vec![1_024_000; 4],
        // 4 MiB and not a byte more.
        vec![1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_304],
    ] {
        let data: Vec<_> = sizes.iter().map(|size| encoded(*size)).collect();
        let put = batch(batch_body(&data).as_bytes());
        assert!(put == Ok(Put { stream: "clicks".to_owned(), data }), "{} records", sizes.len());
    }
}

#[test]
fn a_violation_has_the_message_of_aws() {
    for (put, body, message) in [
        (
            record as fn(&[u8]) -> Result<Put, ApiError>,
            "{}".to_owned(),
            "2 validation errors detected: \
             Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; \
             Value null at 'record' failed to satisfy constraint: Member must not be null",
        ),
        (
            record,
            r#"{"DeliveryStreamName":"clicks","Record":{}}"#.to_owned(),
            "1 validation error detected: \
             Value null at 'record.data' failed to satisfy constraint: Member must not be null",
        ),
        (
            record,
            format!(r#"{{"DeliveryStreamName":"clicks","Record":{{"Data":"{}"}}}}"#, encoded(1_024_001)),
            "1 validation error detected: Value '1024001 bytes' \
             at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
        ),
        (
            batch,
            r#"{"Records":null}"#.to_owned(),
            "2 validation errors detected: \
             Value null at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; \
             Value null at 'records' failed to satisfy constraint: Member must not be null",
        ),
        (
            batch,
            r#"{"DeliveryStreamName":"clicks","Records":[]}"#.to_owned(),
            "1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: \
             Member must have length greater than or equal to 1",
        ),
        (
            batch,
            r#"{"DeliveryStreamName":"a clicks","Records":[{"Data":"aGk="},{},null]}"#.to_owned(),
            "3 validation errors detected: Value 'a clicks' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
             Value null at 'records.2.member.data' failed to satisfy constraint: Member must not be null; \
             Value null at 'records.3.member' failed to satisfy constraint: Member must not be null",
        ),
        (
            batch,
            batch_of(&[1, 1_024_001, 2, 1_024_002]),
            "2 validation errors detected: Value '1024001 bytes' \
             at 'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000; \
             Value '1024002 bytes' \
             at 'records.4.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
        ),
    ] {
        assert_eq!(put(body.as_bytes()), Err(ApiError::validation(message)), "{body:.80}");
    }
}

#[test]
fn a_batch_of_501_records_is_rejected() {
    let message = "1 validation error detected: Value '501 records' at 'records' failed to satisfy constraint: \
                   Member must have length less than or equal to 500";
    let rejected = batch(batch_of(&[15; 501]).as_bytes());
    assert_eq!(rejected, Err(ApiError::validation(message)));
}

#[test]
fn the_message_about_very_many_records_is_bounded() {
    let body = format!(r#"{{"DeliveryStreamName":"clicks","Records":[{}{{}}]}}"#, "{},".repeat(1_000_000));
    let message = batch(body.as_bytes()).unwrap_err().message;
    assert!(message.starts_with("10 validation errors detected: Value '1000001 records' at 'records'"));
    assert!(message.len() < 2_000);
}

#[test]
fn a_batch_over_4_mib_is_rejected() {
    for sizes in [vec![1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_305], vec![10_000; 450]] {
        assert_eq!(
            batch(batch_of(&sizes).as_bytes()),
            Err(ApiError::invalid_argument("Records size exceeds 4 MB limit"))
        );
    }
}

#[test]
fn data_that_is_not_base64_is_rejected_first() {
    let message = "Data is not base64: Invalid symbol 32, offset 3.";
    for (put, body) in [
        (batch as fn(&[u8]) -> Result<Put, ApiError>, r#"{"Records":[{"Data":"aGk="},{"Data":"not base64"}]}"#),
        (record, r#"{"Record":{"Data":"not base64"}}"#),
    ] {
        assert_eq!(put(body.as_bytes()), Err(ApiError::serialization(message)));
    }
}

#[test]
fn a_response_has_each_record_in_order() {
    for (results, body) in [
        (
            vec![Ok("a".to_owned()), Ok("b".to_owned())],
            r#"{"Encrypted":false,"FailedPutCount":0,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"}]}"#,
        ),
        (
            vec![Err(PutError::BacklogFull(None)), Ok("b".to_owned()), Err(PutError::Unavailable)],
            concat!(
                r#"{"Encrypted":false,"FailedPutCount":2,"RequestResponses":["#,
                r#"{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},{"RecordId":"b"},"#,
                r#"{"ErrorCode":"InternalFailure","ErrorMessage":"Internal service failure."}]}"#
            ),
        ),
        (
            vec![Err(PutError::BacklogFull(None))],
            concat!(
                r#"{"Encrypted":false,"FailedPutCount":1,"RequestResponses":["#,
                r#"{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}]}"#
            ),
        ),
    ] {
        assert_eq!(batch_response(results).unwrap().to_string(), body);
    }
    let failed = batch_response(vec![Err(PutError::Unavailable), Err(PutError::Unavailable)]);
    assert_eq!(failed, Err(ApiError::internal_failure()));
}

#[test]
fn the_response_to_one_record_is_its_id_or_an_error() {
    let accepted = record_response(vec![Ok("a".to_owned())]).unwrap();
    assert_eq!(accepted.to_string(), r#"{"Encrypted":false,"RecordId":"a"}"#);
    let throttled = record_response(vec![Err(PutError::BacklogFull(None))]).unwrap_err();
    let body = r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#;
    assert_eq!((throttled.status.as_u16(), &*serde_json::to_string(&throttled).unwrap()), (500, body));
    assert_eq!(record_response(vec![Err(PutError::Unavailable)]), Err(ApiError::internal_failure()));
}

/// Bodies that are nearly valid, which random bytes never are.
fn near_body() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        r#""clicks""#,
        r#""""#,
        r#""a b""#,
        "null",
        "5",
        "-1.5",
        "true",
        "[]",
        "{}",
        r#"{"Data":"aGk="}"#,
        r#"{"Data":"é==="}"#,
        r#"[{"Data":"AA=="},{"Data":null},null]"#,
        r#"[{"Data":"="}]"#,
        r#"["a"]"#,
        r#"{"Data":{}}"#,
        "",
        "\"\\ud800\"",
    ]);
    let key = prop::sample::select(vec!["DeliveryStreamName", "Record", "Records", "Other"]);
    let fields = prop::collection::vec((key, value).prop_map(|(key, value)| format!(r#""{key}":{value}"#)), 0..5);
    fields.prop_map(|fields| format!("{{{}}}", fields.join(",")))
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(bytes: Vec<u8>, near in near_body(), cut: prop::sample::Index) {
        for body in [&bytes[..], near.as_bytes(), &near.as_bytes()[..cut.index(near.len())]] {
            let (_, _) = (record(body), batch(body));
        }
    }

    #[test]
    fn records_are_accepted_in_order(data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..=500)) {
        let data: Vec<_> = data.iter().map(|data| STANDARD.encode(data)).collect();
        let put = batch(batch_body(&data).as_bytes());
        prop_assert_eq!(put, Ok(Put { stream: "clicks".to_owned(), data }));
    }

    #[test]
    fn accepted_data_is_base64_of_an_allowed_size(near in near_body()) {
        if let Ok(put) = batch(near.as_bytes()) {
            prop_assert!((1..=500).contains(&put.data.len()));
            for data in put.data {
                prop_assert!(STANDARD.decode(data).is_ok_and(|bytes| bytes.len() <= 1_024_000));
            }
        }
    }
}
