//! Invalid calls of the Runtime API.

use crate::function::{error, invoke, reply, started};

#[tokio::test]
async fn only_the_current_event_gets_a_response_and_only_once() {
    let mut function = started().await;
    let invocation = invoke(&mut function, "strange-id").await;
    assert_eq!(reply(&invocation), "400");
    assert_eq!(invocation.logs.last().unwrap(), "again 400");
}

#[tokio::test]
async fn an_event_needs_a_response_before_the_next() {
    let mut function = started().await;
    assert_eq!(reply(&invoke(&mut function, "next").await), "the Runtime API responded 403");
    assert_eq!(reply(&invoke(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn an_init_error_after_the_start_is_refused_and_has_no_effect() {
    let mut function = started().await;
    assert_eq!(reply(&invoke(&mut function, "init-error").await), "403");
    assert_eq!(reply(&invoke(&mut function, "still here").await), "still here");
}

#[tokio::test]
async fn the_error_type_may_be_in_the_header() {
    let mut function = started().await;
    assert_eq!(invoke(&mut function, "error-header").await.outcome, error("Function.Header", "{}"));
}
