//! Log lines, and their invocations.

use crate::function::{invoke, started};

#[tokio::test]
async fn more_logs_than_a_pipe_holds_belong_to_their_event() {
    let mut function = started().await;
    assert_eq!(invoke(&mut function, "quiet").await.logs, ["starting"]);
    for count in [0, 3, 20_000] {
        let invocation = invoke(&mut function, format!("log {count}")).await;
        assert_eq!(invocation.logs.len(), count + 1);
        assert_eq!(invocation.logs.last().unwrap(), "after the reply");
    }
    assert!(invoke(&mut function, "quiet").await.logs.is_empty());
}

#[tokio::test]
async fn both_streams_keep_their_common_order() {
    let mut function = started().await;
    let lines = invoke(&mut function, "streams").await.logs;
    assert_eq!(lines, ["starting", "out 0", "err 0", "out 1", "err 1", "out 2", "err 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_belong_to_their_event_on_many_threads_too() {
    let mut function = started().await;
    invoke(&mut function, "quiet").await;
    for _ in 0..200 {
        assert_eq!(invoke(&mut function, "log 1").await.logs.len(), 2);
    }
}
