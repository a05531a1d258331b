//! Logs and metrics: what they contain, and what they must not.

use std::fmt::Write as _;

use runtime_api::Outcome;
use serde_json::{Value, json};

use crate::harness::{
    COCO, InvokeResult, PAULY, UNKNOWN_ID, click, clicks_on, event, fixture, invoke, log_lines, once, processor,
    summary,
};
use test_support::mysfits_service::{Response, ScriptedMysfitsService, healthy};

fn metrics(logs: &[Value]) -> Vec<&Value> {
    logs.iter().filter(|line| line.get("_aws").is_some()).collect()
}

#[tokio::test]
async fn an_invocation_is_one_line() {
    let service = ScriptedMysfitsService::healthy().await;
    let event = event(&[click(COCO), click(COCO) + &click(PAULY), "{".to_owned(), click(UNKNOWN_ID)]);
    let bytes = event.len();
    let result = once(&service, &[("ON_UNKNOWN_KEY", "drop")], event).await;
    let summary = result.summary();
    for (field, expected) in [
        ("level", json!("INFO")),
        ("invocation_id", json!("i")),
        ("succeeded", json!(true)),
        ("records", json!(4)),
        ("ok", json!(2)),
        ("dropped", json!(1)),
        ("failed", json!(1)),
        ("failed.invalid_json", json!(1)),
        ("lines", json!(3)),
        ("service_requests", json!(1)),
        ("service_errors", json!(0)),
        ("stale_served", json!(0)),
        ("event_bytes", json!(bytes)),
        ("response_bytes", json!(result.bytes)),
    ] {
        assert_eq!(summary[field], expected, "{field}");
    }
    for field in ["look_up_ms", "duration_ms", "cache_age_ms"] {
        assert!(summary[field].is_f64(), "{field}: {summary}");
    }
    assert!(summary["span"]["requestId"].is_string(), "{summary}");
}

#[tokio::test]
async fn times_are_logged_in_milliseconds() {
    let service = ScriptedMysfitsService::start(|request| healthy(request).after_ms(300)).await;
    let mut function = processor(&service, &[]).await;
    let first = invoke(&mut function, clicks_on(&[COCO])).await;
    for field in ["look_up_ms", "duration_ms"] {
        let logged = first.summary()[field].as_f64().unwrap();
        assert!((300.0..30_000.0).contains(&logged), "{field}: {logged}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let warm = invoke(&mut function, clicks_on(&[COCO])).await;
    // The list's age starts at its request.
    assert!(warm.summary()["cache_age_ms"].as_f64().unwrap() >= 500.0, "{}", warm.summary());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let logged = u128::from(metrics(&warm.logs)[0]["_aws"]["Timestamp"].as_u64().unwrap());
    assert!(now - logged < 60_000, "{logged} is not now, {now}");
}

#[tokio::test]
async fn ids_are_logged_unchanged_up_to_a_length() {
    let service = ScriptedMysfitsService::healthy().await;
    let long = "i".repeat(3_000);
    let records = json!([{"recordId": 7}, {"recordId": long}, {}]);
    let result = once(&service, &[], json!({"invocationId": long, "records": records}).to_string()).await;
    let logged: Vec<&Value> =
        result.logs.iter().filter(|l| l["message"] == "record failed").map(|l| &l["record_id"]).collect();
    assert_eq!(logged, [&json!("7"), &json!(&long[..256]), &Value::Null]);
    assert_eq!(result.summary()["invocation_id"], long[..256]);
}

#[tokio::test]
async fn metrics_are_written_by_function_and_by_reason() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], event(&["{", "{", "", &click(COCO)])).await;
    let metrics = metrics(&result.logs);
    assert_eq!(metrics.len(), 3);
    assert_eq!(metrics[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["FunctionName"]]));
    for (metric, expected) in [("Ok", 1), ("Dropped", 0), ("Failed", 3), ("ServiceRequests", 1)] {
        assert_eq!(metrics[0][metric], expected, "{metric}");
    }
    let by_reason = |line: &Value| (line["FunctionName"].clone(), line["Reason"].clone(), line["Failed"].clone());
    let name = json!("click-processor");
    assert_eq!(by_reason(metrics[1]), (name.clone(), json!("empty"), json!(1)));
    assert_eq!(by_reason(metrics[2]), (name, json!("invalid_json"), json!(2)));
}

#[tokio::test]
async fn a_failed_invocation_is_logged_too() {
    let service = ScriptedMysfitsService::start(|_| Response::status(403)).await;
    let mut function = processor(&service, &[]).await;
    let invocation = function.invoke(clicks_on(&[COCO])).await.unwrap();
    assert!(matches!(invocation.outcome, Outcome::Error { .. }));
    let logs = log_lines(&invocation);
    let summary = summary(&logs);
    assert_eq!((&summary["succeeded"], &summary["records"], &summary["ok"]), (&json!(false), &json!(1), &json!(0)));
    assert_eq!(summary["service_first_error"], "GET /mysfits responded 403 Forbidden");
    let metrics = metrics(&logs);
    assert_eq!((&metrics[0]["ServiceErrors"], &metrics[0]["Ok"]), (&json!(1), &json!(0)));
    assert_eq!(logs.iter().filter(|line| line["level"] == "ERROR").count(), 1, "logged once: {logs:#?}");
}

#[tokio::test]
async fn at_most_twenty_failed_records_are_logged_individually() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], event(&vec!["{"; 100])).await;
    let lines: Vec<&Value> = result.logs.iter().filter(|line| line["message"] == "record failed").collect();
    assert_eq!((lines.len(), &result.summary()["failed.invalid_json"]), (20, &json!(100)));
    let mut fields: Vec<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["level", "message", "reason", "record_id", "span", "timestamp"]);
}

#[tokio::test]
async fn the_log_level_is_that_of_lambda() {
    let service = ScriptedMysfitsService::healthy().await;
    for (level, summaries, failures) in
        [("DEBUG", 1, 1), ("INFO", 1, 1), ("WARN", 0, 1), ("ERROR", 0, 0), ("FATAL", 0, 0), ("info", 1, 1), ("", 1, 1)]
    {
        let result = once(&service, &[("AWS_LAMBDA_LOG_LEVEL", level)], event(&["{"])).await;
        let count = |message: &str| result.logs.iter().filter(|line| line["message"] == message).count();
        assert_eq!((count("invocation"), count("record failed")), (summaries, failures), "{level}");
        assert_eq!(metrics(&result.logs).len(), 2, "metrics are written at {level}");
    }
    let result = once(&service, &[("RUST_LOG", "warn")], event(&["{"])).await;
    assert!(result.logs.iter().all(|line| line["message"] != "invocation"), "RUST_LOG counts outside Lambda");
    let result = once(&service, &[("RUST_LOG", "warn"), ("AWS_LAMBDA_LOG_LEVEL", "INFO")], event(&["{"])).await;
    assert_eq!(result.summary()["level"], "INFO", "and within it, it does not");
    let result = once(&service, &[], clicks_on(&[COCO])).await;
    assert!(result.logs.iter().all(|line| line["level"] != "DEBUG"), "INFO by default");
}

#[tokio::test]
async fn no_payload_and_no_visitors_id_is_logged() {
    let service = ScriptedMysfitsService::healthy().await;
    let secret = "5ecre7-v151t0r";
    let records = [
        format!(r#"{{"userId":"{secret}","mysfitId":"{COCO}"}}"#),
        format!(r#"{{"userId":"{secret}","mysfitId":"{UNKNOWN_ID}"}}"#),
        format!(r#"{{"userId":{{"sub":"{secret}"}},"mysfitId":"{COCO}"}}"#),
        format!(r#"{{"userId":"u","mysfitId":"{secret}/.."}}"#),
        secret.to_owned(),
        format!(r#"["{secret}"]"#),
    ];
    for level in ["TRACE", "DEBUG", "INFO"] {
        let mut function = processor(&service, &[("AWS_LAMBDA_LOG_LEVEL", level)]).await;
        let InvokeResult { logs, .. } = invoke(&mut function, event(&records)).await;
        let mut logged = format!("{logs:?}");
        for broken in [format!(r#"{{"records":"{secret}"}}"#), format!(r#"{{"records":[{{"data":"{secret}""#)] {
            let invocation = function.invoke(broken).await.unwrap();
            write!(logged, "{:?} {:?}", invocation.outcome, invocation.logs).unwrap();
        }
        assert!(!logged.contains(secret), "at {level}: {logged}");
        assert!(!logged.contains("NWVjcmU3LXYxNTF0MH"), "base64 at {level}: {logged}");
    }
    // The same with all data of a fixture.
    let result = once(&service, &[], fixture("poisoned.json")).await;
    assert!(!format!("{:?}", result.logs).contains("7c1c2a4c-0f2d-4f0a-9d0e-6f3f2b1f6a55"));
}
