//! Calls of the Runtime API that are not what they should be.

use crate::function::{error, reply, started, told};

#[tokio::test]
async fn only_the_current_event_gets_a_response_and_only_once() {
    let mut function = started().await;
    let invocation = told(&mut function, "strange-id").await;
    assert_eq!(reply(&invocation), "400");
    assert_eq!(invocation.logs.last().unwrap(), "again 400");
}

#[tokio::test]
async fn an_event_needs_a_response_before_the_next() {
    let mut function = started().await;
    assert_eq!(reply(&told(&mut function, "next").await), "the Runtime API answered 403");
    assert_eq!(reply(&told(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn an_init_error_after_the_start_is_refused_and_has_no_effect() {
    let mut function = started().await;
    assert_eq!(reply(&told(&mut function, "init-error").await), "403");
    assert_eq!(reply(&told(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn the_error_type_may_be_in_the_header() {
    let mut function = started().await;
    assert_eq!(told(&mut function, "error-header").await.outcome, error("Function.Header", "{}"));
}
