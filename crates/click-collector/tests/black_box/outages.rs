//! Kinesis refuses records, closes connections, or never responds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime_api::Request;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{STORED, collector, invoke, request, rest};
use crate::kinesis::{Kinesis, KinesisResponse, THROTTLED};

const LATER: &str = "not all records are stored: send the body again later";
const PERMANENT: &str = "not all records are stored: a retry fails, too; the collector's log has the cause";

fn three() -> Value {
    rest("POST", r#"[{"id":0},{"id":1},{"id":2}]"#)
}

fn trouble(message: &str, stored: usize, records: usize) -> String {
    format!(r#"{{"message":"{message}","stored":{stored},"records":{records}}}"#)
}

/// The ids of the stored records.
fn ids(kinesis: &Kinesis) -> Vec<String> {
    kinesis.stored().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn transient_errors_are_retried() {
    for refusal in [
        KinesisResponse::Refuse(400, THROTTLED),
        KinesisResponse::Refuse(400, "LimitExceededException"),
        KinesisResponse::Refuse(400, "KMSThrottlingException"),
        KinesisResponse::Refuse(400, "ThrottlingException"),
        KinesisResponse::Refuse(429, "SomethingNew"),
        KinesisResponse::Refuse(500, "InternalFailure"),
        KinesisResponse::Refuse(503, "ServiceUnavailable"),
        KinesisResponse::Page(502),
        KinesisResponse::Page(200),
        KinesisResponse::Reset,
    ] {
        let kinesis = Kinesis::start([refusal.clone(), refusal.clone()]).await;
        let mut function = collector(&kinesis, &[]).await;
        let result = invoke(&mut function, &rest("POST", r#"{"id":0}"#)).await;
        assert_eq!((result.http(), result.counts()), ((200, STORED), (3, 1, 0)), "{refusal:?}");
        assert_eq!(kinesis.calls(), vec![("PutRecord".to_owned(), 1); 3], "{refusal:?}");
        assert_eq!(ids(&kinesis), ["0"], "{refusal:?}");
    }
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    for (status, code) in [
        (400, "ResourceNotFoundException"),
        (400, "AccessDeniedException"),
        (400, "InvalidArgumentException"),
        (400, "KMSDisabledException"),
        (400, "ExpiredTokenException"),
        (403, "UnrecognizedClientException"),
    ] {
        let kinesis = Kinesis::always(KinesisResponse::Refuse(status, code)).await;
        let mut function = collector(&kinesis, &[]).await;
        let result = invoke(&mut function, &three()).await;
        assert_eq!(result.http(), (500, trouble(PERMANENT, 0, 3).as_str()), "{code}");
        assert_eq!((result.counts(), &result.summary()["kinesis_error"]), ((1, 0, 3), &json!(code)));
        assert_eq!(kinesis.sizes(), [3], "{code}");
    }
}

#[tokio::test]
async fn only_refused_records_are_retried() {
    let kinesis = Kinesis::start([
        KinesisResponse::RefuseSome(vec![(0, THROTTLED), (2, "InternalFailure")]),
        KinesisResponse::RefuseSome(vec![(0, THROTTLED)]),
    ])
    .await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &three()).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (3, 3, 0)));
    assert_eq!(kinesis.sizes(), [3, 2, 1]);
    assert_eq!(ids(&kinesis), ["1", "2", "0"]);
}

/// This is why the order of an array is not kept.
#[tokio::test]
async fn a_record_that_is_refused_comes_after_a_later_one_with_its_key() {
    let kinesis = Kinesis::start([KinesisResponse::RefuseSome(vec![(0, THROTTLED)])]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id,title")]).await;
    let body = r#"[{"id":"a","title":"first"},{"id":"a","title":"second"}]"#;
    assert_eq!(invoke(&mut function, &rest("POST", body)).await.http(), (200, STORED));
    let stored = ["second", "first"].map(|title| ("a".to_owned(), format!("{{\"id\":\"a\",\"title\":\"{title}\"}}\n")));
    assert_eq!(kinesis.stored(), stored);
}

/// A shard that accepts a fifth of the records, so that most rounds leave some.
#[tokio::test]
async fn a_full_shard_gets_the_most_objects_bit_by_bit_and_each_once() {
    let kinesis = Kinesis::always(KinesisResponse::StoreFirst(100)).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let body: Vec<Value> = (0..10_000).map(|id| json!({"id": id})).collect();
    let result = invoke(&mut function, &rest("POST", json!(body).to_string())).await;
    assert_eq!(result.http(), (200, STORED), "{:?}", result.counts());
    let mut numbers: Vec<u32> = ids(&kinesis).iter().map(|id| id.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn retries_end_when_a_shard_accepts_nothing() {
    let kinesis = Kinesis::always(KinesisResponse::StoreFirst(0)).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &rest("POST", format!("[{}]", vec!["{}"; 1_200].join(",")))).await;
    assert_eq!(result.http(), (503, trouble(LATER, 0, 1_200).as_str()));
    assert_eq!((kinesis.sizes(), result.counts()), ([500, 500, 200].repeat(6), (18, 0, 1_200)));
}

#[tokio::test]
async fn a_stored_record_resets_the_attempts() {
    let full = || vec![KinesisResponse::StoreFirst(0); 5];
    let kinesis = Kinesis::start([full(), vec![KinesisResponse::StoreFirst(1)], full()].concat()).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &three()).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (12, 3, 0)));
    assert_eq!(ids(&kinesis), ["0", "1", "2"]);
}

#[tokio::test]
async fn calls_after_a_failed_call_wait_for_the_next_round() {
    let body: Vec<Value> = (0..1_200).map(|id| json!({"id": id})).collect();
    let script = [KinesisResponse::RefuseSome(vec![(7, THROTTLED)]), KinesisResponse::Refuse(500, "InternalFailure")];
    let kinesis = Kinesis::start(script).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &rest("POST", json!(body).to_string())).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (4, 1_200, 0)));
    assert_eq!(kinesis.sizes(), [500, 500, 500, 201]);
    let mut numbers: Vec<u32> = ids(&kinesis).iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(numbers[499], 7);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_200).collect::<Vec<_>>());
}

#[tokio::test]
async fn attempts_are_limited_and_the_response_counts_stored_records() {
    // The first round stores some records, and the six after it none.
    for (places, sizes, stored) in [(vec![0, 1], [3, 2, 2, 2, 2, 2, 2], 1), (vec![0], [3, 1, 1, 1, 1, 1, 1], 2)] {
        let places = places.into_iter().map(|place| (place, THROTTLED)).collect();
        let kinesis = Kinesis::always(KinesisResponse::RefuseSome(places)).await;
        let mut function = collector(&kinesis, &[]).await;
        let result = invoke(&mut function, &three()).await;
        assert_eq!(result.http(), (503, trouble(LATER, stored, 3).as_str()));
        assert_eq!(result.summary()["kinesis_error"], THROTTLED);
        assert_eq!(result.counts(), (7, stored as u64, 3 - stored as u64));
        assert_eq!((kinesis.sizes().as_slice(), ids(&kinesis).len()), (sizes.as_slice(), stored));
    }
}

#[tokio::test]
async fn a_long_outage_gets_503() {
    // Concurrently, because each one waits for its delays.
    let mut outages = JoinSet::new();
    for (response, error) in [
        (KinesisResponse::Refuse(400, THROTTLED), THROTTLED),
        (KinesisResponse::Refuse(500, "InternalFailure"), "InternalFailure"),
        (KinesisResponse::Reset, "connection"),
        (KinesisResponse::Page(200), "invalid_response"),
        (KinesisResponse::Miscount, "invalid_response"),
    ] {
        outages.spawn(async move {
            let kinesis = Kinesis::always(response.clone()).await;
            let mut function = collector(&kinesis, &[]).await;
            let result = invoke(&mut function, &three()).await;
            assert_eq!(result.http(), (503, trouble(LATER, 0, 3).as_str()), "{response:?}");
            assert_eq!((result.counts(), &result.summary()["kinesis_error"]), ((6, 0, 3), &json!(error)));
            assert_eq!(kinesis.sizes(), [3; 6], "{response:?}");
        });
    }
    outages.join_all().await;
}

#[tokio::test]
async fn connection_refused() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:1")]).await;
    let result = invoke(&mut function, &three()).await;
    assert_eq!(result.http(), (503, trouble(LATER, 0, 3).as_str()));
    assert_eq!((result.counts(), &result.summary()["kinesis_error"]), ((6, 0, 3), &json!("connection")));
}

#[tokio::test]
async fn missing_credentials_are_not_retried() {
    let kinesis = Kinesis::start([]).await;
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let mut function = collector(&kinesis, &none).await;
    let result = invoke(&mut function, &three()).await;
    assert_eq!(result.http(), (500, trouble(PERMANENT, 0, 3).as_str()));
    assert_eq!((result.counts(), &result.summary()["kinesis_error"]), ((1, 0, 3), &json!("request")));
}

#[tokio::test]
async fn a_call_whose_response_is_lost_may_be_stored_twice() {
    let kinesis = Kinesis::start([KinesisResponse::StoreAndReset]).await;
    let mut function = collector(&kinesis, &[]).await;
    assert_eq!(invoke(&mut function, &three()).await.http(), (200, STORED));
    assert_eq!(ids(&kinesis), ["0", "1", "2", "0", "1", "2"]);
}

#[tokio::test]
async fn a_call_without_a_response_times_out_and_is_retried() {
    let kinesis = Kinesis::start([KinesisResponse::Hang]).await;
    let mut function = collector(&kinesis, &[]).await;
    let result = invoke(&mut function, &three()).await;
    assert_eq!((result.http(), result.counts()), ((200, STORED), (2, 3, 0)));
}

#[tokio::test]
async fn the_response_is_sent_before_the_deadline() {
    let kinesis = Kinesis::always(KinesisResponse::Hang).await;
    let mut function = collector(&kinesis, &[]).await;
    // Shorter than the time-out of a call, so that only the deadline ends it.
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
    let hurried =
        Request { deadline_ms: Some(deadline.as_millis().try_into().unwrap()), ..Request::from(three().to_string()) };
    let result = request(&mut function, hurried).await;
    assert_eq!(result.http(), (503, trouble(LATER, 0, 3).as_str()));
    assert_eq!((result.counts(), &result.summary()["kinesis_error"]), ((1, 0, 3), &json!("deadline")));
}
