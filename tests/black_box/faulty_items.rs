//! A service that fails for single items, or whose items lack an attribute.

use serde_json::json;

use crate::faults::TIMEOUT;
use crate::harness::{
    COCO, EVANGELINE, PAULY, UNKNOWN_ID, click, clicks_on, event, invoke, invoke_failing, once, processor,
};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

#[tokio::test]
async fn an_id_that_the_service_fails_for_fails_alone() {
    let sick = |request: &Request| match request.path.as_str() {
        path if path.ends_with(PAULY) => Response::status(500),
        _ => healthy(request),
    };
    for env in [[("LOOKUP_MODE", "item"), TIMEOUT], [("LOOKUP_ATTRIBUTES", "age"), TIMEOUT]] {
        let service = ScriptedMysfitsService::start(sick).await;
        let result = once(&service, &env, clicks_on(&[COCO, PAULY, EVANGELINE, PAULY])).await;
        assert_eq!(result.counts(), (2, 0, 2), "{env:?}");
        let expected = [("r1".to_owned(), "service_error".to_owned()), ("r3".to_owned(), "service_error".to_owned())];
        assert_eq!(result.reasons(), expected, "{env:?}");
        let requests_for_failing = service.paths().iter().filter(|path| path.ends_with(PAULY)).count();
        assert_eq!(requests_for_failing, 4, "{env:?}");
    }
}

/// A service whose [`PAULY`] has this JSON as `species`, or none, in the list and as an item.
fn with_a_sick_mysfit(species: Option<&'static str>) -> impl FnMut(&Request) -> Response {
    move |request| {
        let Response::With(status, headers, body) = healthy(request) else { panic!("no response") };
        let is_sick = |mysfit: &serde_json::Value| mysfit["mysfitId"] == PAULY;
        let mut json: serde_json::Value = serde_json::from_str(&body).unwrap();
        let mysfits = json["mysfits"].as_array_mut().map(|list| list.iter_mut().collect::<Vec<_>>());
        for mysfit in mysfits.unwrap_or_default().into_iter().filter(|mysfit| is_sick(mysfit)) {
            mysfit["species"] = json!("SICK");
        }
        if is_sick(&json) {
            json["species"] = json!("SICK");
        }
        let sick = species.map_or_else(|| r#""x":0"#.to_owned(), |species| format!(r#""species":{species}"#));
        Response::With(status, headers, json.to_string().replace(r#""species":"SICK""#, &sick))
    }
}

#[tokio::test]
async fn a_mysfit_without_a_wanted_attribute_fails_alone_and_is_rarely_requested() {
    let garbage = "no click".to_owned();
    let deep: &'static str = Box::leak(format!("{}{}", "[".repeat(129), "]".repeat(129)).into_boxed_str());
    for species in [None, Some("1e400"), Some(r#""\ud800""#), Some(deep)] {
        for (lookup, first) in [("list", 2), ("item", 1)] {
            let name = format!("{species:?} by {lookup}");
            let service = ScriptedMysfitsService::start(with_a_sick_mysfit(species)).await;
            let mut function = processor(&service, &[("LOOKUP_MODE", lookup)]).await;
            let result = invoke(&mut function, clicks_on(&[PAULY])).await;
            assert_eq!((result.counts(), service.paths().len()), ((0, 0, 1), first), "{name}");
            assert_eq!(result.reasons(), [("r0".to_owned(), "service_error".to_owned())], "{name}");
            assert_eq!(
                result.summary()["service_first_error"],
                r#"GET /mysfits/ responded with an item without the attribute "species""#,
                "{name}"
            );
            assert_eq!(result.summary()["service_errors"], 0, "{name}: there was a response");
            for (records, counts) in [
                (vec![click(PAULY)], (0, 0, 1)),
                (vec![click(PAULY), garbage.clone()], (0, 0, 2)),
                (vec![click(PAULY), click(COCO)], (1, 0, 1)),
                (vec![click(PAULY), click(PAULY), garbage.clone()], (0, 0, 3)),
            ] {
                service.now(with_a_sick_mysfit(species));
                let result = invoke(&mut function, event(&records)).await;
                assert_eq!(result.counts(), counts, "{name}, then {records:?}");
                assert_eq!(result.reasons()[0].1, "service_error", "{name}, then {records:?}");
                let requested_again = service.paths().iter().any(|path| path.ends_with(PAULY));
                assert!(!requested_again, "{name}, then {records:?}: {:?}", service.paths());
            }
        }
    }
}

#[tokio::test]
async fn an_attribute_that_no_mysfit_has_is_no_outage() {
    let mysfits = crate::harness::fixture_json("mysfits.json");
    let ids: Vec<&str> = mysfits.as_array().unwrap().iter().map(|m| m["mysfitId"].as_str().unwrap()).collect();
    for lookup in ["list", "item"] {
        let service = ScriptedMysfitsService::healthy().await;
        let env = [("LOOKUP_MODE", lookup), ("LOOKUP_ATTRIBUTES", "genus"), ("LOOKUP_CONCURRENCY", "1")];
        let mut function = processor(&service, &env).await;
        for _ in 0..2 {
            let result = invoke(&mut function, clicks_on(&ids)).await;
            assert_eq!(result.counts(), (0, 0, ids.len()), "{lookup}");
            assert!(result.reasons().iter().all(|(_, reason)| reason == "service_error"), "{lookup}");
            // More than three in a row, and none means that the service is unavailable.
            assert_eq!(
                service.paths().iter().filter(|path| path.starts_with("/mysfits/")).count(),
                ids.len(),
                "{lookup}"
            );
        }
        // Cached values say nothing about mysfits that were never requested.
        let passing = [("LOOKUP_MODE", lookup), ("LOOKUP_ATTRIBUTES", "genus"), ("ON_LOOKUP_UNAVAILABLE", "pass")];
        let result = once(&service, &passing, clicks_on(&ids)).await;
        assert_eq!(result.counts(), (ids.len(), 0, 0), "{lookup}");
    }
}

#[tokio::test]
async fn a_failing_mysfit_does_not_hide_an_outage_of_others() {
    let service = ScriptedMysfitsService::start(with_a_sick_mysfit(None)).await;
    let mut function = processor(&service, &[("LOOKUP_MODE", "item")]).await;
    assert_eq!(invoke(&mut function, clicks_on(&[PAULY])).await.counts(), (0, 0, 1));
    assert_eq!(invoke(&mut function, clicks_on(&[UNKNOWN_ID])).await.counts(), (0, 0, 1));
    // Cached values of the two are no response, even if nothing else is wanted.
    service.now(|_| Response::status(403));
    for ids in [[PAULY, COCO], [UNKNOWN_ID, COCO], [COCO, EVANGELINE]] {
        let (error_type, _) = invoke_failing(&mut function, clicks_on(&ids)).await;
        assert_eq!((error_type.as_str(), service.paths().is_empty()), ("ServiceUnavailable", false), "{ids:?}");
    }
    assert_eq!(invoke(&mut function, clicks_on(&[PAULY, UNKNOWN_ID])).await.counts(), (0, 0, 2));
    // Any response means that the service is available.
    service.now(|request| match request.path.as_str() {
        path if path.ends_with(EVANGELINE) => Response::status(404),
        _ => Response::status(403),
    });
    assert_eq!(invoke(&mut function, clicks_on(&[COCO, EVANGELINE])).await.counts(), (0, 0, 2));
}

#[tokio::test]
async fn a_mysfit_that_lost_an_attribute_is_served_stale() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_CACHE_SECONDS", "0")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[PAULY])).await;
    service.now(with_a_sick_mysfit(None));
    for _ in 0..2 {
        let result = invoke(&mut function, clicks_on(&[PAULY])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), 1));
        assert_eq!(result.summary()["stale_served"], 1);
    }
}
