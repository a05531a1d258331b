//! The published mysfits services in each language, in good health.

use serde_json::json;

use crate::harness::{EVANGELINE, UNKNOWN_ID, clicks_on, fixture, fixture_json, invoke, once, processor};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService};

/// The response of each service for an unknown id.
fn unknown(language: &str) -> Response {
    match language {
        "python" => Response::text(500, fixture("service/python-unknown.html")),
        "java" => Response::status(200),
        "dotnet" => Response::status(204),
        "go" => Response::text(404, "404 page not found"),
        _ => panic!("{language}"),
    }
}

fn speaking(language: &'static str) -> impl FnMut(&Request) -> Response {
    move |request| match request.path.as_str() {
        "/mysfits" => Response::json(&fixture_json(&format!("service/{language}-list.json"))),
        path if path.ends_with(EVANGELINE) => Response::json(&fixture_json(&format!("service/{language}-item.json"))),
        _ => unknown(language),
    }
}

const LANGUAGES: [&str; 4] = ["python", "java", "dotnet", "go"];

#[tokio::test]
async fn the_list_works_in_every_language() {
    for language in LANGUAGES {
        let service = ScriptedMysfitsService::start(speaking(language)).await;
        let result = once(&service, &[], clicks_on(&[EVANGELINE, UNKNOWN_ID])).await;
        assert_eq!(result.counts(), (1, 0, 1), "{language}");
        assert!(result.results()[0].1.contains(r#""goodevil":"Evil","lawchaos":"Lawful","species":"Chimera""#));
        assert_eq!(result.reasons(), [("r1".to_owned(), "unknown_key".to_owned())], "{language}");
    }
}

#[tokio::test]
async fn items_work_in_every_language() {
    for language in LANGUAGES {
        let service = ScriptedMysfitsService::start(speaking(language)).await;
        let result = once(&service, &[("LOOKUP_MODE", "item")], clicks_on(&[EVANGELINE, UNKNOWN_ID])).await;
        assert_eq!(result.counts(), (1, 0, 1), "{language}");
        assert!(result.results()[0].1.contains(r#""goodevil":"Evil","lawchaos":"Lawful","species":"Chimera""#));
        // Python's response for an unknown id is that of an outage.
        let reason = if language == "python" { "service_error" } else { "unknown_key" };
        assert_eq!(result.reasons(), [("r1".to_owned(), reason.to_owned())], "{language}");
    }
}

#[tokio::test]
async fn an_empty_list_makes_every_mysfit_unknown() {
    for body in [json!({}), json!({"mysfits": []}), json!({"mysfits": null})] {
        let service = ScriptedMysfitsService::start(move |_| Response::json(&body)).await;
        let result = once(&service, &[], clicks_on(&[EVANGELINE])).await;
        assert_eq!(result.reasons(), [("r0".to_owned(), "unknown_key".to_owned())]);
    }
}

#[tokio::test]
async fn attributes_that_the_list_lacks_are_requested_by_id() {
    for language in LANGUAGES {
        let service = ScriptedMysfitsService::start(speaking(language)).await;
        let env = [("LOOKUP_ATTRIBUTES", "GoodEvil,age,likes,adopted")];
        let mut function = processor(&service, &env).await;
        let result = invoke(&mut function, clicks_on(&[EVANGELINE, EVANGELINE, UNKNOWN_ID])).await;
        assert_eq!(result.counts(), (2, 0, 1), "{language}");
        let line = &result.results()[0].1;
        assert!(line.contains(r#""GoodEvil":"Evil","age":43,"likes":"0","adopted":false"#), "{language}: {line}");
        assert_eq!(service.paths(), ["/mysfits".to_owned(), format!("/mysfits/{EVANGELINE}")], "{language}");
        // The second batch is served from the cache.
        invoke(&mut function, clicks_on(&[EVANGELINE])).await;
        assert_eq!(service.paths().len(), 2, "{language}");
    }
}
