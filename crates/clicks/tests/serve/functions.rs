//! Functions of a file, and what the terminal reports of those that fail.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::files::objects;
use test_support::{stand_in, until};

use crate::harness::Serve;

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:";

/// Starts it with a file, and with buckets as folders in `buckets`.
fn start(folder: &Path, config: &str, more: &[&str]) -> Serve {
    fs::write(folder.join("serve.toml"), config).unwrap();
    Serve::start(folder, &[&["--config", "serve.toml", "--destination", "buckets"][..], more].concat())
}

/// A stream that invokes a function at once, and delivers at once.
fn create(serve: &Serve, stream: &str, function: &str, retries: u32) {
    let parameters = [
        ("LambdaArn", format!("{ARN}{function}")),
        ("NumberOfRetries", retries.to_string()),
        ("BufferSizeInMBs", "1".to_owned()),
        ("BufferIntervalInSeconds", "0".to_owned()),
    ];
    let parameters = parameters.map(|(name, value)| json!({ "ParameterName": name, "ParameterValue": value }));
    let processor = json!({ "Type": "Lambda", "Parameters": parameters });
    let destination = json!({
        "RoleARN": "arn:aws:iam::123456789012:role/firehose", "BucketARN": "arn:aws:s3:::bucket",
        "BufferingHints": { "SizeInMBs": 1, "IntervalInSeconds": 0 },
        "ProcessingConfiguration": { "Enabled": true, "Processors": [processor] },
    });
    let input = json!({ "DeliveryStreamName": stream, "ExtendedS3DestinationConfiguration": destination });
    serve.call("Firehose_20150804.CreateDeliveryStream", &input).is(200);
}

fn put(serve: &Serve, stream: &str, data: &str) {
    let record = json!({ "DeliveryStreamName": stream, "Record": { "Data": STANDARD.encode(data) } });
    serve.call("Firehose_20150804.PutRecord", &record).is(200);
}

/// What a stop has left on standard error.
#[track_caller]
fn stderr(mut serve: Serve) -> String {
    serve.signal("-TERM");
    let end = serve.end();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    end.stderr
}

/// A function in Python, which returns what it sees.
const PYTHON: &str = r#"
import base64, json, os, time, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
KEYS = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_REGION", "GREETING", "HOME"]

while True:
    with urllib.request.urlopen(API + "next") as response:
        headers, event = response.headers, json.load(response)
    seen = {
        "env": {key: os.environ.get(key) for key in KEYS},
        "arn": headers["Lambda-Runtime-Invoked-Function-Arn"],
        "seconds": int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time(),
        "directory": [os.getcwd(), os.environ["LAMBDA_TASK_ROOT"]],
    }
    data = base64.b64encode((json.dumps(seen) + "\n").encode()).decode()
    records = [{"recordId": record["recordId"], "result": "Ok", "data": data} for record in event["records"]]
    request = headers["Lambda-Runtime-Aws-Request-Id"]
    urllib.request.urlopen(API + request + "/response", json.dumps({"records": records}).encode()).close()
"#;

#[test]
fn a_function_has_the_settings_of_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("functions");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("function.py"), PYTHON).unwrap();
    // Lambda's PATH may not have this machine's `python3`.
    let path = env::var("PATH").unwrap();
    let config = format!(
        "[functions.transform]\ncommand = 'python3 function.py'\ndirectory = 'functions'\n\
         env = {{ GREETING = 'hello', PATH = {path:?} }}\nmemory-mb = 256\ntimeout-seconds = 120\n"
    );
    let serve = start(folder.path(), &config, &["--function-map", &format!("other={}", stand_in())]);
    create(&serve, "table", "transform", 3);
    put(&serve, "table", "{}");
    let bucket = folder.path().join("buckets/bucket");
    until(|| !objects(&bucket).is_empty());
    let seen: Value = serde_json::from_str(&objects(&bucket)).unwrap();
    let directory = directory.canonicalize().unwrap();
    let expected = json!({
        "AWS_LAMBDA_FUNCTION_NAME": "transform", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "AWS_REGION": "eu-west-1",
        "GREETING": "hello", "HOME": null,
    });
    assert_eq!((&seen["env"], &seen["arn"]), (&expected, &json!(format!("{ARN}transform"))));
    let directories = seen["directory"].as_array().unwrap().iter().map(|path| Path::new(path.as_str().unwrap()));
    for path in directories {
        assert_eq!(path.canonicalize().unwrap(), directory, "{seen}");
    }
    assert!((0.0..=120.0).contains(&seen["seconds"].as_f64().unwrap()), "{seen}");

    // The file and the option are mixed.
    create(&serve, "option", "other", 3);
    put(&serve, "option", "of the option");
    until(|| objects(&bucket).contains("of the option\n"));
}

#[test]
fn a_failure_is_reported_with_the_stream_and_the_function() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[functions.worker]\ncommand = '{}'\ntimeout-seconds = 1\n", stand_in());
    let serve = start(folder.path(), &config, &[]);
    let failed = "attempt 1 of 1 failed: the function worker";
    let missing = format!("1 attempt failed: no function is mapped to {ARN}missing (`[functions]` of `--config`; ");
    let rows = [
        ("crash", "worker", format!("{failed} exited (exit status: 7)\n")),
        ("error", "worker", format!("{failed} failed: ServiceUnavailable: the service\\n")),
        ("hang", "worker", format!("{failed} timed out\n")),
        ("garble", "worker", "invalid response of the function worker: ".to_owned()),
        ("unmapped", "missing", missing),
    ];
    for (stream, function, _) in &rows {
        create(&serve, stream, function, 0);
        put(&serve, stream, &json!({ "do": stream }).to_string());
    }
    let stderr = stderr(serve);
    for (stream, _, line) in &rows {
        assert_eq!(stderr.matches(&format!("{stream}: {line}")).count(), 1, "{stream}: {stderr}");
    }
    // It speaks the Runtime API, or does not exist.
    assert!(!stderr.contains("runtime interface client") && !stderr.contains("Lambda Runtime API"), "{stderr}");
}

#[test]
fn a_command_that_requests_no_event_gets_one_hint() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["handler.py", "handler.mjs", "handler"] {
        let path = folder.path().join(file);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let config = "[functions.python]\ncommand = './handler.py'\n[functions.node]\ncommand = './handler.mjs'\n\
                  [functions.other]\ncommand = './handler'\n";
    let serve = start(folder.path(), config, &[]);
    let rows = [("first", "python"), ("second", "python"), ("third", "node"), ("fourth", "other")];
    for (stream, function) in rows {
        create(&serve, stream, function, 2);
        put(&serve, stream, "{}");
    }
    let stderr = stderr(serve);
    for (stream, function) in rows {
        let line = format!(
            "{stream}: attempts 1 to 3 of 3 failed: the function {function} exited (exit status: 0) before it requested an event, \
             and wrote nothing\n"
        );
        assert_eq!(stderr.matches(&line).count(), 1, "{line}{stderr}");
    }
    for hint in [
        "the function python: a Python handler needs the runtime interface client: `python3 -m awslambdaric MODULE.HANDLER` ",
        "the function node: a Node handler needs the runtime interface client: `npx aws-lambda-ric FILE.HANDLER` ",
        "the function other: its command must request events from the Lambda Runtime API at AWS_LAMBDA_RUNTIME_API, ",
    ] {
        assert_eq!(stderr.matches(hint).count(), 1, "{hint}\n{stderr}");
    }
}
