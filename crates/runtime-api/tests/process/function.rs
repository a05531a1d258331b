//! The function under test.

use std::path::PathBuf;

use runtime_api::{Function, FunctionSettings, Invocation, Outcome, Request};
use tokio::time::timeout;

pub(crate) use test_support::PATIENCE as AT_MOST;

/// The folder with the built `examples/misbehaving`, beside that of this test.
pub(crate) fn examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

pub(crate) fn settings() -> FunctionSettings {
    let command = examples().join("misbehaving");
    assert!(command.is_file(), "{} is built by `cargo test` without `--test`", command.display());
    FunctionSettings::new(command)
}

/// The function, which misbehaves at its start.
pub(crate) fn misbehaving(how: &str) -> FunctionSettings {
    settings().env("MISBEHAVE", how)
}

pub(crate) async fn start(settings: FunctionSettings) -> Function {
    Function::start(settings).await.expect("the function starts")
}

pub(crate) async fn started() -> Function {
    start(settings()).await
}

pub(crate) async fn invoke(function: &mut Function, event: impl Into<Request>) -> Invocation {
    let invocation = timeout(AT_MOST, function.invoke(event)).await.expect("the invocation ends");
    invocation.expect("the event reaches the function")
}

pub(crate) async fn stop(function: Function) -> Vec<String> {
    timeout(AT_MOST, function.stop()).await.expect("the stop ends")
}

#[track_caller]
pub(crate) fn reply(invocation: &Invocation) -> &str {
    match &invocation.outcome {
        Outcome::Reply(bytes) => str::from_utf8(bytes).expect("text"),
        other => panic!("no response: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn exit_code(invocation: &Invocation) -> Option<i32> {
    match &invocation.outcome {
        Outcome::Exited(status) => status.code(),
        other => panic!("no exit: {other:?}"),
    }
}

pub(crate) fn error(error_type: &str, message: &str) -> Outcome {
    Outcome::Error { error_type: error_type.to_owned(), message: message.to_owned() }
}
