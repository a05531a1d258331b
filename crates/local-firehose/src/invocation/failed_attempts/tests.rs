use runtime_api::Outcome;

use super::*;

const QUICK: Duration = Duration::from_millis(1);

fn failed(message: &str, duration: Duration) -> Invocation {
    let outcome = Outcome::Error { error_type: "E".to_owned(), message: message.to_owned() };
    Invocation { request_id: String::new(), outcome, duration, cold: false, received: true, logs: Vec::new() }
}

fn silent(log: &str) -> Invocation {
    let outcome = Outcome::TimedOut;
    let logs = vec![log.to_owned()];
    Invocation { request_id: String::new(), outcome, duration: QUICK, cold: true, received: false, logs }
}

/// The lines of consecutive attempts, of which the next one succeeds.
fn lines(retries: u32, attempts: impl IntoIterator<Item = Invocation>) -> Vec<String> {
    let mut failed = FailedAttempts::new("the function f", retries);
    let attempts = (1..).zip(attempts);
    let mut lines: Vec<String> = attempts.flat_map(|(number, attempt)| failed.add(number, &Ok(attempt))).collect();
    lines.extend(failed.end());
    assert_eq!(failed.end(), None);
    lines
}

#[test]
fn attempts_with_one_error_are_one_line() {
    let (down, up) = (|| failed("down", QUICK), || failed("up", QUICK));
    for (retries, attempts, expected) in [
        (0, vec![down()], &["attempt 1 of 1 failed: the function f failed: E: down"][..]),
        (3, vec![down(), down(), down(), down()], &["attempts 1 to 4 of 4 failed: the function f failed: E: down"]),
        (3, vec![down(), down()], &["attempts 1 to 2 of 4 failed: the function f failed: E: down"]),
        (
            3,
            vec![down(), up(), up(), down()],
            &[
                "attempt 1 of 4 failed: the function f failed: E: down",
                "attempts 2 to 3 of 4 failed: the function f failed: E: up",
                "attempt 4 of 4 failed: the function f failed: E: down",
            ],
        ),
        (3, vec![], &[]),
    ] {
        assert_eq!(lines(retries, attempts), expected);
    }
}

#[test]
fn a_slow_attempt_is_reported_before_the_next_one() {
    let mut attempts = FailedAttempts::new("the function", 9);
    let half = LONGEST / 2;
    for (attempt, duration, expected) in [
        (1, LONGEST, Some("attempt 1 of 10 failed: the function failed: E: slow")),
        (2, half, None),
        (3, half, Some("attempts 2 to 3 of 10 failed: the function failed: E: slow")),
        (4, half, None),
    ] {
        assert_eq!(attempts.add(attempt, &Ok(failed("slow", duration))), Vec::from_iter(expected), "{attempt}");
    }
}

#[test]
fn the_last_log_is_shown_of_a_function_that_received_no_event() {
    let expected =
        "attempts 1 to 2 of 2 failed: the function f timed out before it requested an event, and wrote:\n12:01";
    assert_eq!(lines(1, [silent("12:00"), silent("12:01")]), [expected]);
}

#[test]
fn a_refused_connection_has_a_hint() {
    for (message, has_hint) in [
        ("tcp connect error: Connection refused (os error 111)", true),
        ("connect ECONNREFUSED 127.0.0.1:8002", true),
        ("dial tcp 127.0.0.1:8002: connect: connection refused", true),
        ("answered 503", false),
    ] {
        let line = lines(3, [failed(message, QUICK)]).remove(0);
        assert_eq!(line.ends_with("; is the service running?"), has_hint, "{line}");
    }
}

#[test]
fn an_event_that_does_not_reach_the_function_is_a_failed_attempt() {
    let lines = FailedAttempts::new("the function f", 0).add(1, &Err(InvokeError::EventTooLarge(7)));
    let expected = "attempt 1 of 1 failed: the function f was not reached: the event has 7 bytes; ";
    assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:?}");
}
