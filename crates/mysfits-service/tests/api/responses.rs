//! Every route, and every error response.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http::{fixture, get, ids, send, start};

#[tokio::test]
async fn health() {
    let service = start().await;
    let response = get(&service.base_url(), "/").await;
    assert_eq!((response.status, response.text.as_str()), (StatusCode::OK, "The mysfits service is up.\n"));
    assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn the_list_has_every_mysfit_in_brief() {
    let service = start().await;
    let response = get(&service.base_url(), "/mysfits").await;
    response.is(200);
    assert_eq!(response.header("content-type"), "application/json");

    let mut body = response.json();
    let listed = body["mysfits"].as_array_mut().unwrap();
    listed.sort_by_key(|mysfit| mysfit["mysfitId"].to_string());
    let mut expected: Vec<_> = fixture().iter().map(in_brief).collect();
    expected.sort_by_key(|mysfit| mysfit["mysfitId"].to_string());
    assert_eq!(body, json!({ "mysfits": expected }));
    assert_eq!(expected.len(), 12);
}

fn in_brief(mysfit: &Value) -> Value {
    json!({
        "mysfitId": mysfit["mysfitId"],
        "name": mysfit["name"],
        "goodevil": mysfit["goodevil"],
        "lawchaos": mysfit["lawchaos"],
        "species": mysfit["species"],
        "thumbImageUri": mysfit["thumbImageUri"],
    })
}

#[tokio::test]
async fn each_value_of_each_index_lists_its_mysfits() {
    let service = start().await;
    let cases = [
        ("GoodEvil", "goodevil", ["Good", "Neutral", "Evil"]),
        ("LawChaos", "lawchaos", ["Lawful", "Neutral", "Chaotic"]),
    ];
    for (filter, key, values) in cases {
        for value in values {
            let response = get(&service.base_url(), &format!("/mysfits?filter={filter}&value={value}")).await;
            let expected = ids(fixture().iter().filter(|mysfit| mysfit[key] == value));
            assert_eq!((response.status, response.ids()), (StatusCode::OK, expected), "{filter}={value}");
        }
    }
}

#[tokio::test]
async fn a_value_that_no_mysfit_has_lists_none() {
    let service = start().await;
    for value in ["good", "Sleepy", "%C3%A9", "'%20OR%201=1", &"x".repeat(64)] {
        let response = get(&service.base_url(), &format!("/mysfits?filter=GoodEvil&value={value}")).await;
        assert_eq!((response.status, response.text.as_str()), (StatusCode::OK, "{}"), "{value}");
    }
}

#[tokio::test]
async fn each_mysfit_by_its_id() {
    let service = start().await;
    for mut mysfit in fixture() {
        let response = get(&service.base_url(), &format!("/mysfits/{}", mysfit["mysfitId"].as_str().unwrap())).await;
        mysfit["likes"] = mysfit["likes"].to_string().into();
        assert_eq!((response.status, response.json()), (StatusCode::OK, mysfit));
        assert_eq!(response.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn error_responses() {
    let service = start().await;
    let too_long = format!("/mysfits/{}", "a".repeat(129));
    let no_mysfit = "no mysfit has this id";
    let no_route = "no such path: there are /, /mysfits and /mysfits/{id}";
    let cases = [
        (Method::GET, "/mysfits/00000000-0000-4000-8000-000000000000", 404, no_mysfit),
        (Method::GET, &too_long, 404, no_mysfit),
        (Method::GET, "/mysfits/a%20b", 404, no_mysfit),
        (Method::GET, "/mysfits/%2e%2e%2f", 404, no_mysfit),
        (Method::GET, "/mysfits/%ff", 404, no_mysfit),
        (Method::GET, "/mysfits/", 404, no_route),
        (Method::GET, "//mysfits", 404, no_route),
        (Method::GET, "/mysfits/a/b", 404, no_route),
        (Method::GET, "/favicon.ico", 404, no_route),
        (Method::POST, "/mysfits", 405, "only GET"),
        (Method::DELETE, "/mysfits/4e53920c-505a-4a90-a694-b9300791f0ae", 405, "only GET"),
        (Method::PUT, "/", 405, "only GET"),
        (
            Method::GET,
            "/mysfits?filter=Species&value=Troll",
            400,
            "query parameter 'filter': found \"Species\"; accepted: GoodEvil, LawChaos",
        ),
        (
            Method::GET,
            "/mysfits?value=Good",
            400,
            "query parameter 'filter': found none beside 'value'; accepted: GoodEvil, LawChaos",
        ),
        (
            Method::GET,
            "/mysfits?filter=LawChaos",
            400,
            "query parameter 'value': found none beside 'filter=LawChaos'; accepted: 1 to 64 bytes",
        ),
        (
            Method::GET,
            "/mysfits?filter=GoodEvil&value=",
            400,
            "query parameter 'value': found \"\"; accepted: 1 to 64 bytes",
        ),
        (
            Method::GET,
            "/mysfits?filter=%22%0A%ff&value=Good",
            400,
            "query parameter 'filter': found \"\\\"\\n\u{fffd}\"; accepted: GoodEvil, LawChaos",
        ),
        (
            Method::GET,
            "/mysfits?filter=GoodEvil&filter=LawChaos&value=Neutral",
            400,
            "query parameter 'filter': found more than one; accepted: one",
        ),
    ];
    for (method, path, status, message) in cases {
        let response = send(method, &format!("{}{path}", service.base_url())).await;
        assert_eq!((response.status.as_u16(), response.json()), (status, json!({ "message": message })), "{path}");
        assert_eq!(response.header("content-type"), "application/json", "{path}");
        assert_eq!(response.header("access-control-allow-origin"), "*", "{path}");
        if status == 405 {
            assert_eq!(response.header("allow"), "GET,HEAD", "{path}");
        }
    }
}

#[tokio::test]
async fn a_parameter_of_another_name_is_ignored() {
    let service = start().await;
    let response = get(&service.base_url(), "/mysfits?utm_source=mail").await;
    assert_eq!(response.ids(), ids(&fixture()));
}

#[tokio::test]
async fn a_page_of_any_origin_may_read() {
    let service = start().await;
    for path in ["/", "/mysfits", "/mysfits/4e53920c-505a-4a90-a694-b9300791f0ae"] {
        let response = get(&service.base_url(), path).await;
        assert_eq!(response.header("access-control-allow-origin"), "*", "{path}");

        let preflight = send(Method::OPTIONS, &format!("{}{path}", service.base_url())).await;
        assert_eq!(preflight.status, StatusCode::OK, "{path}: {preflight:?}");
        assert_eq!(preflight.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(preflight.header("access-control-allow-methods"), "GET", "{path}");
    }
}
