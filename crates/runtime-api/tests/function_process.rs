//! A real process on the real wire, misbehaving in every way that Lambda has an answer to.

#![expect(clippy::expect_used, reason = "the helpers are part of the tests")]

use std::time::Duration;

use runtime_api::{Function, Invocation, InvokeError, MAX_EVENT_BYTES, MAX_REPLY_BYTES, Outcome, Request, Settings};

fn settings() -> Settings {
    Settings::new(env!("CARGO_BIN_EXE_misbehaving-function"))
}

async fn started() -> Function {
    Function::start(settings()).await.expect("the function starts")
}

async fn told(function: &mut Function, event: &'static str) -> Invocation {
    function.invoke(event).await.expect("the event reaches the function")
}

#[track_caller]
fn reply(invocation: &Invocation) -> &str {
    match &invocation.outcome {
        Outcome::Reply(bytes) => str::from_utf8(bytes).expect("text"),
        other => panic!("no reply: {other:?}"),
    }
}

#[track_caller]
fn exit_code(outcome: &Outcome) -> Option<i32> {
    match outcome {
        Outcome::Exited(status) => status.code(),
        other => panic!("no exit: {other:?}"),
    }
}

#[tokio::test]
async fn replies_to_one_event_after_the_other() {
    let mut function = started().await;
    let first = told(&mut function, "one").await;
    let second = told(&mut function, "two").await;
    assert_eq!((reply(&first), first.cold()), ("one", true));
    assert_eq!((reply(&second), second.cold()), ("two", false));
    assert_ne!(first.request_id, second.request_id);
}

#[tokio::test]
async fn an_error_is_told_with_its_type() {
    let mut function = started().await;
    let failed = told(&mut function, "error it broke").await;
    let expected = Outcome::Error { error_type: "Function.Told".to_owned(), message: "it broke".to_owned() };
    assert_eq!(failed.outcome, expected);
    assert_eq!(reply(&told(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn an_exit_in_init_comes_back_with_its_logs_and_every_time() {
    let mut function = Function::start(Settings { args: vec!["exit-in-init".to_owned()], ..settings() }).await.unwrap();
    for _ in 0..2 {
        let invocation = told(&mut function, "never seen").await;
        assert_eq!(exit_code(&invocation.outcome), Some(3));
        assert_eq!(invocation.logs, ["starting", "bad configuration"]);
        assert!(invocation.cold() && !invocation.received);
    }
}

#[tokio::test]
async fn an_init_error_is_told() {
    let mut function = Function::start(Settings { args: vec!["init-error".to_owned()], ..settings() }).await.unwrap();
    let expected = Outcome::Error { error_type: "Extension.Bad".to_owned(), message: "no good".to_owned() };
    assert_eq!(told(&mut function, "never seen").await.outcome, expected);
    assert_eq!(function.stop().await.status.and_then(|status| status.code()), Some(4));
}

#[tokio::test]
async fn a_crash_is_told_with_its_logs_and_the_process_replaced() {
    let mut function = started().await;
    let crashed = told(&mut function, "exit").await;
    assert_eq!(exit_code(&crashed.outcome), Some(7));
    assert_eq!(crashed.logs, ["starting", "last words"]);
    let next = told(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold()), ("back", true));
}

#[tokio::test]
async fn an_exit_after_the_reply_spoils_nothing() {
    let mut function = started().await;
    assert_eq!(reply(&told(&mut function, "exit-after-reply").await), "done");
    let next = told(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold()), ("back", true));
}

#[tokio::test]
async fn a_process_out_of_time_is_killed_and_replaced() {
    let mut function = started().await;
    let request = Request { timeout: Some(Duration::from_millis(50)), ..Request::from("hang") };
    assert_eq!(function.invoke(request).await.unwrap().outcome, Outcome::TimedOut);
    let next = told(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold()), ("back", true));
}

#[tokio::test]
async fn a_reply_has_a_largest_size() {
    let mut function = started().await;
    for (bytes, taken, status) in [(MAX_REPLY_BYTES, true, "202"), (MAX_REPLY_BYTES + 1, false, "413")] {
        let invocation = function.invoke(format!("bytes {bytes}")).await.unwrap();
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
async fn an_event_has_a_largest_size() {
    let mut function = started().await;
    let refused = function.invoke(vec![b' '; MAX_EVENT_BYTES + 1]).await.unwrap_err();
    assert!(matches!(refused, InvokeError::EventTooLarge { bytes } if bytes == MAX_EVENT_BYTES + 1));
    assert_eq!(function.invoke(vec![b' '; MAX_EVENT_BYTES]).await.unwrap().outcome, {
        Outcome::Reply(vec![b' '; MAX_EVENT_BYTES].into())
    });
}

#[tokio::test]
async fn more_logs_than_a_pipe_holds_belong_to_their_event() {
    let mut function = started().await;
    assert_eq!(told(&mut function, "quiet").await.logs, ["starting"]);
    for count in [0, 3, 20_000] {
        let invocation = function.invoke(format!("log {count}")).await.unwrap();
        assert_eq!(invocation.logs.len(), count + 1);
        assert_eq!(invocation.logs.last().unwrap(), "after the reply");
    }
    assert!(told(&mut function, "quiet").await.logs.is_empty());
}

#[tokio::test]
async fn both_streams_keep_their_common_order() {
    let mut function = started().await;
    let lines = told(&mut function, "streams").await.logs;
    assert_eq!(lines, ["starting", "out 0", "err 0", "out 1", "err 1", "out 2", "err 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_belong_to_their_event_on_many_threads_too() {
    let mut function = started().await;
    told(&mut function, "quiet").await;
    for _ in 0..200 {
        assert_eq!(told(&mut function, "log 1").await.logs.len(), 2);
    }
}

#[tokio::test]
async fn only_the_event_in_hand_can_be_answered_and_only_once() {
    let mut function = started().await;
    let invocation = told(&mut function, "strange-id").await;
    assert_eq!(reply(&invocation), "400");
    assert_eq!(invocation.logs.last().unwrap(), "again 400");
}

#[tokio::test]
async fn the_headers_can_be_chosen() {
    let mut function = started().await;
    let request = Request { deadline_ms: Some(600_000), ..Request::from("deadline") };
    assert_eq!(reply(&function.invoke(request).await.unwrap()), "600000");
    let request = Request { trace_id: Some("Root=1-2-3".to_owned()), ..Request::from("trace") };
    assert_eq!(reply(&function.invoke(request).await.unwrap()), "Root=1-2-3");
    assert!(reply(&told(&mut function, "deadline").await).parse::<u64>().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn the_environment_is_lambdas_and_the_functions_own() {
    let settings = settings().env("MYSFITS_API_URL", "http://localhost").env("AWS_LAMBDA_LOG_LEVEL", "DEBUG");
    let mut function = Function::start(settings).await.unwrap();
    for (event, value) in [
        ("env AWS_LAMBDA_FUNCTION_NAME", "click-processor"),
        ("env AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("env AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
        ("env MYSFITS_API_URL", "http://localhost"),
        ("env HOME", "unset"),
        ("env CARGO_MANIFEST_DIR", "unset"),
    ] {
        assert_eq!(reply(&told(&mut function, event).await), value, "{event}");
    }
}

#[tokio::test]
async fn stopping_tells_the_rest() {
    let mut function = started().await;
    told(&mut function, "one").await;
    let exit = function.stop().await;
    assert!(exit.logs.is_empty());
    assert!(exit.status.is_some_and(|status| !status.success()));
}

#[tokio::test]
async fn a_missing_executable_is_named() {
    let error = Function::start(Settings::new("no/such/function")).await.unwrap_err();
    assert_eq!(error.to_string(), "could not run no/such/function");
}
