//! Events, their headers and sizes, and the environment of the process.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime_api::{
    ACCOUNT, Function, FunctionSettings, InvokeError, MAX_EVENT_BYTES, MAX_REPLY_BYTES, Outcome, REGION, Request,
};

use crate::function::{error, examples, invoke, reply, settings, start, started};

#[tokio::test]
async fn responds_to_one_event_after_the_other() {
    let mut function = started().await;
    let first = invoke(&mut function, "one").await;
    let second = invoke(&mut function, "two").await;
    assert_eq!((reply(&first), first.cold), ("one", true));
    assert_eq!((reply(&second), second.cold), ("two", false));
    assert_ne!(first.request_id, second.request_id);
}

#[tokio::test]
async fn an_error_is_reported_with_its_type() {
    let mut function = started().await;
    assert_eq!(invoke(&mut function, "error it broke").await.outcome, error("Function.Told", "it broke"));
    assert_eq!(reply(&invoke(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn a_response_has_a_size_limit() {
    let mut function = started().await;
    for (bytes, taken, status) in [(MAX_REPLY_BYTES, true, "202"), (MAX_REPLY_BYTES + 1, false, "413")] {
        let invocation = invoke(&mut function, format!("bytes {bytes}")).await;
        match &invocation.outcome {
            Outcome::Reply(reply) => assert!(taken && reply.len() == bytes),
            Outcome::Error { error_type, .. } => {
                assert!(!taken && error_type == "Function.ResponseSizeTooLarge");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(invocation.logs.last().unwrap(), &format!("status {status}"));
    }
}

#[tokio::test]
async fn a_response_beyond_the_body_limit_is_too_large_too() {
    let mut function = started().await;
    let invocation = invoke(&mut function, format!("bytes {}", 65 * 1024 * 1024)).await;
    assert!(
        matches!(&invocation.outcome, Outcome::Error { error_type, .. } if error_type == "Function.ResponseSizeTooLarge"),
        "{:?}",
        invocation.outcome
    );
}

#[tokio::test]
async fn an_event_has_a_size_limit() {
    let mut function = started().await;
    let refused = function.invoke(vec![b' '; MAX_EVENT_BYTES + 1]).await.unwrap_err();
    assert!(matches!(refused, InvokeError::EventTooLarge(bytes) if bytes == MAX_EVENT_BYTES + 1));
    assert_eq!(invoke(&mut function, vec![b' '; MAX_EVENT_BYTES]).await.outcome, {
        Outcome::Reply(vec![b' '; MAX_EVENT_BYTES].into())
    });
}

#[tokio::test]
async fn the_headers_can_be_set() {
    let mut function = started().await;
    let request = Request { deadline_ms: Some(600_000), ..Request::from("deadline") };
    assert_eq!(reply(&invoke(&mut function, request).await), "600000");
    let request = Request { trace_id: Some("Root=1-2-3".to_owned()), ..Request::from("trace") };
    assert_eq!(reply(&invoke(&mut function, request).await), "Root=1-2-3");
}

#[tokio::test]
async fn the_deadline_is_one_timeout_away() {
    let mut function = start(FunctionSettings { timeout: Duration::from_secs(20), ..settings() }).await;
    for (timeout, seconds) in [(None, 20), (Some(Duration::from_secs(5)), 5)] {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let invocation = invoke(&mut function, Request { timeout, ..Request::from("deadline") }).await;
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let deadline: u128 = reply(&invocation).parse().unwrap();
        assert!((before..=after).contains(&(deadline - seconds * 1000)), "{before} {deadline} {after}");
    }
}

#[tokio::test]
async fn the_environment_has_the_function_name() {
    let mut function = start(FunctionSettings { function_name: "clicks-here".to_owned(), ..settings() }).await;
    let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:clicks-here");
    assert_eq!(reply(&invoke(&mut function, "arn").await), arn);
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_functions_own() {
    let settings = settings().env("LOOKUP_API_URL", "http://localhost").env("AWS_LAMBDA_LOG_LEVEL", "DEBUG");
    let mut function = start(settings).await;
    for (event, value) in [
        ("env AWS_LAMBDA_FUNCTION_NAME", "misbehaving"),
        ("env AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("env AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
        ("env AWS_REGION", REGION),
        ("env LAMBDA_TASK_ROOT", std::env::current_dir().unwrap().to_str().unwrap()),
        ("env LOOKUP_API_URL", "http://localhost"),
        ("env TZ", ":UTC"),
        ("env HOME", "unset"),
        ("env CARGO_MANIFEST_DIR", "unset"),
    ] {
        assert_eq!(reply(&invoke(&mut function, event).await), value, "{event}");
    }
}

#[tokio::test]
async fn the_command_is_followed_by_its_arguments() {
    for (args, expected) in
        [(vec![], "[]"), (vec!["--say".into(), "two words".into(), "".into()], r#"["--say", "two words", ""]"#)]
    {
        let mut function = start(FunctionSettings { args, ..settings() }).await;
        assert_eq!(reply(&invoke(&mut function, "args").await), expected);
    }
}

#[tokio::test]
async fn the_directory_is_that_of_the_process_and_its_task_root() {
    let given = examples().canonicalize().unwrap();
    let here = std::env::current_dir().unwrap();
    for (directory, expected) in [(Some(given.clone()), given.clone()), (Some(relative(&given)), given), (None, here)] {
        let mut function = start(FunctionSettings { directory: directory.clone(), ..settings() }).await;
        let found = reply(&invoke(&mut function, "directory").await).to_owned();
        assert_eq!(PathBuf::from(found), expected, "{directory:?}");
        let root = reply(&invoke(&mut function, "env LAMBDA_TASK_ROOT").await).to_owned();
        let root = PathBuf::from(root);
        assert_eq!(root.canonicalize().unwrap(), expected.canonicalize().unwrap(), "{directory:?}");
        assert!(root.is_absolute(), "{root:?}");
    }
}

/// `path` relative to the current folder.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap();
    let up = here.components().filter(|component| matches!(component, Component::Normal(_)));
    up.map(|_| Path::new("..")).collect::<PathBuf>().join(path.strip_prefix("/").unwrap())
}

#[tokio::test]
async fn a_relative_path_is_one_of_the_current_folder() {
    let command = relative(&settings().command);
    let mut function = start(FunctionSettings::new(command)).await;
    assert_eq!(reply(&invoke(&mut function, "args").await), "[]");
}

#[tokio::test]
async fn a_missing_executable_is_named_and_not_looked_for_elsewhere() {
    let here = std::env::current_dir().unwrap();
    for missing in ["no/such/function", "true"] {
        let error = Function::start(FunctionSettings::new(missing)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("could not run {}", here.join(missing).display()));
    }
}
