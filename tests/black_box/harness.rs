//! The executable under test, its events and its responses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runtime_api::{Function, FunctionSettings, Invocation, Outcome, Request};
use serde_json::{Value, json};

use test_support::mysfits_service::ScriptedMysfitsService;

/// Mysfits of the fixture.
pub(crate) const EVANGELINE: &str = "4e53920c-505a-4a90-a694-b9300791f0ae";
pub(crate) const PAULY: &str = "2b473002-36f8-4b87-954e-9a377e0ccbec";
pub(crate) const COCO: &str = "0e37d916-f960-4772-a25a-01b762b5c1bd";
/// A valid id that no mysfit has.
pub(crate) const UNKNOWN_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A file in `fixtures/` as text.
pub(crate) fn fixture(path: &str) -> String {
    let path = format!("{}/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file in `fixtures/` as JSON.
pub(crate) fn fixture_json(path: &str) -> Value {
    serde_json::from_str(&fixture(path)).unwrap()
}

/// The executable's settings. Its environment has `env` and Lambda's variables.
pub(crate) fn settings(env: &[(&str, &str)]) -> FunctionSettings {
    let settings = FunctionSettings::new(env!("CARGO_BIN_EXE_click-processor"));
    env.iter().fold(settings, |settings, (name, value)| settings.env(*name, *value))
}

/// The executable with this service.
pub(crate) async fn processor(service: &ScriptedMysfitsService, env: &[(&str, &str)]) -> Function {
    let url = service.url();
    let mut all = vec![("LOOKUP_API_URL", url.as_str())];
    all.extend(env);
    Function::start(settings(&all)).await.unwrap()
}

/// A click's JSON.
pub(crate) fn click(mysfit_id: &str) -> String {
    json!({"userId": "u", "mysfitId": mysfit_id}).to_string()
}

/// An event with one record for each of `data`, ids `r0`, `r1` and so on.
pub(crate) fn event<T: AsRef<[u8]>>(data: &[T]) -> String {
    let records: Vec<Value> = data
        .iter()
        .enumerate()
        .map(|(index, data)| {
            json!({
                "recordId": format!("r{index}"),
                "approximateArrivalTimestamp": 1_495_072_949_453_i64,
                "data": STANDARD.encode(data),
            })
        })
        .collect();
    json!({"invocationId": "i", "deliveryStreamArn": "arn", "region": "us-east-1", "records": records}).to_string()
}

/// An event with one click on each of `mysfits`.
pub(crate) fn clicks_on(mysfits: &[&str]) -> String {
    event(&mysfits.iter().map(|id| click(id)).collect::<Vec<_>>())
}

/// A successful invocation.
pub(crate) struct InvokeResult {
    pub(crate) response: Value,
    pub(crate) bytes: usize,
    pub(crate) logs: Vec<Value>,
}

impl InvokeResult {
    /// Each record's result, and its data as text, empty if it has none.
    pub(crate) fn results(&self) -> Vec<(String, String)> {
        let records = self.response["records"].as_array().unwrap();
        records.iter().map(|record| (record["result"].as_str().unwrap().to_owned(), data(record))).collect()
    }

    /// How many records have each of `Ok`, `Dropped` and `ProcessingFailed`.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let results = self.results();
        let count = |wanted: &str| results.iter().filter(|(result, _)| result == wanted).count();
        (count("Ok"), count("Dropped"), count("ProcessingFailed"))
    }

    /// The log line of the invocation.
    pub(crate) fn summary(&self) -> &Value {
        summary(&self.logs)
    }

    /// The logged reasons of failed records.
    pub(crate) fn reasons(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let failures = self.logs.iter().filter(|line| line["message"] == "record failed");
        failures.map(|line| (text(&line["record_id"]), text(&line["reason"]))).collect()
    }
}

/// The log line of an invocation.
#[track_caller]
pub(crate) fn summary(logs: &[Value]) -> &Value {
    let mut summaries = logs.iter().filter(|line| line["message"] == "invocation");
    let summary = summaries.next().unwrap_or_else(|| panic!("no summary in {logs:#?}"));
    assert_eq!(summaries.next(), None, "more than one summary");
    summary
}

/// A record's data as text, for any source.
pub(crate) fn data(record: &Value) -> String {
    let data = record["data"].as_str().or(record["kafkaRecordValue"].as_str()).unwrap_or_default();
    String::from_utf8(STANDARD.decode(data).unwrap()).unwrap()
}

/// The log lines, which must be JSON.
pub(crate) fn log_lines(invocation: &Invocation) -> Vec<Value> {
    let json =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("a log line that is not JSON: {line}"));
    invocation.logs.iter().map(json).collect()
}

/// The result of an invocation that must succeed.
#[track_caller]
pub(crate) fn expect_response(invocation: &Invocation) -> InvokeResult {
    let Outcome::Reply(response) = &invocation.outcome else { panic!("no response: {invocation:#?}") };
    InvokeResult {
        response: serde_json::from_slice(response).unwrap(),
        bytes: response.len(),
        logs: log_lines(invocation),
    }
}

/// The result of an invocation that must succeed.
pub(crate) async fn invoke(function: &mut Function, request: impl Into<Request>) -> InvokeResult {
    expect_response(&function.invoke(request).await.unwrap())
}

/// Invokes the function, which must fail; returns the error's type and message.
pub(crate) async fn invoke_failing(function: &mut Function, request: impl Into<Request>) -> (String, String) {
    let invocation = function.invoke(request).await.unwrap();
    match invocation.outcome {
        Outcome::Error { error_type, message } => (error_type, message),
        outcome => panic!("not failed: {outcome:?}, {:#?}", invocation.logs),
    }
}

/// Starts the executable and invokes it once.
pub(crate) async fn once(service: &ScriptedMysfitsService, env: &[(&str, &str)], event: String) -> InvokeResult {
    let mut function = processor(service, env).await;
    invoke(&mut function, event).await
}
