//! The executable under test, its events and its responses.

use runtime_api::{Function, FunctionSettings, Invocation, Outcome, Request};
use serde_json::{Value, json};

use crate::kinesis::Kinesis;

pub(crate) const STORED: &str = "Processed Data sent to Kinesis stream successfully.";
/// The three headers of each response.
pub(crate) const CORS: [(&str, &str); 3] = [
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "OPTIONS,POST,GET"),
];

/// The executable's settings. Its environment has `env` and Lambda's variables.
pub(crate) fn settings(env: &[(&str, &str)]) -> FunctionSettings {
    let settings = FunctionSettings::new(env!("CARGO_BIN_EXE_click-collector"));
    let settings = FunctionSettings { function_name: "collector".to_owned(), ..settings }
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    env.iter().fold(settings, |settings, (name, value)| settings.env(*name, *value))
}

/// The executable with this Kinesis.
pub(crate) async fn collector(kinesis: &Kinesis, env: &[(&str, &str)]) -> Function {
    let url = kinesis.url();
    let mut all = vec![("COLLECTOR_STREAM", "orders"), ("AWS_ENDPOINT_URL_KINESIS", url.as_str())];
    all.extend(env);
    Function::start(settings(&all)).await.unwrap()
}

/// An event of a REST API.
pub(crate) fn rest(method: &str, body: impl Into<Value>) -> Value {
    json!({
        "resource": "/collect",
        "path": "/collect",
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "id.execute-api.eu-west-1.amazonaws.com"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": null,
        "requestContext": {"stage": "prod", "httpMethod": method, "requestId": "r", "identity": {"sourceIp": "192.0.2.1"}},
        "body": body.into(),
        "isBase64Encoded": false,
    })
}

/// An event of an HTTP API.
pub(crate) fn http(method: &str, body: &str, is_base64: bool) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "POST /collect",
        "rawPath": "/collect",
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {"stage": "$default", "requestId": "r", "http": {"method": method, "path": "/collect"}},
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

/// An event of SQS: a message for each body, with the ids `m0`, `m1` and so on.
pub(crate) fn messages<T: AsRef<str>>(bodies: &[T]) -> Value {
    let messages = bodies.iter().enumerate().map(|(index, body)| {
        json!({
            "messageId": format!("m{index}"),
            "receiptHandle": "handle",
            "body": body.as_ref(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:orders",
            "awsRegion": "eu-west-1",
        })
    });
    json!({"Records": messages.collect::<Vec<_>>()})
}

/// A successful invocation.
pub(crate) struct InvokeResult {
    pub(crate) response: Value,
    pub(crate) logs: Vec<Value>,
}

impl InvokeResult {
    /// An HTTP response's status and body. Checks its headers.
    #[track_caller]
    pub(crate) fn http(&self) -> (u64, &str) {
        for (name, value) in CORS {
            assert_eq!(self.response["headers"][name], value, "{}", self.response);
        }
        assert_eq!(self.response["isBase64Encoded"], false);
        (self.response["statusCode"].as_u64().unwrap(), self.response["body"].as_str().unwrap())
    }

    /// The log line of the invocation.
    #[track_caller]
    pub(crate) fn summary(&self) -> &Value {
        self.logs.iter().find(|line| line["message"] == "invocation").unwrap()
    }

    /// The logged numbers of calls, stored records and failed records.
    #[track_caller]
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count = |name: &str| self.summary()[name].as_u64().unwrap();
        (count("kinesis_requests"), count("stored"), count("failed"))
    }
}

/// Invokes the function, which must succeed.
pub(crate) async fn invoke(function: &mut Function, event: &Value) -> InvokeResult {
    expect_response(&function.invoke(event.to_string()).await.unwrap())
}

/// As [`invoke`], with request settings.
pub(crate) async fn request(function: &mut Function, request: Request) -> InvokeResult {
    expect_response(&function.invoke(request).await.unwrap())
}

fn expect_response(invocation: &Invocation) -> InvokeResult {
    let Outcome::Reply(response) = &invocation.outcome else { panic!("no response: {invocation:#?}") };
    InvokeResult { response: serde_json::from_slice(response).unwrap(), logs: log_lines(invocation) }
}

/// The log lines, which must be JSON.
pub(crate) fn log_lines(invocation: &Invocation) -> Vec<Value> {
    let json =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line that is not JSON: {line}"));
    invocation.logs.iter().map(json).collect()
}
