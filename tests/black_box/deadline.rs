//! The response is sent before the deadline, whatever the service does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime_api::Request;

use crate::harness::{COCO, PAULY, clicks_on, invoke, invoke_failing, processor};
use test_support::mysfits_service::{Response, ScriptedMysfitsService, healthy};

/// An invocation with its deadline in `seconds`. It is killed only 30 s later, because the machine may be busy.
fn within(event: String, seconds: u64) -> Request {
    let deadline = SystemTime::now() + Duration::from_secs(seconds);
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let timeout = Some(Duration::from_secs(seconds + 30));
    Request { timeout, deadline_ms: Some(deadline_ms.try_into().unwrap()), ..Request::from(event) }
}

#[tokio::test]
async fn look_ups_end_before_the_deadline() {
    // An attempt may take a minute, and the invocation two seconds.
    let patient = ("LOOKUP_TIMEOUT_MS", "60000");
    for lookup in [("LOOKUP_MODE", "list"), ("LOOKUP_MODE", "item")] {
        let service = ScriptedMysfitsService::start(|_| Response::Hang).await;
        let mut function = processor(&service, &[patient, lookup]).await;
        let (error_type, _) = invoke_failing(&mut function, within(clicks_on(&[COCO]), 2)).await;
        assert_eq!(error_type, "ServiceUnavailable", "{lookup:?}");

        let mut function = processor(&service, &[patient, lookup, ("ON_LOOKUP_UNAVAILABLE", "fail")]).await;
        let result = invoke(&mut function, within(clicks_on(&[COCO, PAULY]), 2)).await;
        assert_eq!(result.counts(), (0, 0, 2), "{lookup:?}");
    }
}

#[tokio::test]
async fn retries_and_their_delays_end_before_the_deadline() {
    let service = ScriptedMysfitsService::start(|_| Response::status(503).after_ms(2_000)).await;
    let env = [
        ("LOOKUP_MODE", "item"),
        ("LOOKUP_CONCURRENCY", "1"),
        ("LOOKUP_TIMEOUT_MS", "60000"),
        ("ON_LOOKUP_UNAVAILABLE", "fail"),
    ];
    let mut function = processor(&service, &env).await;
    let result = invoke(&mut function, within(clicks_on(&[COCO, PAULY]), 5)).await;
    assert_eq!(result.counts(), (0, 0, 2));
    // A fourth attempt would begin after six seconds.
    assert!(service.paths().len() < 4, "{:?}", service.paths());
}

#[tokio::test]
async fn no_request_is_sent_after_the_deadline() {
    let service = ScriptedMysfitsService::start(|_| Response::Hang).await;
    let env = [
        ("LOOKUP_MODE", "item"),
        ("LOOKUP_CONCURRENCY", "1"),
        ("LOOKUP_TIMEOUT_MS", "60000"),
        ("ON_LOOKUP_UNAVAILABLE", "fail"),
    ];
    let mut function = processor(&service, &env).await;
    let result = invoke(&mut function, within(clicks_on(&[COCO, PAULY]), 1)).await;
    assert_eq!((result.counts(), service.paths().len()), ((0, 0, 2), 1));
}

#[tokio::test]
async fn mysfits_found_before_the_deadline_are_delivered() {
    let service = ScriptedMysfitsService::start(|request| match request.path.as_str() {
        path if path.ends_with(PAULY) => Response::Hang,
        _ => healthy(request),
    })
    .await;
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_TIMEOUT_MS", "60000")];
    let mut function = processor(&service, &env).await;
    let result = invoke(&mut function, within(clicks_on(&[COCO, PAULY]), 6)).await;
    assert_eq!(result.counts(), (1, 0, 1));
    assert_eq!(result.reasons(), [("r1".to_owned(), "service_error".to_owned())]);
}

#[tokio::test]
async fn an_implausible_deadline_fails_no_batch() {
    let service = ScriptedMysfitsService::healthy().await;
    for deadline_ms in [0, 600_000, u64::MAX] {
        let mut function = processor(&service, &[]).await;
        let request = Request { deadline_ms: Some(deadline_ms), ..Request::from(clicks_on(&[COCO])) };
        let result = invoke(&mut function, request).await;
        assert_eq!(result.counts(), (1, 0, 0), "{deadline_ms}");
    }
}
