//! Look-ups one by one: distinct, concurrent, bounded, remembered.

use std::collections::BTreeSet;

use crate::harness::{COCO, EVANGELINE, PAULY, STRANGER, clicks_on, fixture_json, invoke, once, processor};
use crate::service::{Answer, Request, Service, well_built};

const ITEM: (&str, &str) = ("MYSFITS_LOOKUP", "item");

#[tokio::test]
async fn each_distinct_id_is_asked_for_once() {
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
async fn as_many_requests_as_configured_are_under_way_at_once() {
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
async fn what_the_list_lacks_is_asked_for_at_once_as_well() {
    let service = Service::start(|request: &Request| well_built(request).after_ms(200)).await;
    let mysfits = fixture_json("mysfits.json");
    let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
    let answered = once(&service, &[("MYSFIT_ATTRIBUTES", "age")], clicks_on(&ids)).await;
    assert_eq!((answered.counts(), service.most_under_way()), ((12, 0, 0), 12));
}

#[tokio::test]
async fn an_answer_about_another_mysfit_is_no_answer() {
    let service = Service::start(|_| Answer::json(&fixture_json("service/python-item.json"))).await;
    let env = [("MYSFITS_LOOKUP", "item"), ("ON_SERVICE_UNAVAILABLE", "fail")];
    let answered = once(&service, &env, clicks_on(&[COCO, EVANGELINE])).await;
    assert_eq!(answered.counts(), (1, 0, 1));
    assert_eq!(answered.reasons(), [("r0".to_owned(), "service_error".to_owned())]);
}

#[tokio::test]
async fn strangers_push_no_mysfit_out_of_memory() {
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
async fn what_the_service_says_is_not_there_is_unknown() {
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
async fn mysfits_known_before_are_asked_for_before_strangers() {
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
async fn an_expired_item_is_served_while_the_service_is_away() {
    let service = Service::well_built().await;
    let mut function = processor(&service, &[ITEM, ("MYSFITS_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Answer::status(403));
    let answered = invoke(&mut function, clicks_on(&[COCO, EVANGELINE, COCO])).await;
    assert_eq!(answered.counts(), (2, 0, 1));
    assert_eq!(answered.reasons(), [("r1".to_owned(), "service_error".to_owned())]);
    assert_eq!(answered.summary()["stale_served"], 1);
}
