//! Calls of the Runtime API that are not what they should be.

use crate::function::{error, reply, started, told};

#[tokio::test]
async fn only_the_event_in_hand_can_be_answered_and_only_once() {
    let mut function = started().await;
    let invocation = told(&mut function, "strange-id").await;
    assert_eq!(reply(&invocation), "400");
    assert_eq!(invocation.logs.last().unwrap(), "again 400");
}

#[tokio::test]
async fn an_event_has_to_be_answered_before_the_next() {
    let mut function = started().await;
    assert_eq!(reply(&told(&mut function, "next").await), "the Runtime API answered 403");
    assert_eq!(reply(&told(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn an_init_error_after_the_start_is_refused_and_no_outcome() {
    let mut function = started().await;
    assert_eq!(reply(&told(&mut function, "init-error").await), "403");
    assert_eq!(reply(&told(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn the_header_has_the_error_type_that_the_body_lacks() {
    let mut function = started().await;
    assert_eq!(told(&mut function, "error-header").await.outcome, error("Function.Header", "{}"));
}
