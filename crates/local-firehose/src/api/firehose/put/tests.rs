use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;

fn encoded(size: usize) -> String {
    STANDARD.encode(vec![b'x'; size])
}

fn batch_body(data: &[String]) -> String {
    let records: Vec<_> = data.iter().map(|data| serde_json::json!({ "Data": data })).collect();
    serde_json::json!({ "DeliveryStreamName": "clicks", "Records": records }).to_string()
}

fn batch_of(sizes: &[usize]) -> String {
    batch_body(&sizes.iter().map(|size| encoded(*size)).collect::<Vec<_>>())
}

#[test]
fn a_record_of_any_allowed_size_comes_in() {
    for size in [0, 1, 2, 3, 1_023_999, 1_024_000] {
        let body = format!(r#"{{"Record":{{"Data":"{}"}},"DeliveryStreamName":"clicks"}}"#, encoded(size));
        let put = Put { stream: "clicks".to_owned(), data: vec![encoded(size)] };
        assert_eq!(record(body.as_bytes()), Ok(put), "{size}");
    }
}

#[test]
fn a_batch_of_any_allowed_size_comes_in() {
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
fn what_breaks_a_constraint_is_refused_in_the_words_of_aws() {
    for (read, body, message) in [
        (
            record as fn(&[u8]) -> Result<Put, Refusal>,
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
            "1 validation error detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' \
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
            "2 validation errors detected: Value 'java.nio.HeapByteBuffer[pos=0 lim=1024001 cap=1024001]' \
             at 'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000; \
             Value 'java.nio.HeapByteBuffer[pos=0 lim=1024002 cap=1024002]' \
             at 'records.4.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000",
        ),
    ] {
        assert_eq!(read(body.as_bytes()), Err(Refusal::Validation(message.to_owned())), "{body:.80}");
    }
}

#[test]
fn a_batch_of_501_is_told_in_full() {
    let Err(Refusal::Validation(message)) = batch(batch_of(&[15; 501]).as_bytes()) else { panic!("came in") };
    let records = ["Record(data=java.nio.HeapByteBuffer[pos=0 lim=15 cap=15])"; 501].join(", ");
    let expected = format!(
        "1 validation error detected: Value '[{records}]' at 'records' failed to satisfy constraint: \
         Member must have length less than or equal to 500"
    );
    assert_eq!(message, expected);
}

#[test]
fn a_batch_of_very_many_is_refused_with_less() {
    let body = format!(r#"{{"DeliveryStreamName":"clicks","Records":[{}{{}}]}}"#, "{},".repeat(1_000_000));
    let Err(Refusal::Validation(message)) = batch(body.as_bytes()) else { panic!("came in") };
    assert!(message.starts_with("10 validation errors detected: Value '[Record("));
    assert!(message.len() < 100_000);
}

#[test]
fn a_batch_over_4_mib_is_refused() {
    for sizes in [vec![1_024_000, 1_024_000, 1_024_000, 1_024_000, 98_305], vec![10_000; 450]] {
        assert_eq!(
            batch(batch_of(&sizes).as_bytes()),
            Err(Refusal::InvalidArgument("Records size exceeds 4 MB limit".to_owned()))
        );
    }
}

#[test]
fn what_is_not_base64_is_refused_whatever_else_is() {
    let body = r#"{"Records":[{"Data":"aGk="},{"Data":"not base64"}]}"#;
    let fault = "Base64 encoded length is expected a multiple of 4 bytes but found: 10";
    let message = format!("'not base64' can not be converted to a Blob: {fault}");
    assert_eq!(batch(body.as_bytes()), Err(Refusal::Serialization(Some(message.clone()))));
    let body = r#"{"Record":{"Data":"not base64"}}"#;
    assert_eq!(record(body.as_bytes()), Err(Refusal::Serialization(Some(message))));
}

#[test]
fn an_answer_tells_each_record_in_order() {
    for (results, body) in [
        (
            vec![Ok("a".to_owned()), Ok("b".to_owned())],
            r#"{"Encrypted":false,"FailedPutCount":0,"RequestResponses":[{"RecordId":"a"},{"RecordId":"b"}]}"#,
        ),
        (
            vec![Err(Refused::Busy), Ok("b".to_owned()), Err(Refused::Unavailable)],
            concat!(
                r#"{"Encrypted":false,"FailedPutCount":2,"RequestResponses":["#,
                r#"{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."},{"RecordId":"b"},"#,
                r#"{"ErrorCode":"InternalFailure","ErrorMessage":"Internal service failure."}]}"#
            ),
        ),
        (
            vec![Err(Refused::Busy)],
            concat!(
                r#"{"Encrypted":false,"FailedPutCount":1,"RequestResponses":["#,
                r#"{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}]}"#
            ),
        ),
    ] {
        assert_eq!(String::from_utf8(batch_answer(results).unwrap()).unwrap(), body);
    }
    let failed = batch_answer(vec![Err(Refused::Unavailable), Err(Refused::Unavailable)]);
    assert_eq!(failed, Err(Refusal::InternalFailure));
}

#[test]
fn the_answer_to_one_record_is_its_id_or_a_failure() {
    let accepted = record_answer(vec![Ok("a".to_owned())]).unwrap();
    assert_eq!(String::from_utf8(accepted).unwrap(), r#"{"Encrypted":false,"RecordId":"a"}"#);
    assert_eq!(record_answer(vec![Err(Refused::Busy)]), Err(Refusal::Busy));
    assert_eq!(record_answer(vec![Err(Refused::Unavailable)]), Err(Refusal::InternalFailure));
}

/// Bodies that come near to being right, which bytes by chance never do.
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
    fn no_bytes_are_a_panic(bytes: Vec<u8>, near in near_body(), cut: prop::sample::Index) {
        for body in [&bytes[..], near.as_bytes(), &near.as_bytes()[..cut.index(near.len())]] {
            let (_, _) = (record(body), batch(body));
        }
    }

    #[test]
    fn every_record_comes_in_in_order(data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..=500)) {
        let data: Vec<_> = data.iter().map(|data| STANDARD.encode(data)).collect();
        let put = batch(batch_body(&data).as_bytes());
        prop_assert_eq!(put, Ok(Put { stream: "clicks".to_owned(), data }));
    }

    #[test]
    fn whatever_comes_in_is_base64_of_an_allowed_size(near in near_body()) {
        if let Ok(put) = batch(near.as_bytes()) {
            prop_assert!((1..=500).contains(&put.data.len()));
            for data in put.data {
                prop_assert!(STANDARD.decode(data).is_ok_and(|bytes| bytes.len() <= 1_024_000));
            }
        }
    }
}
