//! Look-ups one by one: distinct, concurrent, bounded, remembered.

use std::collections::BTreeSet;

use crate::harness::{COCO, EVANGELINE, PAULY, STRANGER, clicks_on, fixture_json, invoke, once, processor};
use crate::service::{Answer, Request, Service, well_built};

const ITEM: (&str, &str) = ("MYSFITS_LOOKUP", "item");

#[tokio::test]
async fn each_distinct_id_is_requested_once() {
    let service = Service::well_built().await;
    let mut function = processor(&service, &[ITEM]).await;
    let clicks = clicks_on(&[COCO, PAULY, COCO, STRANGER, PAULY, COCO]);
    let answered = invoke(&mut function, clicks.clone()).await;
    assert_eq!(answered.counts(), (5, 0, 1));
    let mut paths = service.paths();
    paths.sort();
    assert_eq!(paths, [STRANGER, COCO, PAULY].map(|id| format!("/mysfits/{id}")));
    // What was found, and what was not, is remembered.
    let answered = invoke(&mut function, clicks).await;
    assert_eq!((answered.counts(), service.paths().len()), ((5, 0, 1), 3));
}

#[tokio::test]
async fn as_many_requests_as_configured_are_in_flight() {
    for (concurrency, expected) in [("1", 1), ("4", 4), ("32", 12)] {
        let service = Service::start(|request: &Request| well_built(request).after_ms(200)).await;
        let mysfits = fixture_json("mysfits.json");
        let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
        let answered = once(&service, &[ITEM, ("MYSFITS_CONCURRENCY", concurrency)], clicks_on(&ids)).await;
        assert_eq!((answered.counts(), service.most_under_way()), ((12, 0, 0), expected));
        // Connections serve one request after the other.
        assert!(service.connections() <= expected, "{} connections", service.connections());
    }
}

#[tokio::test]
async fn partial_list_entries_are_requested_concurrently() {
    let service = Service::start(|request: &Request| well_built(request).after_ms(200)).await;
    let mysfits = fixture_json("mysfits.json");
    let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
    let answered = once(&service, &[("MYSFIT_ATTRIBUTES", "age")], clicks_on(&ids)).await;
    assert_eq!((answered.counts(), service.most_under_way()), ((12, 0, 0), 12));
}

#[tokio::test]
async fn a_response_for_another_mysfit_is_invalid() {
    let service = Service::start(|_| Answer::json(&fixture_json("service/python-item.json"))).await;
    let env = [("MYSFITS_LOOKUP", "item"), ("ON_SERVICE_UNAVAILABLE", "fail")];
    let answered = once(&service, &env, clicks_on(&[COCO, EVANGELINE])).await;
    assert_eq!(answered.counts(), (1, 0, 1));
    assert_eq!(answered.reasons(), [("r0".to_owned(), "service_error".to_owned())]);
}

#[tokio::test]
async fn unknown_ids_evict_no_mysfit() {
    let service = Service::well_built().await;
    let mut function = processor(&service, &[ITEM, ("MYSFITS_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Answer::status(404));
    let strangers: Vec<String> = (0..10_050).map(|index| format!("s{index}")).collect();
    let strangers: Vec<&str> = strangers.iter().map(String::as_str).collect();
    let mut request = runtime_api::Request::from(clicks_on(&strangers));
    request.timeout = Some(std::time::Duration::from_secs(120));
    assert_eq!(invoke(&mut function, request).await.counts(), (0, 0, 10_050));
    service.now(|_| Answer::status(403));
    let answered = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((answered.counts(), &answered.summary()["stale_served"]), ((1, 0, 0), &serde_json::json!(1)));
}

#[tokio::test]
async fn a_mysfit_that_the_service_does_not_find_is_unknown() {
    for (name, answer) in [
        ("404", Answer::text(404, "{\"message\":\"no such mysfit\"}")),
        ("410", Answer::status(410)),
        ("204", Answer::status(204)),
        ("200 and nothing", Answer::status(200)),
    ] {
        let service = Service::start(move |_| answer.clone()).await;
        let answered = once(&service, &[ITEM], clicks_on(&[COCO])).await;
        assert_eq!(answered.reasons(), [("r0".to_owned(), "unknown_mysfit".to_owned())], "{name}");
        assert_eq!(service.paths().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn hostile_ids_never_reach_a_url() {
    let service = Service::well_built().await;
    let ids = ["../../admin", "a?b=c", "a#b", "a%2fb", "a b", "a/b", "é", "", "a\\b", "a\u{0}b"];
    let answered = once(&service, &[ITEM], clicks_on(&ids)).await;
    assert_eq!((answered.counts(), service.paths().len()), ((0, 0, ids.len()), 0));
    assert!(answered.reasons().iter().all(|(_, reason)| reason == "invalid_mysfit_id"), "{:?}", answered.reasons());
}

#[tokio::test]
async fn cached_mysfits_are_requested_before_unknown_ids() {
    let service = Service::well_built().await;
    let env = [ITEM, ("MYSFITS_CACHE_SECONDS", "0"), ("MYSFITS_CONCURRENCY", "1")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    // Python's service answers 500 to an unknown id.
    service.now(|request| match well_built(request) {
        Answer::With(404, ..) => Answer::status(500),
        answer => answer,
    });
    let strangers: Vec<String> = (0..5).map(|index| format!("{STRANGER}-{index}")).collect();
    let mut ids: Vec<&str> = strangers.iter().map(String::as_str).collect();
    ids.extend([COCO, PAULY]);
    let answered = invoke(&mut function, clicks_on(&ids)).await;
    assert_eq!(answered.counts(), (2, 0, 5));
    let asked: BTreeSet<String> = service.paths().into_iter().collect();
    assert_eq!(asked.len(), 5, "the two that are known, and three strangers");
    assert_eq!(answered.summary()["stale_served"], 0);
}

#[tokio::test]
async fn a_stale_item_is_served_while_the_service_is_unavailable() {
    let service = Service::well_built().await;
    let mut function = processor(&service, &[ITEM, ("MYSFITS_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Answer::status(403));
    let answered = invoke(&mut function, clicks_on(&[COCO, EVANGELINE, COCO])).await;
    assert_eq!(answered.counts(), (2, 0, 1));
    assert_eq!(answered.reasons(), [("r1".to_owned(), "service_error".to_owned())]);
    assert_eq!(answered.summary()["stale_served"], 1);
}

/// So many ids that no mysfit has.
fn strangers(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{STRANGER}-{index}")).collect()
}

fn refs(ids: &[String]) -> Vec<&str> {
    ids.iter().map(String::as_str).collect()
}

/// One request at a time, of which three that fail end the look-up, and a batch that is answered all the same.
const ONE_BY_ONE: [(&str, &str); 3] = [ITEM, ("MYSFITS_CONCURRENCY", "1"), ("ON_SERVICE_UNAVAILABLE", "fail")];

#[tokio::test]
async fn each_mysfit_gets_its_own_attributes_in_any_order_of_responses() {
    let mysfits = fixture_json("mysfits.json");
    let mysfits = mysfits.as_array().unwrap();
    let ids: Vec<&str> = mysfits.iter().map(|mysfit| mysfit["mysfitId"].as_str().unwrap()).collect();
    for lookup in ["catalogue", "item"] {
        let mut wait_ms = 360;
        // The later asked, the sooner answered.
        let service = Service::start(move |request: &Request| {
            wait_ms -= 25;
            well_built(request).after_ms(wait_ms)
        })
        .await;
        let env = [("MYSFITS_LOOKUP", lookup), ("MYSFIT_ATTRIBUTES", "name,age")];
        let answered = once(&service, &env, clicks_on(&ids)).await;
        for (mysfit, (_, line)) in mysfits.iter().zip(answered.results()) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            for field in ["mysfitId", "name", "age"] {
                assert_eq!(line[field], mysfit[field], "{field} by {lookup}");
            }
        }
    }
}

#[tokio::test]
async fn the_age_of_an_item_starts_at_its_request() {
    let service = Service::start(|request: &Request| well_built(request).after_ms(1_300)).await;
    let mut function = processor(&service, &[ITEM, ("MYSFITS_CACHE_SECONDS", "1")]).await;
    for count in 1..=2 {
        invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(service.paths().len(), count);
    }
}

#[tokio::test]
async fn the_order_of_requests_is_random() {
    let service = Service::start(|_| Answer::status(403)).await;
    let mut function = processor(&service, &ONE_BY_ONE).await;
    let ids = strangers(200);
    let mut first_come_first_served = 0;
    for batch in ids.chunks(40) {
        service.now(|_| Answer::status(403));
        invoke(&mut function, clicks_on(&refs(batch))).await;
        first_come_first_served += usize::from(service.paths()[0] == format!("/mysfits/{}", batch[0]));
    }
    // By chance it is so five times of five once in 100 million.
    assert!(first_come_first_served < 5);
}

#[tokio::test]
async fn ids_that_failed_before_are_requested_last() {
    let service = Service::start(|_| Answer::status(403)).await;
    let mut function = processor(&service, &ONE_BY_ONE).await;
    let ids = strangers(30);
    for _ in 0..10 {
        assert_eq!(invoke(&mut function, clicks_on(&refs(&ids))).await.counts(), (0, 0, 30));
    }
    // Three of them each time, and none twice: not one of those that were given up had been asked for.
    let paths = service.paths();
    assert_eq!((paths.len(), paths.into_iter().collect::<BTreeSet<_>>().len()), (30, 30));
}

#[tokio::test]
async fn a_request_without_its_retry_has_failed() {
    let slow: Vec<String> = (0..5).map(|index| format!("slow-{index}")).collect();
    let quick: Vec<String> = (0..3).map(|index| format!("quick-{index}")).collect();
    let new: Vec<String> = (0..24).map(|index| format!("new-{index}")).collect();
    // Five wait to be tried again while three fail for good, which ends it for all.
    let service = Service::start(|request: &Request| {
        if request.path.contains("quick") {
            Answer::status(403).after_ms(200)
        } else {
            Answer::With(503, vec![("retry-after", "1".to_owned())], String::new())
        }
    })
    .await;
    let env = [ITEM, ("MYSFITS_CONCURRENCY", "8"), ("ON_SERVICE_UNAVAILABLE", "fail")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[refs(&slow), refs(&quick)].concat())).await;
    assert_eq!(service.paths().len(), 8);

    // They go last from then on. Eight are under way at once, so the order is told no more closely than that.
    service.now(|_| Answer::status(404).after_ms(20));
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
    // More than are read at once.
    let ids: Vec<String> = (0..9).map(|n| format!("hangs-{n}")).chain((0..40).map(|n| format!("m{n}"))).collect();
    let service = Service::start(move |request| {
        let id = request.path.strip_prefix("/mysfits/").unwrap();
        let body = body(id);
        if id.starts_with("hangs") { Answer::HalfThenHang(body.to_string()) } else { Answer::json(&body) }
    })
    .await;
    // As many as are in flight at once by default, and each in time.
    for ids in [&ids[..32], &ids[9..]] {
        let hanging = ids.iter().filter(|id| id.starts_with("hangs")).count();
        let mut function = processor(&service, &[("MYSFITS_LOOKUP", "item")]).await;
        let mut request = runtime_api::Request::from(clicks_on(&refs(ids)));
        request.timeout = Some(std::time::Duration::from_secs(280));
        let answered = invoke(&mut function, request).await;
        assert_eq!(answered.counts(), (ids.len() - hanging, 0, hanging));
    }
}

#[tokio::test]
async fn an_id_that_was_not_requested_has_not_failed() {
    let ids = strangers(8);
    let service = Service::start(|_| Answer::Hang).await;
    let env = [ONE_BY_ONE.as_slice(), &[("MYSFITS_TIMEOUT_MS", "60000")]].concat();
    let mut function = processor(&service, &env).await;
    invoke(&mut function, r#"{"records":[]}"#).await;
    for _ in &ids {
        // Time for one request, and no more; the invocation itself may take longer on a busy machine.
        let deadline = std::time::SystemTime::now() + std::time::Duration::from_millis(1500);
        let deadline = deadline.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let mut request = runtime_api::Request::from(clicks_on(&refs(&ids)));
        request.deadline_ms = Some(u64::try_from(deadline).unwrap());
        invoke(&mut function, request).await;
    }
    // Each time another one: those that were not asked for go before those that were.
    let paths = service.paths();
    let asked = paths.len();
    assert!(asked > 1, "{paths:?}");
    assert_eq!(paths.into_iter().collect::<BTreeSet<_>>().len(), asked);
}

#[tokio::test]
async fn a_cached_mysfit_is_requested_before_unknown_ids_even_after_it_failed() {
    let service = Service::well_built().await;
    let env = [ONE_BY_ONE.as_slice(), &[("MYSFITS_CACHE_SECONDS", "0")]].concat();
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Answer::status(403));
    invoke(&mut function, clicks_on(&[COCO])).await;
    let ids = strangers(12);
    invoke(&mut function, clicks_on(&[refs(&ids), vec![COCO]].concat())).await;
    assert_eq!(service.paths()[..2], [format!("/mysfits/{COCO}"), format!("/mysfits/{COCO}")]);
}
