//! The environment variables, and their effect on lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runtime_api::{Function, Outcome};
use serde_json::{Value, json};

use crate::harness::{COCO, EVANGELINE, click, clicks_on, event, invoke, once, processor, settings};
use test_support::mysfits_service::{Response, ScriptedMysfitsService, healthy};

#[tokio::test]
async fn an_invalid_value_fails_the_start() {
    let url = ("LOOKUP_API_URL", "http://127.0.0.1:9");
    for (env, found, accepted) in [
        (vec![], "LOOKUP_API_URL: found no value", "an http or https URL"),
        (vec![("LOOKUP_API_URL", "mysfits")], "LOOKUP_API_URL: found \"mysfits\"", "an http or https URL"),
        (vec![url, ("LOOKUP_CACHE_SECONDS", "1e3")], "LOOKUP_CACHE_SECONDS: found \"1e3\"", "a whole number from 0"),
        (vec![url, ("ON_UNKNOWN_KEY", "Fail")], "ON_UNKNOWN_KEY: found \"Fail\"", "fail, drop, pass"),
        (vec![url, ("PARTITION_KEYS", "genus")], "PARTITION_KEYS: found \"genus\"", "userId, mysfitId, goodevil"),
        (
            vec![url, ("EVENT_FIELDS", "userId,mysfitId,Species")],
            "EVENT_FIELDS, LOOKUP_ATTRIBUTES and RECORD_FIELDS: found \"Species\" and \"species\"",
            "names differ in more than case",
        ),
        (vec![url, ("SSL_CERT_FILE", "/nowhere.pem")], "SSL_CERT_FILE: found /nowhere.pem", "accepted: a PEM file"),
    ] {
        let mut function = Function::start(settings(&env)).await.unwrap();
        let invocation = function.invoke("{}").await.unwrap();
        let Outcome::Exited(status) = invocation.outcome else { panic!("{env:?}: {:?}", invocation.outcome) };
        assert_eq!(status.code(), Some(2), "{env:?}");
        let [line] = invocation.logs.as_slice() else { panic!("{env:?}: {:?}", invocation.logs) };
        let line: Value = serde_json::from_str(line).unwrap();
        let message = line["message"].as_str().unwrap();
        assert!(message.contains(found) && message.contains(accepted), "{env:?}: {message}");
    }
}

#[tokio::test]
async fn lines_are_as_configured() {
    let service = ScriptedMysfitsService::healthy().await;
    let clicked = format!(
        r#"{{"mysfitId":"{EVANGELINE}","userId":"ü\"","page": {{"path" : "\u002f","n":[1, 2.50]}},"ignored":1,"ref":null}}"#
    );
    let id = EVANGELINE;
    for (env, expected) in [
        (
            vec![],
            format!(
                r#"{{"userId":"ü\"","mysfitId":"{id}","goodevil":"Evil","lawchaos":"Lawful","species":"Chimera"}}"#
            ),
        ),
        (
            vec![("EVENT_FIELDS", "mysfitId,page,missing,ref,userId"), ("LOOKUP_ATTRIBUTES", "Species")],
            format!(
                r#"{{"mysfitId":"{id}","page":{{"path":"/","n":[1,2.50]}},"ref":null,"userId":"ü\"","Species":"Chimera"}}"#
            ),
        ),
        (
            vec![("EVENT_FIELDS", "missing,mysfitId"), ("LOOKUP_ATTRIBUTES", "age,adopted,LawChaos,name")],
            format!(r#"{{"mysfitId":"{id}","age":43,"adopted":false,"LawChaos":"Lawful","name":"Evangeline"}}"#),
        ),
        (
            vec![("LOOKUP_ATTRIBUTES", "species"), ("RECORD_FIELDS", "recordId,arrivedAt")],
            format!(
                r#"{{"userId":"ü\"","mysfitId":"{id}","species":"Chimera","recordId":"r0","arrivedAt":"2017-05-18T02:02:29.453Z"}}"#
            ),
        ),
    ] {
        let result = once(&service, &env, event(&[&clicked])).await;
        assert_eq!(result.results(), [("Ok".to_owned(), expected + "\n")], "{env:?}");
    }
}

#[tokio::test]
async fn kept_fields_must_fit_into_a_line() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[("EVENT_FIELDS", "userId,mysfitId,page")]).await;
    let with = |page: &str| format!(r#"{{"userId":"u","mysfitId":"{COCO}","page":{page}}}"#);
    let bomb = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for (page, reason) in [(bomb.as_str(), "too_deep"), ("1e400", "number_too_large"), (r#""\ud800""#, "invalid_json")]
    {
        let result = invoke(&mut function, event(&[with(page), with("1")])).await;
        assert_eq!(result.counts(), (1, 0, 1), "{reason}");
        assert_eq!(result.reasons(), [("r0".to_owned(), reason.to_owned())]);
    }
    // A field that is not kept need only be valid JSON.
    for page in [bomb.as_str(), "1e400", r#""\ud83d""#] {
        let result = once(&service, &[], event(&[with(page)])).await;
        assert_eq!(result.counts(), (1, 0, 0), "{page}");
    }
    // The last of repeated members counts.
    let twice = format!(r#"{{"userId":"a","page":1,"userId":"b","page":2,"mysfitId":"{COCO}"}}"#);
    let result = invoke(&mut function, event(&[twice])).await;
    assert!(result.results()[0].1.starts_with(&format!(r#"{{"userId":"b","mysfitId":"{COCO}","page":2,"#)));
}

#[tokio::test]
async fn record_fields_that_the_event_lacks_are_null() {
    let service = ScriptedMysfitsService::healthy().await;
    let event = json!({"records": [{"data": STANDARD.encode(click(COCO))}]}).to_string();
    let result = once(&service, &[("RECORD_FIELDS", "arrivedAt,recordId")], event).await;
    let (outcome, data) = &result.results()[0];
    assert_eq!(outcome, "Ok");
    assert!(data.ends_with("\"species\":\"Dragon\",\"arrivedAt\":null,\"recordId\":null}\n"), "{data}");
}

#[tokio::test]
async fn arrival_times_have_milliseconds_always() {
    let service = ScriptedMysfitsService::healthy().await;
    let data = STANDARD.encode(click(COCO));
    let event = json!({"records": [{"data": data, "approximateArrivalTimestamp": 1_495_072_949_000_i64}]});
    let result = once(&service, &[("RECORD_FIELDS", "arrivedAt")], event.to_string()).await;
    let (_, data) = &result.results()[0];
    assert!(data.ends_with("\"arrivedAt\":\"2017-05-18T02:02:29.000Z\"}\n"), "{data}");
}

#[tokio::test]
async fn partition_keys_come_from_any_output_field() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [
        ("EVENT_FIELDS", "userId,mysfitId,page"),
        ("LOOKUP_ATTRIBUTES", "species,age"),
        ("RECORD_FIELDS", "arrivedAt,recordId"),
        ("PARTITION_KEYS", "page,age,arrivedAt,userId,recordId"),
    ];
    let mut function = processor(&service, &env).await;
    let click = |user: &str, page: &Value| json!({"userId": user, "mysfitId": COCO, "page": page}).to_string();
    let two = |first: String, second: String| first + &second;
    let longest = "k".repeat(256);
    for (data, expected) in [
        (click("u", &json!("home é")), Some("home é")),
        (click("u", &json!("a\"b\\c")), Some("a\"b\\c")),
        (click("u", &json!(7)), Some("7")),
        (click("u", &json!(true)), Some("true")),
        (two(click("u", &json!("a")), click("u", &json!("a"))), Some("a")),
        (two(click("u", &json!("a")), click("u", &json!("b"))), None),
        (click("u", &json!(longest)), Some(longest.as_str())),
        (click("u", &json!("k".repeat(257))), None),
        (click("u", &json!("é".repeat(129))), None),
        (click("u", &json!("")), None),
        (click("", &json!("a")), None),
        (click("u", &json!(null)), None),
        (click("u", &json!(["a"])), None),
        (click("u", &json!({"a": 1})), None),
        (json!({"userId": "u", "mysfitId": COCO}).to_string(), None),
    ] {
        let result = invoke(&mut function, event(&[&data])).await;
        let record = &result.response["records"][0];
        if let Some(page) = expected {
            let arrived = "2017-05-18T02:02:29.453Z";
            let keys = json!({"page": page, "age": "501", "arrivedAt": arrived, "userId": "u", "recordId": "r0"});
            assert_eq!(record["metadata"], json!({"partitionKeys": keys}), "{data}");
        } else {
            assert_eq!(record, &json!({"recordId": "r0", "result": "ProcessingFailed"}), "{data}");
            assert_eq!(result.reasons(), [("r0".to_owned(), "partition_key".to_owned())], "{data}");
            assert_eq!(result.summary()["failed.partition_key"], 1);
        }
    }
}

#[tokio::test]
async fn the_base_url_may_have_a_path_and_slashes() {
    for (variable, suffix, expected) in [
        ("LOOKUP_API_URL", "", "/mysfits"),
        ("LOOKUP_API_URL", "/", "/mysfits"),
        ("LOOKUP_API_URL", "/prod", "/prod/mysfits"),
        ("LOOKUP_API_URL", "/prod/", "/prod/mysfits"),
        ("LOOKUP_API_URL", "/a/b//", "/a/b/mysfits"),
        ("MYSFITS_API_URL", "", "/mysfits"),
        ("MYSFITS_API_URL", "/prod/", "/prod/mysfits"),
    ] {
        let service = ScriptedMysfitsService::start(|_| {
            Response::json(&crate::harness::fixture_json("service/python-list.json"))
        })
        .await;
        let url = format!("{}{suffix}", service.url());
        let mut function = Function::start(settings(&[(variable, &url)])).await.unwrap();
        let result = invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths()), ((1, 0, 0), vec![expected.to_owned()]), "{variable} {suffix}");
    }
}

#[tokio::test]
async fn requests_have_a_user_agent() {
    let service = ScriptedMysfitsService::start(healthy).await;
    let mut function = processor(&service, &[]).await;
    let trace_id = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let request = runtime_api::Request {
        event: clicks_on(&[COCO]).into(),
        trace_id: Some(trace_id.to_owned()),
        ..runtime_api::Request::default()
    };
    invoke(&mut function, request).await;
    let headers = &service.requests()[0].headers;
    assert_eq!(headers["x-amzn-trace-id"], trace_id);
    assert!(!headers.contains_key("x-api-key") && !headers.contains_key("authorization"), "{headers:?}");
    assert!(headers["user-agent"].starts_with("click-processor/"), "{headers:?}");
    assert_eq!(headers["accept"], "application/json");
}

#[tokio::test]
async fn proxies_are_honoured() {
    let proxy =
        ScriptedMysfitsService::start(|_| Response::json(&crate::harness::fixture_json("service/python-list.json")))
            .await;
    let (url, proxy_url) = ("http://mysfits.invalid/prod", proxy.url());
    let env = [("LOOKUP_API_URL", url), ("HTTP_PROXY", proxy_url.as_str())];
    let mut function = Function::start(settings(&env)).await.unwrap();
    let result = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), proxy.paths()), ((1, 0, 0), vec!["http://mysfits.invalid/prod/mysfits".to_owned()]));

    let service = ScriptedMysfitsService::healthy().await;
    let env = [("HTTP_PROXY", "http://127.0.0.1:9"), ("NO_PROXY", "localhost,127.0.0.1")];
    assert_eq!(once(&service, &env, clicks_on(&[COCO])).await.counts(), (1, 0, 0));
}

#[test]
fn a_start_outside_lambda_is_an_error() {
    let run = |env: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_click-processor"));
        command.env_clear().env("LOOKUP_API_URL", "http://127.0.0.1:9").envs(env.iter().copied());
        let output = command.output().unwrap();
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), line["message"].as_str().unwrap().to_owned())
    };
    let (code, message) = run(&[]);
    assert_eq!(code, Some(1));
    assert!(message.starts_with("AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda"), "{message}");
    let (code, message) = run(&[("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")]);
    assert_eq!(code, Some(1));
    assert_eq!(message, "AWS_LAMBDA_FUNCTION_NAME is not set: environment variable not found");
}
