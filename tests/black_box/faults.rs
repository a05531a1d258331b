//! A service that responds wrongly, late or never.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::harness::{COCO, EVANGELINE, PAULY, UNKNOWN_ID, clicks_on, invoke, invoke_failing, once, processor};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

/// Short enough for a test, and long enough for a busy machine.
pub(crate) const TIMEOUT: (&str, &str) = ("LOOKUP_TIMEOUT_MS", "1500");

/// All faults that count as an unavailable service, with four attempts each.
fn outages() -> Vec<(&'static str, Response)> {
    let list = crate::harness::fixture("service/python-list.json");
    vec![
        ("408", Response::status(408)),
        ("500", Response::status(500)),
        ("503", Response::text(503, "busy")),
        ("429", Response::status(429)),
        ("HTML", Response::text(200, "<!DOCTYPE html>")),
        ("other JSON", Response::json(&json!({"message": "Internal server error"}))),
        ("half a list", Response::text(200, &list[..list.len() / 2])),
        ("a broken body", Response::Half(list)),
        ("a closed connection", Response::Close),
        ("a reset connection", Response::Reset),
        ("no HTTP", Response::Garbage),
        ("an endless body", Response::Endless),
    ]
}

#[tokio::test]
async fn an_outage_takes_four_attempts_and_then_firehose_retries() {
    for (name, response) in outages() {
        let service = ScriptedMysfitsService::start(move |_| response.clone()).await;
        let mut function = processor(&service, &[]).await;
        let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable", "{name}");
        assert!(message.starts_with("the service is unavailable: GET /mysfits "), "{name}: {message}");
        assert_eq!(service.paths(), ["/mysfits"; 4], "{name}");
        // Errors are not cached.
        service.now(healthy);
        let result = invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), 1), "{name}");
    }
}

#[tokio::test]
async fn a_transient_error_is_retried_within_the_invocation() {
    for (name, response) in outages() {
        for lookup in ["list", "item"] {
            let (response, mut faults) = (response.clone(), 0);
            let service = ScriptedMysfitsService::start(move |request: &Request| {
                faults += 1;
                if faults <= 3 { response.clone() } else { healthy(request) }
            })
            .await;
            // A busy machine is slow with an endless body.
            let env = [("LOOKUP_MODE", lookup), ("LOOKUP_TIMEOUT_MS", "6000")];
            let result = once(&service, &env, clicks_on(&[COCO])).await;
            assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), 4), "{name} by {lookup}");
            assert_eq!(result.summary()["service_requests"], 4, "{name} by {lookup}");
            assert_eq!(result.summary()["service_errors"], 3, "{name} by {lookup}");
        }
    }
}

#[tokio::test]
async fn a_slow_response_times_out_and_is_retried() {
    let list = crate::harness::fixture("service/python-list.json");
    for slow in [Response::Hang, Response::status(200).after_ms(60_000), Response::HalfThenHang(list)] {
        let (slow, mut first) = (slow.clone(), true);
        let service =
            ScriptedMysfitsService::start(
                move |request: &Request| {
                    if std::mem::take(&mut first) { slow.clone() } else { healthy(request) }
                },
            )
            .await;
        let result = once(&service, &[TIMEOUT], clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), 2));
        assert_eq!(result.summary()["service_first_error"], "GET /mysfits did not respond within 1500 ms");
    }
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    let elsewhere = ScriptedMysfitsService::healthy().await;
    let location = vec![("location", format!("{}/mysfits", elsewhere.url()))];
    for (name, response) in [
        ("400", Response::status(400)),
        ("401", Response::status(401)),
        ("403", Response::text(403, json!({"message": "Forbidden"}).to_string())),
        ("206", Response::status(206)),
        ("301", Response::With(301, location.clone(), String::new())),
        ("302", Response::With(302, location.clone(), String::new())),
        ("307", Response::With(307, location, String::new())),
    ] {
        let service = ScriptedMysfitsService::start(move |_| response.clone()).await;
        let mut function = processor(&service, &[]).await;
        let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable", "{name}");
        assert!(message.contains(name), "{name}: {message}");
        assert_eq!(service.paths(), ["/mysfits"], "{name}");
    }
    assert_eq!(elsewhere.paths(), Vec::<String>::new(), "a redirect was followed");
}

#[tokio::test]
async fn connection_refused_is_an_outage() {
    // The discard protocol's port.
    let unused_address = test_support::own_address().to_string();
    let url = format!("http://{unused_address}:9");
    let settings = crate::harness::settings(&[("LOOKUP_API_URL", &url)]);
    let mut function = runtime_api::Function::start(settings).await.unwrap();
    let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
    assert_eq!(error_type, "ServiceUnavailable");
    assert!(message.contains("refused") && !message.contains(&unused_address), "{message}");
}

#[tokio::test]
async fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    // Dates have whole seconds, so this one is one to two seconds away.
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    let second: fn() -> String = || "1".to_owned();
    for (status, retry_after) in [(429, second), (500, second), (503, date)] {
        let mut arrivals = Vec::new();
        let (logged, times) = std::sync::mpsc::channel();
        let service = ScriptedMysfitsService::start(move |request: &Request| {
            arrivals.push(std::time::Instant::now());
            logged.send(arrivals.clone()).unwrap();
            match arrivals.len() {
                1 => Response::With(status, vec![("retry-after", retry_after())], String::new()),
                _ => healthy(request),
            }
        })
        .await;
        let result = once(&service, &[], clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), 2), "{status}");
        let arrivals = times.try_iter().last().unwrap();
        // Full jitter alone would wait at most 100 ms.
        assert!(arrivals[1] - arrivals[0] >= Duration::from_millis(700), "{status}");
    }
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_ends_the_look_up_at_once() {
    let requested = vec![("retry-after", "3600".to_owned())];
    let service = ScriptedMysfitsService::start(move |_| Response::With(503, requested.clone(), String::new())).await;
    let mut function = processor(&service, &[]).await;
    let (error_type, _) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((error_type.as_str(), service.paths().len()), ("ServiceUnavailable", 1));
}

#[tokio::test]
async fn an_endless_retry_after_does_not_overflow() {
    for seconds in ["9223372036854775807", "18446744073709551615", "99999999999999999999999"] {
        let requested = vec![("retry-after", seconds.to_owned())];
        let service =
            ScriptedMysfitsService::start(move |_| Response::With(503, requested.clone(), String::new())).await;
        let result = once(&service, &[("ON_LOOKUP_UNAVAILABLE", "pass")], clicks_on(&[COCO])).await;
        assert_eq!(result.counts(), (1, 0, 0), "{seconds}");
    }
}

#[tokio::test]
async fn a_missing_list_is_an_outage_and_not_an_empty_list() {
    for status in [200, 204, 404, 410] {
        let service = ScriptedMysfitsService::start(move |_| Response::status(status)).await;
        let mut function = processor(&service, &[("ON_UNKNOWN_KEY", "drop")]).await;
        let (error_type, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!((error_type.as_str(), service.paths().len()), ("ServiceUnavailable", 4), "{status}");
        assert!(message.ends_with("GET /mysfits responded with no list"), "{status}: {message}");
    }
}

#[tokio::test]
async fn the_first_failure_is_logged() {
    let mut statuses = [500, 403].into_iter();
    let service = ScriptedMysfitsService::start(move |_| Response::status(statuses.next().unwrap())).await;
    let mut function = processor(&service, &[]).await;
    let (_, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
    assert!(message.ends_with("GET /mysfits responded 500 Internal Server Error"), "{message}");
}

#[tokio::test]
async fn too_long_a_body_is_not_read() {
    let long = |bytes: usize| Response::text(200, format!("{{\"x\":\"{}\"}}", "x".repeat(bytes)));
    for (lookup, limit, path) in [("list", 8 << 20, "/mysfits"), ("item", 1 << 20, "/mysfits/")] {
        let response = long(limit);
        let service = ScriptedMysfitsService::start(move |_| response.clone()).await;
        let mut function = processor(&service, &[("LOOKUP_MODE", lookup)]).await;
        let (_, message) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert!(message.ends_with(&format!("GET {path} responded with more than {limit} bytes")), "{message}");
    }
    // With a content length, the body is not read.
    let service = ScriptedMysfitsService::start(|_| Response::HalfThenHang("x".repeat((8 << 20) + 1))).await;
    let env = [("LOOKUP_TIMEOUT_MS", "20000"), ("ON_LOOKUP_UNAVAILABLE", "fail")];
    let result = once(&service, &env, clicks_on(&[COCO])).await;
    assert_eq!(result.summary()["service_first_error"], "GET /mysfits responded with more than 8388608 bytes");
    // Without a content length, reading stops at the limit.
    let service = ScriptedMysfitsService::start(|_| Response::Endless).await;
    let env = [("LOOKUP_TIMEOUT_MS", "20000"), ("ON_LOOKUP_UNAVAILABLE", "fail")];
    let result = once(&service, &env, clicks_on(&[COCO])).await;
    assert_eq!(result.summary()["service_first_error"], "GET /mysfits responded with more than 8388608 bytes");
    // The earlier list serves, and a response that stays too long costs one attempt per batch.
    let mut first = true;
    let longer = long(8 << 20);
    let service =
        ScriptedMysfitsService::start(
            move |request: &Request| {
                if std::mem::take(&mut first) { healthy(request) } else { longer.clone() }
            },
        )
        .await;
    let mut function = processor(&service, &[("LOOKUP_CACHE_SECONDS", "0")]).await;
    for (requests, stale) in [(1, 0), (5, 1), (6, 1)] {
        let result = invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), requests));
        assert_eq!(result.summary()["stale_served"], stale);
    }
    // A response just within the limit is accepted.
    let mysfits = json!({"mysfits": [], "x": "x".repeat((8 << 20) - 21)});
    assert_eq!(mysfits.to_string().len(), 8 << 20);
    let service = ScriptedMysfitsService::start(move |_| Response::json(&mysfits)).await;
    let result = once(&service, &[], clicks_on(&[COCO])).await;
    assert_eq!(result.reasons()[0].1, "unknown_key");
}

#[tokio::test]
async fn after_three_failed_requests_no_more_are_sent() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let unknowns: Vec<String> = (0..50).map(|index| format!("{UNKNOWN_ID}-{index}")).collect();
    let unknowns: Vec<&str> = unknowns.iter().map(String::as_str).collect();
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_CONCURRENCY", "1")];
    let mut function = processor(&service, &env).await;
    let (error_type, _) = invoke_failing(&mut function, clicks_on(&unknowns)).await;
    assert_eq!((error_type.as_str(), service.paths().len()), ("ServiceUnavailable", 3));

    // A success in between resets the count.
    let mut count = 0;
    service.now(move |request: &Request| {
        count += 1;
        if count % 3 == 0 { healthy(request) } else { Response::status(403) }
    });
    let result = invoke(&mut function, clicks_on(&unknowns)).await;
    assert_eq!((service.paths().len(), result.counts()), (50, (0, 0, 50)));
}

#[tokio::test]
async fn requests_in_flight_are_not_retried_when_the_circuit_is_open() {
    let service = ScriptedMysfitsService::start(|_| Response::status(503)).await;
    let unknowns: Vec<String> = (0..64).map(|index| format!("{UNKNOWN_ID}-{index}")).collect();
    let unknowns: Vec<&str> = unknowns.iter().map(String::as_str).collect();
    let mut function = processor(&service, &[("LOOKUP_MODE", "item")]).await;
    invoke_failing(&mut function, clicks_on(&unknowns)).await;
    // 32 requests are in flight, with up to four attempts each. After three have failed, the others stop as well.
    assert!((12..32 * 4).contains(&service.paths().len()), "{}", service.paths().len());
}

#[tokio::test]
async fn the_circuit_stays_open_when_a_request_in_flight_succeeds() {
    // Three fail permanently, one succeeds after that, and one waits for its retry.
    let service = ScriptedMysfitsService::start(|request: &Request| match request.path.as_str() {
        path if path.ends_with(COCO) => healthy(request).after_ms(500),
        path if path.ends_with(PAULY) => Response::With(503, vec![("retry-after", "1".to_owned())], String::new()),
        _ => Response::status(403),
    })
    .await;
    let unknowns: Vec<String> = (0..3).map(|index| format!("{UNKNOWN_ID}-{index}")).collect();
    let mut ids: Vec<&str> = unknowns.iter().map(String::as_str).collect();
    ids.extend([COCO, PAULY]);
    let result = once(&service, &[("LOOKUP_MODE", "item")], clicks_on(&ids)).await;
    assert_eq!((result.counts(), service.paths().len()), ((1, 0, 4), 5), "{:?}", service.paths());
}

#[tokio::test]
async fn unknown_ids_that_fail_do_not_keep_a_mysfit_from_being_found() {
    // Python's service responds 500 for an unknown id. Firehose retries a failed batch up to three times.
    for concurrency in ["1", "32"] {
        let service = ScriptedMysfitsService::start(|request: &Request| match healthy(request) {
            Response::With(404, ..) => Response::status(500),
            response => response,
        })
        .await;
        let mut ids: Vec<String> = (0..8).map(|index| format!("{UNKNOWN_ID}-{index}")).collect();
        ids.push(COCO.to_owned());
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let env = [("LOOKUP_MODE", "item"), ("LOOKUP_CONCURRENCY", concurrency)];
        let mut function = processor(&service, &env).await;
        let mut attempts = Vec::new();
        while attempts.len() < 4 && attempts.last() != Some(&true) {
            let invocation = function.invoke(clicks_on(&ids)).await.unwrap();
            attempts.push(matches!(invocation.outcome, runtime_api::Outcome::Reply(_)));
        }
        assert_eq!(attempts.last(), Some(&true), "{concurrency}: {attempts:?}");
        // From then on it is cached, and goes before unknown ids.
        service.now(|_| Response::status(403));
        assert_eq!(invoke(&mut function, clicks_on(&ids)).await.counts(), (1, 0, 8), "{concurrency}");
    }
}

#[tokio::test]
async fn a_connection_that_went_stale_is_no_outage() {
    let close_after = |request: &Request| Response::ThenClose(Box::new(healthy(request)));
    let service = ScriptedMysfitsService::start(close_after).await;
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_STALE_SECONDS", "0")];
    let mut function = processor(&service, &env).await;
    for _ in 0..5 {
        let result = invoke(&mut function, clicks_on(&[COCO, PAULY, EVANGELINE])).await;
        assert_eq!(result.counts(), (3, 0, 0));
        assert_eq!(result.summary()["service_errors"], 0);
    }
    // A stale connection can't be detected in advance, so none is kept between invocations.
    let service =
        ScriptedMysfitsService::start(|request: &Request| Response::ThenHang(Box::new(healthy(request)))).await;
    let mut function = processor(&service, &[("LOOKUP_CACHE_SECONDS", "0")]).await;
    for count in 1..=3 {
        invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(service.connections(), count);
    }
}
