//! An invalid configuration fails the start.

use runtime_api::{Function, Outcome};
use serde_json::Value;
use tokio::process::Command;

use crate::harness::{collector, invoke, log_lines, rest, settings};
use crate::kinesis::Kinesis;

#[tokio::test]
async fn an_invalid_configuration_is_logged_and_exits_with_2() {
    let stream = ("COLLECTOR_STREAM", "orders");
    for (env, expected) in [
        (
            vec![stream, ("COLLECTOR_HASH_FIELDS", "phone"), ("COLLECTOR_HASH_KEY", "hunter2")],
            "COLLECTOR_HASH_KEY: found a value of fewer than 32 bytes (not shown); accepted: ",
        ),
        // The SDK reads it, and not the configuration.
        (vec![stream, ("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "")], "AWS_REGION: found no value; accepted: "),
    ] {
        let mut function = Function::start(settings(&env)).await.unwrap();
        let invocation = function.invoke("{}").await.unwrap();
        let Outcome::Exited(status) = invocation.outcome else { panic!("{env:?}: {invocation:?}") };
        let logs = log_lines(&invocation);
        let message = logs[0]["message"].as_str().unwrap();
        assert_eq!((status.code(), &logs[0]["level"]), (Some(2), &Value::from("ERROR")));
        assert!(message.starts_with(expected), "{message}");
        assert!(!format!("{logs:?}").contains("hunter2"), "{logs:?}");
    }
}

#[tokio::test]
async fn outside_lambda_it_names_the_local_command() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_click-collector"));
    let output = command.env_clear().env("COLLECTOR_STREAM", "orders").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = line["message"].as_str().unwrap();
    assert!(
        message.starts_with("AWS_LAMBDA_RUNTIME_API is not set") && message.contains("cargo clicks up"),
        "{message}"
    );
}

#[tokio::test]
async fn the_configured_fields_are_stored_in_their_order() {
    let kinesis = Kinesis::start([]).await;
    let env = [
        ("COLLECTOR_STREAM", "returns"),
        ("COLLECTOR_FIELDS", "reason, order"),
        ("COLLECTOR_PARTITION_KEY_FIELD", "shop"),
    ];
    let mut function = collector(&kinesis, &env).await;
    let result = invoke(&mut function, &rest("POST", r#"{"order":1,"shop":"b","reason":"chipped","id":9}"#)).await;
    assert_eq!(kinesis.stored(), [("b".to_owned(), "{\"reason\":\"chipped\",\"order\":1}\n".to_owned())]);
    assert_eq!(kinesis.streams(), ["returns"]);

    // Nothing would use metrics of its own, which cost 0.30 dollars a month each.
    assert!(result.logs.iter().all(|line| line.get("_aws").is_none()), "{:?}", result.logs);
    let summary = result.summary();
    assert_eq!((&summary["status"], &summary["stored_bytes"]), (&200.into(), &32.into()));
    assert!(summary["duration_ms"].is_f64() && summary["span"]["requestId"].is_string(), "{summary}");
}
