//! The Lambda: the executable over the Lambda Runtime API, with events of API Gateway.

use mysfits_service::TableName;
use mysfits_service::local::engine::Engine;
use mysfits_service::local::seed;
use runtime_api::{Function, FunctionSettings, Outcome};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::http::{fixture, ids};

async fn start(engine: &Engine) -> Function {
    seed::create_table(&engine.client(), &TableName::default()).await.unwrap();
    let settings = FunctionSettings::new(env!("CARGO_BIN_EXE_mysfits-service"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_DYNAMODB", engine.url());
    Function::start(settings).await.unwrap()
}

async fn invoke(function: &mut Function, event: Value) -> Value {
    let invocation = function.invoke(event.to_string()).await.unwrap();
    match invocation.outcome {
        Outcome::Reply(reply) => serde_json::from_slice(&reply).unwrap(),
        other => panic!("no reply: {other:?}"),
    }
}

/// An event of a REST API with the stage `prod`.
fn rest(path: &str, query: &Value) -> Value {
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {"Host": "id.execute-api.eu-west-1.amazonaws.com", "X-Forwarded-Proto": "https"},
        "multiValueHeaders": {"Host": ["id.execute-api.eu-west-1.amazonaws.com"], "X-Forwarded-Proto": ["https"]},
        "queryStringParameters": query,
        "requestContext": {"stage": "prod", "path": format!("/prod{path}"), "httpMethod": "GET", "identity": {}},
        "body": null,
        "isBase64Encoded": false,
    })
}

/// An event of an HTTP API.
fn http(stage: &str, path: &str, query: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "id.execute-api.eu-west-1.amazonaws.com"},
        "requestContext": {"stage": stage, "http": {"method": "GET", "path": path}},
        "isBase64Encoded": false,
    })
}

/// A header of the response; a REST API has lists of values.
fn header<'a>(reply: &'a Value, name: &str) -> &'a Value {
    reply["headers"].get(name).unwrap_or(&reply["multiValueHeaders"][name][0])
}

fn body(reply: &Value) -> Value {
    serde_json::from_str(reply["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn responds_to_a_rest_api_and_an_http_api() {
    let engine = Engine::start().await.unwrap();
    let mut function = start(&engine).await;
    let evil = ids(fixture().iter().filter(|mysfit| mysfit["goodevil"] == "Evil"));
    let events = [
        rest("/mysfits", &json!({"filter": "GoodEvil", "value": "Evil"})),
        http("prod", "/prod/mysfits", "filter=GoodEvil&value=Evil"),
        http("$default", "/mysfits", "filter=GoodEvil&value=Evil"),
    ];
    for event in events {
        let reply = invoke(&mut function, event).await;
        assert_eq!((&reply["statusCode"], &reply["isBase64Encoded"]), (&json!(200), &json!(false)), "{reply}");
        assert_eq!(header(&reply, "content-type"), "application/json", "{reply}");
        assert_eq!(header(&reply, "access-control-allow-origin"), "*", "{reply}");
        assert_eq!(ids(body(&reply)["mysfits"].as_array().unwrap()), evil);
    }
}

#[tokio::test]
async fn errors_are_the_same_as_locally() {
    let engine = Engine::start().await.unwrap();
    let mut function = start(&engine).await;
    let cases = [
        (rest("/mysfits/unknown", &json!(null)), 404, "no mysfit has this id"),
        (http("prod", "/prod/mysfits/unknown", ""), 404, "no mysfit has this id"),
        (
            http("$default", "/mysfits", "filter=GoodEvil"),
            400,
            "query parameter 'value': found none beside 'filter=GoodEvil'; accepted: 1 to 64 bytes",
        ),
    ];
    for (event, status, message) in cases {
        let reply = invoke(&mut function, event).await;
        assert_eq!((&reply["statusCode"], body(&reply)), (&json!(status), json!({ "message": message })));
    }
}

#[tokio::test]
async fn outside_lambda_it_names_the_local_command() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mysfits-service"));
    let output = command.env_clear().output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&output.stderr).unwrap();
    let cause = line["cause"].as_str().unwrap();
    assert!(cause.starts_with("AWS_LAMBDA_RUNTIME_API is not set") && cause.contains("cargo mysfits"), "{cause}");
}

#[tokio::test]
async fn an_invalid_table_name_fails_the_start() {
    let settings = FunctionSettings::new(env!("CARGO_BIN_EXE_mysfits-service")).env("MYSFITS_TABLE", "my table");
    let mut function = Function::start(settings).await.unwrap();
    let invocation = function.invoke("{}").await.unwrap();
    match invocation.outcome {
        Outcome::Exited(status) => assert_eq!(status.code(), Some(2)),
        other => panic!("no exit: {other:?}"),
    }
}
