//! The mysfits service in each language in which it is published, and in good health.

use serde_json::json;

use crate::harness::{EVANGELINE, STRANGER, clicks_on, fixture, fixture_json, invoke, once, processor};
use crate::service::{Answer, Request, Service};

/// What each service answers to an unknown id.
fn unknown(language: &str) -> Answer {
    match language {
        "python" => Answer::text(500, fixture("service/python-unknown.html")),
        "java" => Answer::status(200),
        "dotnet" => Answer::status(204),
        "go" => Answer::text(404, "404 page not found"),
        _ => panic!("{language}"),
    }
}

fn speaking(language: &'static str) -> impl FnMut(&Request) -> Answer {
    move |request| match request.path.as_str() {
        "/mysfits" => Answer::json(&fixture_json(&format!("service/{language}-list.json"))),
        path if path.ends_with(EVANGELINE) => Answer::json(&fixture_json(&format!("service/{language}-item.json"))),
        _ => unknown(language),
    }
}

const LANGUAGES: [&str; 4] = ["python", "java", "dotnet", "go"];

#[tokio::test]
async fn the_list_works_in_every_language() {
    for language in LANGUAGES {
        let service = Service::start(speaking(language)).await;
        let answered = once(&service, &[], clicks_on(&[EVANGELINE, STRANGER])).await;
        assert_eq!(answered.counts(), (1, 0, 1), "{language}");
        assert!(answered.results()[0].1.contains(r#""goodevil":"Evil","lawchaos":"Lawful","species":"Chimera""#));
        assert_eq!(answered.reasons(), [("r1".to_owned(), "unknown_mysfit".to_owned())], "{language}");
    }
}

#[tokio::test]
async fn items_work_in_every_language() {
    for language in LANGUAGES {
        let service = Service::start(speaking(language)).await;
        let answered = once(&service, &[("MYSFITS_LOOKUP", "item")], clicks_on(&[EVANGELINE, STRANGER])).await;
        assert_eq!(answered.counts(), (1, 0, 1), "{language}");
        assert!(answered.results()[0].1.contains(r#""goodevil":"Evil","lawchaos":"Lawful","species":"Chimera""#));
        // Python's answer to an unknown id is that of an outage.
        let reason = if language == "python" { "service_error" } else { "unknown_mysfit" };
        assert_eq!(answered.reasons(), [("r1".to_owned(), reason.to_owned())], "{language}");
    }
}

#[tokio::test]
async fn an_empty_list_makes_every_mysfit_unknown() {
    for body in [json!({}), json!({"mysfits": []}), json!({"mysfits": null})] {
        let service = Service::start(move |_| Answer::json(&body)).await;
        let answered = once(&service, &[], clicks_on(&[EVANGELINE])).await;
        assert_eq!(answered.reasons(), [("r0".to_owned(), "unknown_mysfit".to_owned())]);
    }
}

#[tokio::test]
async fn attributes_that_the_list_lacks_are_requested_by_id() {
    for language in LANGUAGES {
        let service = Service::start(speaking(language)).await;
        let env = [("MYSFIT_ATTRIBUTES", "GoodEvil,age,likes,adopted")];
        let mut function = processor(&service, &env).await;
        let answered = invoke(&mut function, clicks_on(&[EVANGELINE, EVANGELINE, STRANGER])).await;
        assert_eq!(answered.counts(), (2, 0, 1), "{language}");
        let line = &answered.results()[0].1;
        assert!(line.contains(r#""GoodEvil":"Evil","age":43,"likes":"0","adopted":false"#), "{language}: {line}");
        assert_eq!(service.paths(), ["/mysfits".to_owned(), format!("/mysfits/{EVANGELINE}")], "{language}");
        // The second batch is served from memory.
        invoke(&mut function, clicks_on(&[EVANGELINE])).await;
        assert_eq!(service.paths().len(), 2, "{language}");
    }
}
