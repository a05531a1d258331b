//! Orders and a shop: any event, and any service, by configuration alone.

use serde_json::json;

use crate::harness::{event, invoke, invoke_failing, once, processor};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService};

const ORDER: &str = r#"{"orderId":"o-1","customer":{"id":"c-1","tags":["a","b"]}, "lines":[{"product":{"id":7},"n":2.50}],"note":"\u00e9","NAME":"x"}"#;

/// What `*` keeps of it, besides `NAME`, which is an attribute.
const ALL: &str = r#""orderId":"o-1","customer":{"id":"c-1","tags":["a","b"]},"lines":[{"product":{"id":7},"n":2.50}],"note":"\u00e9""#;

const ITEM: (&str, &str) = ("LOOKUP_MODE", "item");
const NO_LIST: (&str, &str) = ("LOOKUP_LIST", "none");

/// How the shop is used, unless a case has other values.
const SHOP: [(&str, &str); 7] = [
    ("LOOKUP_KEY", "productId=/lines/0/product/id"),
    ("LOOKUP_LIST", "/v1/products?limit=1000"),
    ("LOOKUP_LIST_KEY", "id"),
    ("LOOKUP_ITEM", "none"),
    ("LOOKUP_ATTRIBUTES", "name,brand=/brand/name"),
    ("EVENT_FIELDS", "orderId,productId"),
    ("REQUIRED_FIELDS", "none"),
];

fn shop(request: &Request) -> Response {
    Response::json(&match request.path.as_str() {
        "/v1/products?limit=1000" => json!({"page": 1, "next": null, "products": [
            {"id": 7, "sku": ["t-7"], "Name": "Tea", "brand": {"name": "Acme"}},
            {"id": "8", "sku": ["c-8"], "name": "Cup", "brand": {}},
            {"id": 9, "sku": ["n-9"]},
        ]}),
        "/v1/wrapped?all" => {
            json!({"data": {"items": [{"id": 7, "name": "Tea", "brand": {"name": "Acme"}}]}, "errors": []})
        }
        "/v1/array" => json!([{"id": 7, "name": "Tea", "brand": {"name": "Acme"}}]),
        "/v1/products/7?full=7" => json!({"product": {"id": "7", "name": "Green tea"}, "brand": {"name": "Acme"}}),
        "/v1/names?of=7" => json!({"name": "Tea"}),
        _ => return Response::status(404),
    })
}

fn with<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_replaced = |name: &str| other.iter().any(|(replaced, _)| *replaced == name);
    SHOP.into_iter().filter(|(name, _)| !is_replaced(name)).chain(other.iter().copied()).collect()
}

fn order_of(id: &str) -> String {
    ORDER.replace(r#"{"id":7}"#, &format!(r#"{{"id":{id}}}"#))
}

#[tokio::test]
async fn lines_are_as_configured() {
    let service = ScriptedMysfitsService::start(shop).await;
    for (env, expected) in [
        (vec![], r#""orderId":"o-1","productId":7,"name":"Tea","brand":"Acme""#.to_owned()),
        (
            vec![("LOOKUP_LIST", "/v1/wrapped?all#/data/items")],
            r#""orderId":"o-1","productId":7,"name":"Tea","brand":"Acme""#.to_owned(),
        ),
        (vec![("EVENT_FIELDS", "orderId")], r#""orderId":"o-1","name":"Tea","brand":"Acme""#.to_owned()),
        (
            vec![("EVENT_FIELDS", "tag=/customer/tags/1,x=/customer/tags/2,note,missing")],
            r#""tag":"b","x":null,"note":"é","name":"Tea","brand":"Acme""#.to_owned(),
        ),
        (vec![("EVENT_FIELDS", "*")], format!(r#"{ALL},"name":"Tea","brand":"Acme""#)),
        (
            vec![("EVENT_FIELDS", "productId,*,note=/none"), ("RECORD_FIELDS", "recordId")],
            format!(
                r#""productId":7,{},"note":null,"name":"Tea","brand":"Acme","recordId":"r0""#,
                ALL.trim_end_matches(r#","note":"\u00e9""#)
            ),
        ),
        (vec![("LOOKUP_ATTRIBUTES", "sku=/sku/0,products,NAME"), ("LOOKUP_LIST_KEY", "k=/id")], String::new()),
        (
            vec![("LOOKUP_ATTRIBUTES", "sku=/sku/0,all=/brand"), ("LOOKUP_LIST_KEY", "k=/id")],
            r#""orderId":"o-1","productId":7,"sku":"t-7","all":{"name":"Acme"}"#.to_owned(),
        ),
        (vec![("LOOKUP_LIST", "/v1/array")], r#""orderId":"o-1","productId":7,"name":"Tea","brand":"Acme""#.to_owned()),
        (
            vec![
                ITEM,
                NO_LIST,
                ("LOOKUP_ITEM", "/v1/products/{key}?full={key}"),
                ("LOOKUP_LIST_KEY", "k=/product/id"),
                ("LOOKUP_ATTRIBUTES", "name=/product/name,maker=/maker"),
            ],
            r#""orderId":"o-1","productId":7,"name":"Green tea","maker":null"#.to_owned(),
        ),
        (
            vec![
                ITEM,
                NO_LIST,
                ("LOOKUP_ITEM", "/v1/names?of={key}"),
                ("LOOKUP_LIST_KEY", "none"),
                ("LOOKUP_ATTRIBUTES", "name"),
            ],
            r#""orderId":"o-1","productId":7,"name":"Tea""#.to_owned(),
        ),
        // An entry of the list without a wanted attribute is requested.
        (
            vec![
                ("LOOKUP_ITEM", "/v1/products/{key}?full={key}"),
                ("LOOKUP_ATTRIBUTES", "name=/product/name"),
                ("LOOKUP_LIST_KEY", "id"),
                ("ON_LOOKUP_UNAVAILABLE", "pass"),
            ],
            r#""orderId":"o-1","productId":7,"name":null"#.to_owned(),
        ),
    ] {
        let result = once(&service, &with(&env), event(&[ORDER])).await;
        if expected.is_empty() {
            assert_eq!(result.reasons(), [("r0".to_owned(), "service_error".to_owned())], "{env:?}");
        } else {
            assert_eq!(result.results(), [("Ok".to_owned(), format!("{{{expected}}}\n"))], "{env:?}");
        }
    }
}

#[tokio::test]
async fn records_fail_for_general_reasons() {
    let service = ScriptedMysfitsService::start(shop).await;
    let longest = format!("\"{}\"", "a".repeat(128));
    for (env, data, expected) in [
        (vec![], ORDER.to_owned(), None),
        (vec![], order_of("\"8\""), None),
        (vec![], order_of("8"), None),
        (vec![], order_of("10"), Some("unknown_key")),
        (vec![], order_of("-7"), Some("unknown_key")),
        (vec![], order_of(&"9".repeat(20)), Some("unknown_key")),
        (vec![], order_of(&longest), Some("unknown_key")),
        (vec![], order_of(&"9".repeat(21)), Some("too_long")),
        (vec![], order_of(&longest.replace("aa", "aaa")), Some("too_long")),
        (vec![], order_of("\"../8\""), Some("invalid_key")),
        (vec![], order_of("\"\""), Some("invalid_key")),
        (vec![], order_of("7.0"), Some("wrong_type")),
        (vec![], order_of("7e0"), Some("wrong_type")),
        (vec![], order_of("-0"), Some("wrong_type")),
        (vec![], order_of("null"), Some("wrong_type")),
        (vec![], r#"{"lines":[]}"#.to_owned(), Some("missing_field")),
        (vec![], r#"{"lines":{"0":{"product":{"id":7}}}}"#.to_owned(), None),
        (vec![("REQUIRED_FIELDS", "orderId,c=/customer/id")], ORDER.to_owned(), None),
        (vec![("REQUIRED_FIELDS", "c=/customer/name")], ORDER.to_owned(), Some("missing_field")),
        (vec![("REQUIRED_FIELDS", "customer")], ORDER.to_owned(), Some("wrong_type")),
        (vec![("REQUIRED_FIELDS", "orderId")], ORDER.replace("o-1", &"o".repeat(257)), Some("too_long")),
        (vec![("REQUIRED_FIELDS", "")], ORDER.to_owned(), Some("missing_field")),
        // The list lacks the name of 9, and nothing else has it.
        (vec![], order_of("9"), Some("service_error")),
        (vec![("ON_LOOKUP_UNAVAILABLE", "pass")], order_of("9"), None),
        (vec![("ON_UNKNOWN_KEY", "pass")], order_of("10"), None),
    ] {
        let result = once(&service, &with(&env), event(&[data.as_str()])).await;
        let reasons: Vec<_> = result.reasons().into_iter().map(|(_, reason)| reason).collect();
        assert_eq!(reasons, Vec::from_iter(expected), "{env:?} {data}");
        if let Some(reason) = expected {
            assert_eq!(result.summary()[format!("failed.{reason}")], 1, "{reason}");
        }
    }
}

#[tokio::test]
async fn an_integer_and_a_string_are_one_key() {
    let service = ScriptedMysfitsService::start(shop).await;
    let env = with(&[("LOOKUP_MODE", "item"), ("LOOKUP_ITEM", "/v1/names?of={key}"), ("LOOKUP_LIST_KEY", "none")]);
    let env = [env.as_slice(), &[("LOOKUP_ATTRIBUTES", "name"), ("PARTITION_KEYS", "productId")]].concat();
    let mut function = processor(&service, &env).await;
    for (id, paths) in [("7", 1), ("\"7\"", 1)] {
        let result = invoke(&mut function, event(&[&order_of(id), &order_of("7"), &order_of("\"7\"")])).await;
        assert_eq!((result.counts(), service.paths().len()), ((3, 0, 0), paths), "{id}");
        assert!(result.results()[0].1.contains(&format!(r#""productId":{id},"#)), "written as it came");
        assert_eq!(result.response["records"][0]["metadata"], json!({"partitionKeys": {"productId": "7"}}), "{id}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_logged_without_its_query() {
    let service = ScriptedMysfitsService::start(shop).await;
    for (env, expected) in [
        (
            ("LOOKUP_LIST_KEY", "productId"),
            "GET /v1/products responded with a list without the key LOOKUP_LIST_KEY in any entry",
        ),
        (("LOOKUP_LIST", "/v2?limit=secret"), "GET /v2 responded with no list"),
        (
            ("LOOKUP_LIST", "/v1/names?of=7"),
            "GET /v1/names responded with an object without a list; accepted: exactly one array as a member, or its JSON pointer in LOOKUP_LIST",
        ),
        (
            ("LOOKUP_LIST", "/v1/names?of=7#/data"),
            "GET /v1/names responded with an object without an array at the JSON pointer of LOOKUP_LIST",
        ),
    ] {
        let mut function = processor(&service, &with(&[env])).await;
        let (error_type, message) = invoke_failing(&mut function, event(&[ORDER])).await;
        assert_eq!(
            (error_type.as_str(), message),
            ("ServiceUnavailable", format!("the service is unavailable: {expected}"))
        );
    }
    let result = once(&service, &with(&[]), event(&[order_of("9").as_str()])).await;
    let expected =
        "GET /v1/products responded with an item without all attributes in the list, and LOOKUP_ITEM is none";
    assert_eq!(result.summary()["service_first_error"], expected);
}

#[tokio::test]
async fn a_long_value_that_many_pointers_select_stays_within_the_budget() {
    let service = ScriptedMysfitsService::start(shop).await;
    let fields = (0..32).map(|index| format!("f{index}=/note")).collect::<Vec<_>>().join(",");
    let long = ORDER.replace("\\u00e9", &"n".repeat(1_000_000));
    let result = once(&service, &with(&[("EVENT_FIELDS", &fields)]), event(&[long.as_str(), ORDER])).await;
    assert_eq!(result.reasons(), [("r0".to_owned(), "response_budget".to_owned())]);
    assert_eq!(result.counts(), (1, 0, 1));
}
