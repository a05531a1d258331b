//! `ON_UNKNOWN_KEY` and `ON_LOOKUP_UNAVAILABLE`.

use crate::harness::{COCO, UNKNOWN_ID, click, clicks_on, event, once};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

const NULLS: &str = r#""goodevil":null,"lawchaos":null,"species":null}"#;

#[tokio::test]
async fn an_unknown_mysfit_is_failed_dropped_or_passed() {
    let service = ScriptedMysfitsService::healthy().await;
    let mixed = format!("{}{}", click(COCO), click(UNKNOWN_ID));
    let both = format!("{}{}", click(UNKNOWN_ID), click(UNKNOWN_ID));
    let records = [click(UNKNOWN_ID), click(COCO), mixed, both];
    for (policy, expected) in [
        ("fail", ["ProcessingFailed", "Ok", "ProcessingFailed", "ProcessingFailed"]),
        // Dropping the third would lose a click on a mysfit that exists.
        ("drop", ["Dropped", "Ok", "ProcessingFailed", "Dropped"]),
        ("pass", ["Ok", "Ok", "Ok", "Ok"]),
    ] {
        let result = once(&service, &[("ON_UNKNOWN_KEY", policy)], event(&records)).await;
        let results = result.results();
        let logged: Vec<&str> = results.iter().map(|(result, _)| result.as_str()).collect();
        assert_eq!(logged, expected, "{policy}");
        assert!(result.reasons().iter().all(|(_, reason)| reason == "unknown_key"), "{policy}");
        if policy == "pass" {
            assert!(results[0].1.trim_end().ends_with(NULLS), "{}", results[0].1);
            assert_eq!(results[2].1.lines().map(|line| line.ends_with(NULLS)).collect::<Vec<_>>(), [false, true]);
        }
    }
}

#[tokio::test]
async fn while_the_service_is_unavailable_records_are_failed_or_passed() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let records = event(&[click(COCO), "not a click".to_owned()]);
    let result = once(&service, &[("ON_LOOKUP_UNAVAILABLE", "fail")], records.clone()).await;
    assert_eq!(result.counts(), (0, 0, 2));
    assert_eq!(result.reasons()[0].1, "service_unavailable");
    assert_eq!(result.summary()["failed.service_unavailable"], 1);

    let result = once(&service, &[("ON_LOOKUP_UNAVAILABLE", "pass")], records).await;
    assert_eq!(result.counts(), (1, 0, 1));
    assert!(result.results()[0].1.trim_end().ends_with(NULLS));
}

#[tokio::test]
async fn a_batch_with_nothing_to_look_up_needs_no_service() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let result = once(&service, &[], event(&["not a click", "{}"])).await;
    assert_eq!((result.counts(), service.paths().len()), ((0, 0, 2), 0));
}

#[tokio::test]
async fn a_failure_takes_precedence_over_an_unknown_key() {
    let service = ScriptedMysfitsService::start(|request: &Request| match request.path.as_str() {
        path if path.ends_with(COCO) => Response::status(403),
        _ => Response::status(404),
    })
    .await;
    let mixed = format!("{}{}", click(UNKNOWN_ID), click(COCO));
    let env = [("LOOKUP_MODE", "item"), ("ON_UNKNOWN_KEY", "drop")];
    let result = once(&service, &env, event(&[mixed])).await;
    assert_eq!(result.reasons(), [("r0".to_owned(), "service_error".to_owned())]);
    assert_eq!(result.summary()["failed.service_error"], 1);
}

#[tokio::test]
async fn a_mysfit_that_the_service_fails_for_is_passed_if_configured() {
    let service = ScriptedMysfitsService::start(|request: &Request| match request.path.as_str() {
        path if path.ends_with(UNKNOWN_ID) => Response::status(403),
        _ => healthy(request),
    })
    .await;
    for (policy, expected) in [("retry", (1, 0, 1)), ("fail", (1, 0, 1)), ("pass", (2, 0, 0))] {
        let env = [("LOOKUP_MODE", "item"), ("ON_LOOKUP_UNAVAILABLE", policy)];
        let result = once(&service, &env, clicks_on(&[COCO, UNKNOWN_ID])).await;
        assert_eq!(result.counts(), expected, "{policy}");
        assert!(result.reasons().iter().all(|(_, reason)| reason == "service_error"), "{policy}");
    }
}
