//! The executable under test, its events and its answers.

use runtime_api::{Function, Invocation, Outcome, Request, Settings};
use serde_json::{Value, json};

use crate::kinesis::Kinesis;

pub(crate) const STORED: &str = "Processed Data sent to Kinesis stream successfully.";
/// The three headers of each answer.
pub(crate) const CORS: [(&str, &str); 3] = [
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "OPTIONS,POST,GET"),
];

/// The executable's settings, with nothing in its environment but `env` and what Lambda sets.
pub(crate) fn settings(env: &[(&str, &str)]) -> Settings {
    let settings = Settings::new(env!("CARGO_BIN_EXE_click-collector"));
    let settings = Settings { function_name: "collector".to_owned(), ..settings }
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test");
    env.iter().fold(settings, |settings, (name, value)| settings.env(*name, *value))
}

/// The executable, which writes to `kinesis`.
pub(crate) async fn collector(kinesis: &Kinesis, env: &[(&str, &str)]) -> Function {
    let url = kinesis.url();
    let mut all = vec![("COLLECTOR_STREAM", "orders"), ("AWS_ENDPOINT_URL_KINESIS", url.as_str())];
    all.extend(env);
    Function::start(settings(&all)).await.unwrap()
}

/// What a REST API sends.
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

/// What an HTTP API sends.
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

/// What SQS sends: a message for each body, with the ids `m0`, `m1` and so on.
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

/// An invocation that was answered.
pub(crate) struct Answered {
    pub(crate) reply: Value,
    pub(crate) logs: Vec<Value>,
}

impl Answered {
    /// An HTTP answer's status and body, whose headers have to be right.
    #[track_caller]
    pub(crate) fn http(&self) -> (u64, &str) {
        for (name, value) in CORS {
            assert_eq!(self.reply["headers"][name], value, "{}", self.reply);
        }
        assert_eq!(self.reply["isBase64Encoded"], false);
        (self.reply["statusCode"].as_u64().unwrap(), self.reply["body"].as_str().unwrap())
    }

    /// The line that sums the invocation up.
    #[track_caller]
    pub(crate) fn summary(&self) -> &Value {
        self.logs.iter().find(|line| line["message"] == "invocation").unwrap()
    }

    /// How many calls of Kinesis it tells of, and how many records that were put, and that were not.
    #[track_caller]
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let count = |name: &str| self.summary()[name].as_u64().unwrap();
        (count("attempts"), count("put"), count("failed"))
    }
}

/// Hands an event over, which has to be answered.
pub(crate) async fn invoke(function: &mut Function, event: &Value) -> Answered {
    answered(&function.invoke(event.to_string()).await.unwrap())
}

/// As [`invoke`], with what a test has to say about the request.
pub(crate) async fn request(function: &mut Function, request: Request) -> Answered {
    answered(&function.invoke(request).await.unwrap())
}

fn answered(invocation: &Invocation) -> Answered {
    let Outcome::Reply(reply) = &invocation.outcome else { panic!("not answered: {invocation:#?}") };
    Answered { reply: serde_json::from_slice(reply).unwrap(), logs: log_lines(invocation) }
}

/// The log lines, each of which has to be JSON.
pub(crate) fn log_lines(invocation: &Invocation) -> Vec<Value> {
    let json =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line that is not JSON: {line}"));
    invocation.logs.iter().map(json).collect()
}
