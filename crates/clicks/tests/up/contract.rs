//! The contract's table of faults, row by row; the environment and the events of a function; its concurrency.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use self::End::{Delivered, Dropped, Failed};
use test_support::up::Up;

const FUNCTION_ERROR: End =
    Failed("Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result.");
const TIMED_OUT: End = Failed(
    "Lambda.FunctionTimedOut",
    "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
);
const MISSING: End = Failed(
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all received record Ids.",
);
const DUPLICATED: End = Failed(
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. \
     Ensure that the Lambda function returns a unique record Id for each record.",
);
const NO_DATA: End = Failed(
    "Lambda.InvalidReturnFormat",
    "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and processing result is Ok. \
     The value field cannot be null when the SourceType is MSKAsSource and processing result is Ok.",
);
const PROCESSING_FAILED: End = Failed("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record");

/// The outcome of a record.
#[derive(Debug, Clone, Copy)]
enum End {
    Delivered,
    Dropped,
    /// With this `errorCode` and `errorMessage`.
    Failed(&'static str, &'static str),
}

/// A click with an action between two without: the attempts of their event, and the outcome of the one and of the others.
type Row = (&'static str, usize, End, End);

/// Puts each row's clicks as one event, all concurrently, and checks the outcome of each. `reaches` is the number of attempts that
/// reach the function.
#[track_caller]
fn faults(up: &mut Up, rows: &[Row], reaches: impl Fn(usize) -> usize) {
    let clicks = |row: &Row| {
        [0, 1, 2].map(|n| json!({ "do": if n == 1 { row.0 } else { "" }, "row": row.0, "n": n }).to_string())
    };
    let start_ms = now_ms();
    let ids: Vec<String> = rows.iter().map(|row| up.put(&clicks(row)).join(",")).collect();
    up.until_processed(3 * rows.len() as u64);
    let view = up.snapshot();
    let end = up.stop();
    let (delivered, errors, events, end_ms) = (up.delivered(), up.errors(), events(up), now_ms());

    let (mut all_delivered, mut all_dropped, mut all_failed, mut by_code) = (0, 0, 0, BTreeMap::new());
    for (row, ids) in rows.iter().zip(ids) {
        let (does, attempts, this, others) = *row;
        let of_row = |click: &str| serde_json::from_str::<Value>(click).unwrap()["row"] == does;
        let (mut expected_lines, mut expected_errors) = (Vec::new(), Vec::new());
        for (click, end) in clicks(row).into_iter().zip([others, this, others]) {
            match end {
                Delivered => expected_lines.push(click),
                Dropped => all_dropped += 1,
                Failed(code, message) => {
                    *by_code.entry(code).or_insert(0) += 1;
                    expected_errors.push(json!({
                        "rawData": base64(&click),
                        "errorCode": code,
                        "errorMessage": message,
                        "attemptsMade": attempts,
                        "lambdaARN": "arn:aws:lambda:us-east-1:000000000000:function:click-processor:$LATEST",
                    }));
                }
            }
        }
        all_delivered += expected_lines.len();
        all_failed += expected_errors.len();

        // Each once, in order.
        let lines: Vec<String> = delivered.iter().filter(|line| of_row(line)).cloned().collect();
        assert_eq!(lines, expected_lines, "{does}");
        let errors = errors.iter().filter(|error| of_row(&original(error))).cloned().map(|mut error| {
            let mut time = |name| error.as_object_mut().unwrap().remove(name).unwrap().as_i64().unwrap();
            let (arrival, end) = (time("arrivalTimestamp"), time("attemptEndingTimestamp"));
            assert!(start_ms <= arrival && arrival <= end && end <= end_ms, "{does}: {arrival} {end}");
            error
        });
        assert_eq!(errors.collect::<Vec<_>>(), expected_errors, "{does}");

        // Each attempt is a new invocation with the same records in the same order.
        let invocations: Vec<&str> =
            events.iter().filter(|event| event.1 == ids).map(|event| event.0.as_str()).collect();
        assert_eq!(invocations.len(), reaches(attempts), "{does}");
        assert_eq!(invocations.iter().collect::<BTreeSet<_>>().len(), invocations.len(), "{does}");
    }

    // Nothing else is stored.
    assert_eq!((delivered.len(), errors.len()), (all_delivered, all_failed));
    assert_eq!(events.len(), rows.iter().map(|row| reaches(row.1)).sum::<usize>());
    let accepted = 3 * rows.len();
    for (count, expected) in
        [("accepted", accepted), ("delivered", all_delivered), ("dropped", all_dropped), ("failed", all_failed)]
    {
        assert_eq!(view[count], expected, "{count}");
    }
    assert_eq!(view["failed_by_code"], json!(by_code));
    let totals = format!(
        " left\nmysfits-clicks: {accepted} accepted, {all_delivered} delivered, {all_dropped} dropped, {all_failed} failed\n"
    );
    assert!(end.code == Some(0) && end.stdout.ends_with(&totals), "{}", end.stdout);
}

pub(crate) fn base64(original: &str) -> String {
    STANDARD.encode(original)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// The source record of a failed one.
fn original(error: &Value) -> String {
    String::from_utf8(STANDARD.decode(error["rawData"].as_str().unwrap()).unwrap()).unwrap()
}

/// The function's events: the id of the invocation, and those of the records.
fn events(up: &Up) -> Vec<(String, String)> {
    let log = up.log();
    let events = log.lines().filter_map(|line| line.strip_prefix("event ")?.split_once(' '));
    events.map(|(invocation, records)| (invocation.to_owned(), records.to_owned())).collect()
}

/// What the function logged of its environment and events.
fn logged(up: &Up) -> Vec<Value> {
    let log = up.log();
    log.lines().filter_map(|line| line.strip_prefix("saw ")).map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_fault_has_its_outcome() {
    let mut up = Up::start(&["--buffer-records", "3"]);
    let rows = [
        // The invocation fails: it is retried, and then the batch is in the error output.
        ("crash", 4, FUNCTION_ERROR, FUNCTION_ERROR),
        ("error", 4, FUNCTION_ERROR, FUNCTION_ERROR),
        ("flood", 4, FUNCTION_ERROR, FUNCTION_ERROR),
        // The response is invalid: the batch fails without a retry.
        ("no-result", 1, FUNCTION_ERROR, FUNCTION_ERROR),
        ("no-base64", 1, FUNCTION_ERROR, FUNCTION_ERROR),
        ("garble", 1, MISSING, MISSING),
        // Only the record fails.
        ("no-data", 1, NO_DATA, Delivered),
        ("lose", 1, MISSING, Delivered),
        ("double", 1, DUPLICATED, Delivered),
        ("fail", 1, PROCESSING_FAILED, Delivered),
        ("drop", 1, Dropped, Delivered),
        // No fault.
        ("unknown", 1, Delivered, Delivered),
        ("shuffle", 1, Delivered, Delivered),
        ("nothing", 1, Delivered, Delivered),
    ];
    faults(&mut up, &rows, |attempts| attempts);
}

#[test]
fn a_function_that_times_out_is_retried() {
    let mut up = Up::start(&["--timeout-seconds", "1"]);
    faults(&mut up, &[("hang", 4, TIMED_OUT, TIMED_OUT)], |attempts| attempts);
}

#[test]
fn without_retries_the_first_attempt_is_the_last() {
    let mut up = Up::start(&["--retries", "0", "--buffer-records", "3"]);
    let rows = [
        ("crash", 1, FUNCTION_ERROR, FUNCTION_ERROR),
        ("error", 1, FUNCTION_ERROR, FUNCTION_ERROR),
        ("flood", 1, FUNCTION_ERROR, FUNCTION_ERROR),
        ("lose", 1, MISSING, Delivered),
    ];
    faults(&mut up, &rows, |attempts| attempts);
}

#[test]
fn a_function_that_does_not_start_is_retried() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("function");
    fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in [["--env", "REFUSE_TO_START=1"], ["--function", script.to_str().unwrap()]] {
        let mut up = Up::start(&arguments);
        faults(&mut up, &[("nothing", 4, FUNCTION_ERROR, FUNCTION_ERROR)], |_| 0);

        let up = Up::start(&arguments);
        up.put(&["{}"]);
        up.until_processed(1);
        let view = up.snapshot();
        let invocations = view["invocations"].as_array().unwrap();
        let seen: Vec<(u64, &str)> = invocations
            .iter()
            .map(|invocation| (invocation["attempt"].as_u64().unwrap(), invocation["outcome"].as_str().unwrap()))
            .collect();
        assert_eq!(seen, [4, 3, 2, 1].map(|attempt| (attempt, "not_started")));
        assert_eq!(view["retries"], 3);
    }
}

#[test]
fn the_first_successful_attempt_is_the_last() {
    let up = Up::start(&["--env", "FAIL_ONCE=1"]);
    let ids = up.put(&[r#"{"n":0}"#, r#"{"n":1}"#]).join(",");
    up.until_processed(2);
    let events = events(&up);
    assert_eq!(events.len(), 2);
    assert!(events[0].0 != events[1].0 && events.iter().all(|event| event.1 == ids), "{events:?}");
    assert_eq!(up.delivered(), [r#"{"n":0}"#, r#"{"n":1}"#]);
    assert_eq!((up.snapshot()["retries"].as_u64(), up.errors().len()), (Some(1), 0));
}

#[test]
fn a_function_has_the_environment_of_lambda() {
    let options = ["--memory-mb", "256", "--timeout-seconds", "77", "--log-format", "text", "--log-level", "debug"];
    for (arguments, memory, timeout_ms, log) in
        [(&[][..], "128", 30_000, (Some("JSON"), None)), (&options, "256", 77_000, (Some("Text"), Some("DEBUG")))]
    {
        let up = Up::start(arguments);
        let start_ms = now_ms();
        up.put(&[r#"{"do":"log"}"#]);
        up.until_processed(1);
        let seen = logged(&up).remove(0);
        let deadline_ms: i64 = seen["deadline_ms"].as_str().unwrap().parse().unwrap();
        assert!((start_ms..=now_ms()).contains(&(deadline_ms - timeout_ms)), "{deadline_ms}");
        assert_eq!(seen["function_arn"], "arn:aws:lambda:us-east-1:000000000000:function:click-processor");
        let env = |name: &str| seen["env"][name].as_str();
        assert_eq!(env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), Some(memory));
        assert_eq!((env("AWS_LAMBDA_LOG_FORMAT"), env("AWS_LAMBDA_LOG_LEVEL")), log);
        assert_eq!((env("AWS_REGION"), env("TZ")), (Some("us-east-1"), Some(":UTC")));
        // No variable of this machine.
        assert_eq!((env("PATH"), env("HOME")), (Some("/usr/local/bin:/usr/bin/:/bin:/opt/bin"), None));
    }
}

#[test]
fn an_event_of_direct_put_is_the_same_at_each_attempt() {
    let up = Up::start(&[]);
    let start_ms = now_ms();
    let records = [&br#"{"do":"log"}"#[..], br#"{"do":"error"}"#, b"\xff no JSON", b""];
    let ids = up.put(&records);
    up.until_processed(4);

    let events: Vec<Value> = logged(&up).into_iter().map(|mut seen| seen["event"].take()).collect();
    let times: Vec<i64> = events[0]["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["approximateArrivalTimestamp"].as_i64().unwrap())
        .collect();
    assert!(times.iter().all(|time| (start_ms..=now_ms()).contains(time)), "{times:?}");
    let mut invocations = BTreeSet::new();
    let expected: Vec<Value> = ids
        .iter()
        .zip(records)
        .zip(&times)
        .map(|((id, data), time)| {
            json!({ "recordId": id, "approximateArrivalTimestamp": time, "data": STANDARD.encode(data) })
        })
        .collect();
    for event in &events {
        let invocation: Uuid = event["invocationId"].as_str().unwrap().parse().unwrap();
        let expected = json!({
            "invocationId": invocation.to_string(),
            "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/mysfits-clicks",
            "region": "us-east-1",
            "records": expected,
        });
        assert_eq!(*event, expected);
        invocations.insert(invocation);
    }
    assert_eq!((events.len(), invocations.len()), (4, 4));
    // The error objects have the same time, and bytes that are not text unchanged.
    let errors: Vec<Value> = up.errors();
    let found = errors
        .iter()
        .map(|error| (error["arrivalTimestamp"].as_i64().unwrap(), error["rawData"].as_str().unwrap().to_owned()));
    let expected: Vec<_> = times.into_iter().zip(records.map(|data| STANDARD.encode(data))).collect();
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn concurrent_events_have_a_process_each_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    let env = format!("RELEASE={}", release.display());
    let up = Up::start_in(folder.path(), &["--concurrency", "3", "--buffer-records", "1", "--env", &env]);
    let clicks: Vec<String> = (0..9).map(|n| json!({ "do": "wait", "n": n }).to_string()).collect();
    up.put(&clicks);
    let in_function = json!({ "records": 3, "invocations": 3, "functions": 3 });
    up.until(|view| view["in_function"] == in_function);
    // The others stay in the buffer.
    assert_eq!(up.snapshot()["buffered"]["records"], 6);
    fs::write(release, "").unwrap();
    up.until_processed(9);

    let log = up.log();
    let processes: Vec<&str> = log.lines().filter_map(|line| line.strip_prefix("waited ")).collect();
    assert_eq!((processes.len(), processes.iter().collect::<BTreeSet<_>>().len()), (9, 3), "{processes:?}");
    let view = up.snapshot();
    let cold = view["invocations"].as_array().unwrap().iter().filter(|invocation| invocation["cold"] == true);
    assert_eq!((cold.count(), &view["in_function"]), (3, &json!({ "records": 0, "invocations": 0, "functions": 3 })));
    let mut delivered = up.delivered();
    delivered.sort();
    assert_eq!(delivered, clicks);
}

#[test]
fn sequential_events_share_one_process_with_one_cold_start() {
    let up = Up::start(&[]);
    for through in 1..=3 {
        up.put(&["{}"]);
        up.until_processed(through);
    }
    let view = up.snapshot();
    let invocations = view["invocations"].as_array().unwrap();
    let cold: Vec<bool> = invocations.iter().map(|invocation| invocation["cold"].as_bool().unwrap()).collect();
    // The newest first.
    assert_eq!((cold, &view["in_function"]["functions"]), (vec![false, false, true], &json!(1)));
}

/// A function in Python.
const PYTHON: &str = r#"
import base64, json, os, urllib.request

API = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"

def transform(record):
    click = json.loads(base64.b64decode(record["data"]))
    line = json.dumps({**click, "language": "Python"}) + "\n"
    return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(line.encode()).decode()}

while True:
    with urllib.request.urlopen(API + "next") as response:
        request, event = response.headers["Lambda-Runtime-Aws-Request-Id"], json.load(response)
    reply = {"records": [transform(record) for record in event["records"]]}
    urllib.request.urlopen(API + request + "/response", json.dumps(reply).encode()).close()
"#;

#[test]
fn a_function_may_be_in_another_language() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("function.py"), PYTHON).unwrap();
    // Lambda's PATH may not have this machine's `python3`.
    let path = format!("PATH={}", env::var("PATH").unwrap());
    let up = Up::start_in(folder.path(), &["--function", "python3 function.py", "--env", &path]);
    up.put(&[r#"{"n":1}"#, r#"{"n":2}"#]);
    up.until_processed(2);
    let lines = [1, 2].map(|n| format!(r#"{{"n": {n}, "language": "Python"}}"#));
    assert_eq!(up.delivered(), lines, "{}", up.stderr());
}
