//! Kinesis refuses, breaks off, or never answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime_api::Request;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{STORED, collector, invoke, request, rest};
use crate::kinesis::{Answer, Kinesis, THROTTLED};

const LATER: &str = "not all records are stored: send the body again later";
const NOT_SET_UP: &str = "not all records are stored: the collector or its stream is not set up well";

fn three() -> Value {
    rest("POST", r#"[{"id":0},{"id":1},{"id":2}]"#)
}

fn trouble(message: &str, stored: usize, records: usize) -> String {
    format!(r#"{{"message":"{message}","stored":{stored},"records":{records}}}"#)
}

/// The ids of what is stored.
fn ids(kinesis: &Kinesis) -> Vec<String> {
    kinesis.stored().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn transient_errors_are_retried() {
    for refusal in [
        Answer::Refuse(400, THROTTLED),
        Answer::Refuse(400, "LimitExceededException"),
        Answer::Refuse(400, "KMSThrottlingException"),
        Answer::Refuse(400, "ThrottlingException"),
        Answer::Refuse(429, "SomethingNew"),
        Answer::Refuse(500, "InternalFailure"),
        Answer::Refuse(503, "ServiceUnavailable"),
        Answer::Page(502),
        Answer::Page(200),
        Answer::Reset,
    ] {
        let kinesis = Kinesis::start([refusal.clone(), refusal.clone()]).await;
        let mut function = collector(&kinesis, &[]).await;
        let answered = invoke(&mut function, &rest("POST", r#"{"id":0}"#)).await;
        assert_eq!((answered.http(), answered.counts()), ((200, STORED), (3, 1, 0)), "{refusal:?}");
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
        let kinesis = Kinesis::always(Answer::Refuse(status, code)).await;
        let mut function = collector(&kinesis, &[]).await;
        let answered = invoke(&mut function, &three()).await;
        assert_eq!(answered.http(), (500, trouble(NOT_SET_UP, 0, 3).as_str()), "{code}");
        assert_eq!((answered.counts(), &answered.summary()["kinesis_error"]), ((1, 0, 3), &json!(code)));
        assert_eq!(kinesis.sizes(), [3], "{code}");
    }
}

#[tokio::test]
async fn only_refused_records_are_retried() {
    let kinesis = Kinesis::start([
        Answer::RefuseSome(vec![(0, THROTTLED), (2, "InternalFailure")]),
        Answer::RefuseSome(vec![(0, THROTTLED)]),
    ])
    .await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &three()).await;
    assert_eq!((answered.http(), answered.counts()), ((200, STORED), (3, 3, 0)));
    assert_eq!(kinesis.sizes(), [3, 2, 1]);
    assert_eq!(ids(&kinesis), ["1", "2", "0"]);
}

/// Which is why no order is promised within an array.
#[tokio::test]
async fn a_record_that_is_refused_comes_after_a_later_one_with_its_key() {
    let kinesis = Kinesis::start([Answer::RefuseSome(vec![(0, THROTTLED)])]).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id,title")]).await;
    let body = r#"[{"id":"a","title":"first"},{"id":"a","title":"second"}]"#;
    assert_eq!(invoke(&mut function, &rest("POST", body)).await.http(), (200, STORED));
    let stored = ["second", "first"].map(|title| ("a".to_owned(), format!("{{\"id\":\"a\",\"title\":\"{title}\"}}\n")));
    assert_eq!(kinesis.stored(), stored);
}

/// A shard that takes a fifth of what it is sent, so that most rounds leave something.
#[tokio::test]
async fn a_full_shard_gets_the_most_objects_bit_by_bit_and_each_once() {
    let kinesis = Kinesis::always(Answer::StoreFirst(100)).await;
    let mut function = collector(&kinesis, &[("COLLECTOR_FIELDS", "id")]).await;
    let body: Vec<Value> = (0..10_000).map(|id| json!({"id": id})).collect();
    let answered = invoke(&mut function, &rest("POST", json!(body).to_string())).await;
    assert_eq!(answered.http(), (200, STORED), "{:?}", answered.counts());
    let mut numbers: Vec<u32> = ids(&kinesis).iter().map(|id| id.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn retries_end_when_a_shard_accepts_nothing() {
    let kinesis = Kinesis::always(Answer::StoreFirst(0)).await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &rest("POST", format!("[{}]", vec!["{}"; 1_200].join(",")))).await;
    assert_eq!(answered.http(), (503, trouble(LATER, 0, 1_200).as_str()));
    assert_eq!((kinesis.sizes(), answered.counts()), ([500, 500, 200].repeat(6), (18, 0, 1_200)));
}

#[tokio::test]
async fn a_stored_record_resets_the_attempts() {
    let full = || vec![Answer::StoreFirst(0); 5];
    let kinesis = Kinesis::start([full(), vec![Answer::StoreFirst(1)], full()].concat()).await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &three()).await;
    assert_eq!((answered.http(), answered.counts()), ((200, STORED), (12, 3, 0)));
    assert_eq!(ids(&kinesis), ["0", "1", "2"]);
}

#[tokio::test]
async fn calls_after_a_failed_call_wait_for_the_next_round() {
    let body: Vec<Value> = (0..1_200).map(|id| json!({"id": id})).collect();
    let script = [Answer::RefuseSome(vec![(7, THROTTLED)]), Answer::Refuse(500, "InternalFailure")];
    let kinesis = Kinesis::start(script).await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &rest("POST", json!(body).to_string())).await;
    assert_eq!((answered.http(), answered.counts()), ((200, STORED), (4, 1_200, 0)));
    assert_eq!(kinesis.sizes(), [500, 500, 500, 201]);
    let mut numbers: Vec<u32> = ids(&kinesis).iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(numbers[499], 7);
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_200).collect::<Vec<_>>());
}

#[tokio::test]
async fn attempts_are_limited_and_the_response_counts_stored_records() {
    // The first round stores something, and the six after it nothing.
    for (places, sizes, stored) in [(vec![0, 1], [3, 2, 2, 2, 2, 2, 2], 1), (vec![0], [3, 1, 1, 1, 1, 1, 1], 2)] {
        let places = places.into_iter().map(|place| (place, THROTTLED)).collect();
        let kinesis = Kinesis::always(Answer::RefuseSome(places)).await;
        let mut function = collector(&kinesis, &[]).await;
        let answered = invoke(&mut function, &three()).await;
        assert_eq!(answered.http(), (503, trouble(LATER, stored, 3).as_str()));
        assert_eq!(answered.summary()["kinesis_error"], THROTTLED);
        assert_eq!(answered.counts(), (7, stored as u64, 3 - stored as u64));
        assert_eq!((kinesis.sizes().as_slice(), ids(&kinesis).len()), (sizes.as_slice(), stored));
    }
}

#[tokio::test]
async fn a_long_outage_gets_503() {
    // All at once, because each takes its pauses.
    let mut outages = JoinSet::new();
    for (answer, error) in [
        (Answer::Refuse(400, THROTTLED), THROTTLED),
        (Answer::Refuse(500, "InternalFailure"), "InternalFailure"),
        (Answer::Reset, "connection"),
        (Answer::Page(200), "answer"),
        (Answer::Miscount, "answer"),
    ] {
        outages.spawn(async move {
            let kinesis = Kinesis::always(answer.clone()).await;
            let mut function = collector(&kinesis, &[]).await;
            let answered = invoke(&mut function, &three()).await;
            assert_eq!(answered.http(), (503, trouble(LATER, 0, 3).as_str()), "{answer:?}");
            assert_eq!((answered.counts(), &answered.summary()["kinesis_error"]), ((6, 0, 3), &json!(error)));
            assert_eq!(kinesis.sizes(), [3; 6], "{answer:?}");
        });
    }
    outages.join_all().await;
}

#[tokio::test]
async fn connection_refused() {
    let kinesis = Kinesis::start([]).await;
    let mut function = collector(&kinesis, &[("AWS_ENDPOINT_URL_KINESIS", "http://127.0.0.1:1")]).await;
    let answered = invoke(&mut function, &three()).await;
    assert_eq!(answered.http(), (503, trouble(LATER, 0, 3).as_str()));
    assert_eq!((answered.counts(), &answered.summary()["kinesis_error"]), ((6, 0, 3), &json!("connection")));
}

#[tokio::test]
async fn missing_credentials_are_not_retried() {
    let kinesis = Kinesis::start([]).await;
    let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let mut function = collector(&kinesis, &none).await;
    let answered = invoke(&mut function, &three()).await;
    assert_eq!(answered.http(), (500, trouble(NOT_SET_UP, 0, 3).as_str()));
    assert_eq!((answered.counts(), &answered.summary()["kinesis_error"]), ((1, 0, 3), &json!("request")));
}

#[tokio::test]
async fn a_call_whose_response_is_lost_may_be_stored_twice() {
    let kinesis = Kinesis::start([Answer::StoreAndReset]).await;
    let mut function = collector(&kinesis, &[]).await;
    assert_eq!(invoke(&mut function, &three()).await.http(), (200, STORED));
    assert_eq!(ids(&kinesis), ["0", "1", "2", "0", "1", "2"]);
}

#[tokio::test]
async fn a_call_without_a_response_times_out_and_is_retried() {
    let kinesis = Kinesis::start([Answer::Hang]).await;
    let mut function = collector(&kinesis, &[]).await;
    let answered = invoke(&mut function, &three()).await;
    assert_eq!((answered.http(), answered.counts()), ((200, STORED), (2, 3, 0)));
}

#[tokio::test]
async fn the_response_is_sent_before_the_deadline() {
    let kinesis = Kinesis::always(Answer::Hang).await;
    let mut function = collector(&kinesis, &[]).await;
    // Shorter than a call may take, so that only the deadline can have ended it.
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
    let hurried =
        Request { deadline_ms: Some(deadline.as_millis().try_into().unwrap()), ..Request::from(three().to_string()) };
    let answered = request(&mut function, hurried).await;
    assert_eq!(answered.http(), (503, trouble(LATER, 0, 3).as_str()));
    assert_eq!((answered.counts(), &answered.summary()["kinesis_error"]), ((1, 0, 3), &json!("deadline")));
}
