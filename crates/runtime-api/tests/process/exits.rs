//! Exits of processes, and of their child processes.

use std::time::Duration;

use runtime_api::{Function, FunctionSettings, Outcome, Request};
use rustix::process::getpgrp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::function::{AT_MOST, error, exit_code, invoke, misbehaving, reply, settings, start, started, stop};

#[tokio::test]
async fn an_exit_in_init_is_reported_with_its_logs_every_time() {
    let mut function = start(misbehaving("exit")).await;
    // The function does not know that.
    over(function.process_id().unwrap()).await;
    for _ in 0..2 {
        let invocation = invoke(&mut function, "never seen").await;
        assert_eq!(exit_code(&invocation), Some(3));
        assert_eq!(invocation.logs, ["starting", "bad configuration"]);
        assert!(invocation.cold && !invocation.received);
    }
}

#[tokio::test]
async fn an_init_error_is_reported() {
    let mut function = start(misbehaving("init-error")).await;
    let invocation = invoke(&mut function, "never seen").await;
    assert_eq!(invocation.outcome, error("Extension.Bad", "no good"));
    assert!(!invocation.received);
}

#[tokio::test]
async fn a_start_without_a_call_times_out() {
    let settings = FunctionSettings { init_timeout: Duration::from_millis(50), ..misbehaving("silent") };
    let mut function = start(settings).await;
    let invocation = invoke(&mut function, "never seen").await;
    assert_eq!((invocation.outcome, invocation.received), (Outcome::TimedOut, false));
}

#[tokio::test]
async fn a_process_that_never_asks_again_is_replaced() {
    let settings = FunctionSettings {
        init_timeout: Duration::from_secs(10),
        settle_timeout: Duration::from_millis(50),
        ..settings()
    };
    let mut function = start(settings).await;
    let completed = invoke(&mut function, "hang-after-reply").await;
    assert_eq!(reply(&completed), "done");
    let stuck = invoke(&mut function, "never seen").await;
    assert_eq!((stuck.outcome, stuck.received, stuck.cold), (Outcome::TimedOut, false, false));
    let next = invoke(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold), ("back", true));
}

#[tokio::test]
async fn a_crash_is_reported_with_its_logs_and_the_process_replaced() {
    let mut function = started().await;
    let crashed = invoke(&mut function, "exit").await;
    assert_eq!(exit_code(&crashed), Some(7));
    assert_eq!(crashed.logs, ["starting", "last words"]);
    let next = invoke(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold), ("back", true));
}

#[tokio::test]
async fn an_exit_right_after_the_response_keeps_the_response() {
    // A caller that polls rarely gets the response and the exit at the same time.
    tokio::spawn(async {
        loop {
            std::thread::sleep(Duration::from_millis(5));
            tokio::task::yield_now().await;
        }
    });
    let mut function = started().await;
    for _ in 0..50 {
        let invocation = invoke(&mut function, "exit-after-reply").await;
        assert_eq!((reply(&invocation), invocation.cold), ("done", true));
    }
}

#[tokio::test]
async fn a_process_that_exits_while_responding_is_reported_as_exited() {
    let mut function = started().await;
    assert_eq!(exit_code(&invoke(&mut function, "half-reply").await), Some(5));
}

#[tokio::test]
async fn a_process_that_times_out_is_killed_and_replaced() {
    let mut function = started().await;
    let request = Request { timeout: Some(Duration::from_millis(50)), ..Request::from("hang") };
    assert_eq!(invoke(&mut function, request).await.outcome, Outcome::TimedOut);
    let next = invoke(&mut function, "back").await;
    assert_eq!((reply(&next), next.cold), ("back", true));
}

/// Waits until a process is a zombie (proc_pid_stat(5)).
async fn over(process: u32) {
    let stat = || std::fs::read_to_string(format!("/proc/{process}/stat"));
    let ends = async {
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(AT_MOST, ends).await.expect("the process ends");
}

#[tokio::test]
async fn lines_of_a_process_that_exited_between_two_events_are_kept() {
    for stopped in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut function = started().await;
        invoke(&mut function, format!("exit-when-idle {}", listener.local_addr().unwrap())).await;
        let id = function.process_id().unwrap();
        let mut process = listener.accept().await.unwrap().0;
        process.write_all(b"!").await.unwrap();
        gone(process).await;
        over(id).await;

        if stopped {
            assert_eq!(stop(function).await, ["last words"]);
            continue;
        }
        let next = invoke(&mut function, "back").await;
        assert_eq!((reply(&next), next.cold), ("back", true));
        assert_eq!(next.logs, ["last words", "starting"]);
    }
}

#[tokio::test]
async fn a_process_leads_a_group_of_its_own() {
    let mut function = started().await;
    let group = invoke(&mut function, "group").await;
    assert_ne!(reply(&group), getpgrp().to_string());
}

/// A function that has started another process, and a connection that is open while that process runs.
async fn with_another_process() -> (Function, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut function = started().await;
    invoke(&mut function, format!("start-another {}", listener.local_addr().unwrap())).await;
    let (connection, _) = timeout(AT_MOST, listener.accept()).await.unwrap().unwrap();
    (function, connection)
}

/// Waits until the process with the other end of the connection exits.
async fn gone(mut connection: TcpStream) {
    // A reset also shows the exit.
    let _ended = timeout(AT_MOST, connection.read(&mut [0])).await.expect("the process lives on");
}

#[tokio::test]
async fn a_stop_kills_the_process_group() {
    let (function, other) = with_another_process().await;
    stop(function).await;
    gone(other).await;
}

#[tokio::test]
async fn a_drop_kills_the_process_group() {
    let (function, other) = with_another_process().await;
    drop(function);
    gone(other).await;
}

#[tokio::test]
async fn a_time_out_kills_the_process_group() {
    let (mut function, other) = with_another_process().await;
    let request = Request { timeout: Some(Duration::from_millis(50)), ..Request::from("hang") };
    assert_eq!(invoke(&mut function, request).await.outcome, Outcome::TimedOut);
    gone(other).await;
}

#[tokio::test]
async fn a_crash_kills_the_process_group() {
    let (mut function, other) = with_another_process().await;
    assert_eq!(exit_code(&invoke(&mut function, "exit").await), Some(7));
    gone(other).await;
}

#[tokio::test]
async fn stopping_returns_the_remaining_lines() {
    let mut function = started().await;
    invoke(&mut function, "one").await;
    assert!(stop(function).await.is_empty());
}
