//! Item requests: distinct, concurrent, bounded, cached.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Barrier;

use crate::harness::{COCO, EVANGELINE, PAULY, UNKNOWN_ID, clicks_on, fixture_json, invoke, once, processor};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

const ITEM: (&str, &str) = ("LOOKUP_MODE", "item");
/// An attempt may wait for others on a busy machine.
const PATIENT: (&str, &str) = ("LOOKUP_TIMEOUT_MS", "60000");

#[tokio::test]
async fn each_distinct_id_is_requested_once() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[ITEM]).await;
    let clicks = clicks_on(&[COCO, PAULY, COCO, UNKNOWN_ID, PAULY, COCO]);
    let result = invoke(&mut function, clicks.clone()).await;
    assert_eq!(result.counts(), (5, 0, 1));
    let mut paths = service.paths();
    paths.sort();
    assert_eq!(paths, [UNKNOWN_ID, COCO, PAULY].map(|id| format!("/mysfits/{id}")));
    // Found and unknown ids are cached.
    let result = invoke(&mut function, clicks).await;
    assert_eq!((result.counts(), service.paths().len()), ((5, 0, 1), 3));
}

#[tokio::test]
async fn as_many_requests_as_configured_are_in_flight() {
    for (concurrency, expected) in [("1", 1), ("4", 4), ("32", 12)] {
        let barrier = Arc::new(Barrier::new(expected));
        let service = ScriptedMysfitsService::start(move |request: &Request| healthy(request).together(&barrier)).await;
        let mysfits = fixture_json("mysfits.json");
        let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
        let env = [ITEM, PATIENT, ("LOOKUP_CONCURRENCY", concurrency)];
        let result = once(&service, &env, clicks_on(&ids)).await;
        assert_eq!((result.counts(), service.most_in_flight()), ((12, 0, 0), expected));
        // Connections are reused.
        assert!(service.connections() <= expected, "{} connections", service.connections());
    }
}

#[tokio::test]
async fn partial_list_entries_are_requested_concurrently() {
    let barrier = Arc::new(Barrier::new(12));
    let service = ScriptedMysfitsService::start(move |request: &Request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        _ => healthy(request).together(&barrier),
    })
    .await;
    let mysfits = fixture_json("mysfits.json");
    let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
    let result = once(&service, &[PATIENT, ("LOOKUP_ATTRIBUTES", "age")], clicks_on(&ids)).await;
    assert_eq!((result.counts(), service.most_in_flight()), ((12, 0, 0), 12));
}

#[tokio::test]
async fn a_response_for_another_mysfit_is_invalid() {
    let service = ScriptedMysfitsService::start(|_| Response::json(&fixture_json("service/python-item.json"))).await;
    let env = [("LOOKUP_MODE", "item"), ("ON_LOOKUP_UNAVAILABLE", "fail")];
    let result = once(&service, &env, clicks_on(&[COCO, EVANGELINE])).await;
    assert_eq!(result.counts(), (1, 0, 1));
    assert_eq!(result.reasons(), [("r0".to_owned(), "service_error".to_owned())]);
}

#[tokio::test]
async fn unknown_ids_evict_no_mysfit() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[ITEM, ("LOOKUP_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Response::status(404));
    let unknowns: Vec<String> = (0..10_050).map(|index| format!("s{index}")).collect();
    let unknowns: Vec<&str> = unknowns.iter().map(String::as_str).collect();
    let mut request = runtime_api::Request::from(clicks_on(&unknowns));
    request.timeout = Some(std::time::Duration::from_secs(120));
    assert_eq!(invoke(&mut function, request).await.counts(), (0, 0, 10_050));
    service.now(|_| Response::status(403));
    let result = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), &result.summary()["stale_served"]), ((1, 0, 0), &serde_json::json!(1)));
}

#[tokio::test]
async fn a_mysfit_that_the_service_does_not_find_is_unknown() {
    for (name, response) in [
        ("404", Response::text(404, "{\"message\":\"no such mysfit\"}")),
        ("410", Response::status(410)),
        ("204", Response::status(204)),
        ("200 and nothing", Response::status(200)),
    ] {
        let service = ScriptedMysfitsService::start(move |_| response.clone()).await;
        let result = once(&service, &[ITEM], clicks_on(&[COCO])).await;
        assert_eq!(result.reasons(), [("r0".to_owned(), "unknown_key".to_owned())], "{name}");
        assert_eq!(service.paths().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn hostile_ids_never_reach_a_url() {
    let service = ScriptedMysfitsService::healthy().await;
    let ids = ["../../admin", "a?b=c", "a#b", "a%2fb", "a b", "a/b", "é", "", "a\\b", "a\u{0}b"];
    let result = once(&service, &[ITEM], clicks_on(&ids)).await;
    assert_eq!((result.counts(), service.paths().len()), ((0, 0, ids.len()), 0));
    assert!(result.reasons().iter().all(|(_, reason)| reason == "invalid_key"), "{:?}", result.reasons());
}

#[tokio::test]
async fn cached_mysfits_are_requested_before_unknown_ids() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [ITEM, ("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_CONCURRENCY", "1")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    // Python's service responds 500 for an unknown id.
    service.now(|request| match healthy(request) {
        Response::With(404, ..) => Response::status(500),
        response => response,
    });
    let unknowns: Vec<String> = (0..5).map(|index| format!("{UNKNOWN_ID}-{index}")).collect();
    let mut ids: Vec<&str> = unknowns.iter().map(String::as_str).collect();
    ids.extend([COCO, PAULY]);
    let result = invoke(&mut function, clicks_on(&ids)).await;
    assert_eq!(result.counts(), (2, 0, 5));
    let requested: BTreeSet<String> = service.paths().into_iter().collect();
    assert_eq!(requested.len(), 5, "the two cached ones, and three unknown ids");
    assert_eq!(result.summary()["stale_served"], 0);
}

#[tokio::test]
async fn a_stale_item_is_served_while_the_service_is_unavailable() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[ITEM, ("LOOKUP_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Response::status(403));
    let result = invoke(&mut function, clicks_on(&[COCO, EVANGELINE, COCO])).await;
    assert_eq!(result.counts(), (2, 0, 1));
    assert_eq!(result.reasons(), [("r1".to_owned(), "service_error".to_owned())]);
    assert_eq!(result.summary()["stale_served"], 1);
}

/// Ids that no mysfit has.
fn unknowns(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{UNKNOWN_ID}-{index}")).collect()
}

fn refs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// A service for one request at a time, where three failures end the look-up but the batch succeeds.
const ONE_BY_ONE: [(&str, &str); 3] = [ITEM, ("LOOKUP_CONCURRENCY", "1"), ("ON_LOOKUP_UNAVAILABLE", "fail")];

#[tokio::test]
async fn each_mysfit_gets_its_own_attributes_in_any_order_of_responses() {
    let mysfits = fixture_json("mysfits.json");
    let mysfits = mysfits.as_array().unwrap();
    let ids: Vec<&str> = mysfits.iter().map(|mysfit| mysfit["mysfitId"].as_str().unwrap()).collect();
    for lookup in ["list", "item"] {
        let mut wait_ms = 360;
        // The last request gets the first response.
        let service = ScriptedMysfitsService::start(move |request: &Request| {
            wait_ms -= 25;
            healthy(request).after_ms(wait_ms)
        })
        .await;
        let env = [("LOOKUP_MODE", lookup), ("LOOKUP_ATTRIBUTES", "name,age")];
        let result = once(&service, &env, clicks_on(&ids)).await;
        for (mysfit, (_, line)) in mysfits.iter().zip(result.results()) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            for field in ["mysfitId", "name", "age"] {
                assert_eq!(line[field], mysfit[field], "{field} by {lookup}");
            }
        }
    }
}

#[tokio::test]
async fn the_age_of_an_item_starts_at_its_request() {
    let service = ScriptedMysfitsService::start(|request: &Request| healthy(request).after_ms(1_300)).await;
    let mut function = processor(&service, &[ITEM, ("LOOKUP_CACHE_SECONDS", "1")]).await;
    for count in 1..=2 {
        invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(service.paths().len(), count);
    }
}

#[tokio::test]
async fn the_order_of_requests_is_random() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let mut function = processor(&service, &ONE_BY_ONE).await;
    let ids = unknowns(200);
    let mut first_come_first_served = 0;
    for batch in ids.chunks(40) {
        service.now(|_| Response::status(403));
        invoke(&mut function, clicks_on(&refs(batch))).await;
        first_come_first_served += usize::from(service.paths()[0] == format!("/mysfits/{}", batch[0]));
    }
    // The odds of this five times in a row are 1 in 100 million.
    assert!(first_come_first_served < 5);
}

#[tokio::test]
async fn ids_that_failed_before_are_requested_last() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let mut function = processor(&service, &ONE_BY_ONE).await;
    let ids = unknowns(30);
    for _ in 0..10 {
        assert_eq!(invoke(&mut function, clicks_on(&refs(&ids))).await.counts(), (0, 0, 30));
    }
    // Three each time, and none twice: the ids that were skipped had not been requested.
    let paths = service.paths();
    assert_eq!((paths.len(), paths.into_iter().collect::<BTreeSet<_>>().len()), (30, 30));
}

#[tokio::test]
async fn a_request_without_its_retry_has_failed() {
    let slow: Vec<String> = (0..5).map(|index| format!("slow-{index}")).collect();
    let quick: Vec<String> = (0..3).map(|index| format!("quick-{index}")).collect();
    let new: Vec<String> = (0..24).map(|index| format!("new-{index}")).collect();
    // Five wait for their retry while three fail permanently, which opens the circuit.
    let service = ScriptedMysfitsService::start(|request: &Request| {
        if request.path.contains("quick") {
            Response::status(403).after_ms(200)
        } else {
            Response::With(503, vec![("retry-after", "1".to_owned())], String::new())
        }
    })
    .await;
    let env = [ITEM, ("LOOKUP_CONCURRENCY", "8"), ("ON_LOOKUP_UNAVAILABLE", "fail")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[refs(&slow), refs(&quick)].concat())).await;
    assert_eq!(service.paths().len(), 8);

    // From then on they go last. Eight are in flight, so the order is known only within eight.
    service.now(|_| Response::status(404).after_ms(20));
    invoke(&mut function, clicks_on(&[refs(&slow), refs(&new)].concat())).await;
    let paths = service.paths();
    assert_eq!(paths.len(), 29);
    assert!(paths[..16].iter().all(|path| path.contains("new")), "{paths:?}");
}

#[tokio::test]
async fn long_bodies_that_stall_take_no_time_from_others() {
    let body = |id: &str| {
        let x = "x".repeat(100_000);
        serde_json::json!({"mysfitId": id, "goodevil": "Good", "lawchaos": "Lawful", "species": "Yeti", "x": x})
    };
    // More than are read concurrently.
    let ids: Vec<String> = (0..9).map(|n| format!("hangs-{n}")).chain((0..40).map(|n| format!("m{n}"))).collect();
    let service = ScriptedMysfitsService::start(move |request| {
        let id = request.path.strip_prefix("/mysfits/").unwrap();
        let body = body(id);
        if id.starts_with("hangs") { Response::HalfThenHang(body.to_string()) } else { Response::json(&body) }
    })
    .await;
    // As many as are in flight by default, and each in time.
    for ids in [&ids[..32], &ids[9..]] {
        let hanging = ids.iter().filter(|id| id.starts_with("hangs")).count();
        let mut function = processor(&service, &[("LOOKUP_MODE", "item")]).await;
        let mut request = runtime_api::Request::from(clicks_on(&refs(ids)));
        request.timeout = Some(std::time::Duration::from_secs(280));
        let result = invoke(&mut function, request).await;
        assert_eq!(result.counts(), (ids.len() - hanging, 0, hanging));
    }
}

#[tokio::test]
async fn an_id_that_was_not_requested_has_not_failed() {
    let ids = unknowns(8);
    let service = ScriptedMysfitsService::start(|_| Response::Hang).await;
    let env = [ONE_BY_ONE.as_slice(), &[("LOOKUP_TIMEOUT_MS", "60000")]].concat();
    let mut function = processor(&service, &env).await;
    invoke(&mut function, r#"{"records":[]}"#).await;
    for _ in &ids {
        // Time for one request only; the invocation itself may take longer on a busy machine.
        let deadline = std::time::SystemTime::now() + std::time::Duration::from_millis(1500);
        let deadline = deadline.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let mut request = runtime_api::Request::from(clicks_on(&refs(&ids)));
        request.deadline_ms = Some(u64::try_from(deadline).unwrap());
        invoke(&mut function, request).await;
    }
    // A different one each time: ids that were not requested go before those that were.
    let paths = service.paths();
    let requested = paths.len();
    assert!(requested > 1, "{paths:?}");
    assert_eq!(paths.into_iter().collect::<BTreeSet<_>>().len(), requested);
}

#[tokio::test]
async fn a_cached_mysfit_is_requested_before_unknown_ids_even_after_it_failed() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [ONE_BY_ONE.as_slice(), &[("LOOKUP_CACHE_SECONDS", "0")]].concat();
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Response::status(403));
    invoke(&mut function, clicks_on(&[COCO])).await;
    let ids = unknowns(12);
    invoke(&mut function, clicks_on(&[refs(&ids), vec![COCO]].concat())).await;
    assert_eq!(service.paths()[..2], [format!("/mysfits/{COCO}"), format!("/mysfits/{COCO}")]);
}
