//! One event through a function to its end: a reply, or the last failed attempt.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runtime_api::{Function, Invocation, InvokeError, Outcome, Request};
use tokio::time::sleep;
use uuid::Uuid;

use firehose_model::delivery::{self, Attempt, Fate, Fault};
use firehose_model::event::{Event, Record};
use firehose_model::excerpt::excerpt;

/// How many lines of a function that did not start are shown.
const LAST_LINES: usize = 20;

/// How much of a message of the function's is shown.
const MESSAGE_CHARS: usize = 500;

/// The first pause where this machine can't start or reach the function.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest: as for a storage that refuses, because a user waits for it here.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What came of an event.
#[derive(Debug)]
pub struct Settled {
    /// Each record's fate, in the records' order.
    pub fates: Vec<Fate>,
    /// How often the function was invoked.
    pub attempts: u32,
}

/// How many invocations wait for this machine to run a function again, so that each shortage is reported once.
#[derive(Debug, Default)]
pub struct Shortage(AtomicUsize);

impl Shortage {
    /// Whether an invocation waits.
    pub fn lasts(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    fn begin(&self, cause: &InvokeError) -> Waiting<'_> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            let cause = with_cause(cause);
            tracing::warn!("this machine can't run the function: {cause}; it is tried again until it works");
        }
        Waiting(self)
    }
}

/// An invocation that waits.
struct Waiting<'a>(&'a Shortage);

impl Waiting<'_> {
    /// Whether no other waits any more.
    fn end(self) -> bool {
        let Self(shortage) = &self;
        let was = shortage.0.fetch_sub(1, Ordering::SeqCst);
        std::mem::forget(self);
        was == 1
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One attempt, as it ended.
pub struct Seen<'a> {
    /// Which it was, from 1.
    pub attempt: u32,
    /// How it went, or why the event never reached the function.
    pub invocation: Result<Invocation, InvokeError>,
    /// What it comes to.
    pub judged: &'a Attempt,
}

/// Invokes the function up to `1 + retries` times, each with another `invocationId` and the same records (captured). The next
/// attempt follows at once: an assumption, as no pause is documented. `see` is told of each attempt, and ends it all with an
/// error.
pub async fn put_through<E: From<serde_json::Error>>(
    function: &mut Function,
    event: &Event,
    retries: u32,
    mut see: impl FnMut(Seen<'_>) -> Result<(), E>,
    shortage: &Shortage,
) -> Result<Settled, E> {
    let records = event.records();
    let mut attempt = 1;
    loop {
        let payload = event.payload(Uuid::new_v4())?;
        let invocation = invoke(function, payload, shortage).await;
        let judged = match &invocation {
            Ok(invocation) => evaluate(records, &invocation.outcome),
            Err(_) => Attempt::Failed(Fault::FunctionError),
        };
        see(Seen { attempt, invocation, judged: &judged })?;
        match judged {
            Attempt::Settled(fates) => return Ok(Settled { fates, attempts: attempt }),
            Attempt::Failed(_) if attempt <= retries => attempt += 1,
            Attempt::Failed(fault) | Attempt::Spoiled(fault, _) => {
                return Ok(Settled { fates: vec![Fate::Failed(fault); records.len()], attempts: attempt });
            }
        }
    }
}

/// Invokes the function as soon as this machine can start and reach it. Until then it is no attempt: Firehose does not run on
/// this machine, and Lambda does not run out of its descriptors. It is reported when the first of the invocations that share
/// `shortage` begins to wait, and when the last one has waited.
pub async fn invoke(
    function: &mut Function,
    request: impl Into<Request>,
    shortage: &Shortage,
) -> Result<Invocation, InvokeError> {
    let request = request.into();
    let mut pause = FIRST_PAUSE;
    let mut waiting: Option<Waiting<'_>> = None;
    loop {
        match function.invoke(request.clone()).await {
            Err(error) if error.is_host_exhausted() => {
                waiting.get_or_insert_with(|| shortage.begin(&error));
                sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
            invoked => {
                if waiting.is_some_and(Waiting::end) {
                    tracing::info!("this machine runs the function again");
                }
                return invoked;
            }
        }
    }
}

fn evaluate(records: &[Record], outcome: &Outcome) -> Attempt {
    match outcome {
        Outcome::Reply(response) => delivery::evaluate(records, response),
        Outcome::Error { .. } | Outcome::Exited(_) => Attempt::Failed(Fault::FunctionError),
        Outcome::TimedOut => Attempt::Failed(Fault::FunctionTimedOut),
    }
}

/// An error and what caused it, in one line.
pub fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// An outcome that is no reply, to go on after "the function".
pub fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reply(_) => "answered".to_owned(),
        Outcome::Error { error_type, message } => {
            format!("failed: {}", excerpt(&format!("{error_type}: {message}"), MESSAGE_CHARS))
        }
        Outcome::TimedOut => "ran out of time".to_owned(),
        Outcome::Exited(status) => format!("ended ({status})"),
    }
}

/// What a function wrote at last, to go on after what it did.
#[must_use]
pub fn last_lines(logs: &[String]) -> String {
    match &logs[logs.len().saturating_sub(LAST_LINES)..] {
        [] => "and wrote nothing".to_owned(),
        lines => lines.iter().fold("and wrote:".to_owned(), |text, line| text + "\n" + &excerpt(line, MESSAGE_CHARS)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use runtime_api::{MAX_EVENT_BYTES, Settings};

    use super::*;
    use firehose_model::event::{Record, STREAM};

    fn event(data: &str) -> Event {
        let records = (0..2).map(|sequence| Record::direct_put(sequence, 0, data.to_owned()));
        Event::direct_put(STREAM.into(), records.collect())
    }

    #[tokio::test]
    async fn a_failed_invocation_is_tried_as_often_as_asked() {
        let too_large = "a".repeat(MAX_EVENT_BYTES);
        for (event, reached) in [(event(""), true), (event(&too_large), false)] {
            for retries in [0, 1, 3] {
                let mut function = Function::start(Settings::new("/bin/false")).await.unwrap();
                let (mut seen, shortage) = (Vec::new(), Shortage::default());
                let settled = put_through(
                    &mut function,
                    &event,
                    retries,
                    |attempt| {
                        assert_eq!(*attempt.judged, Attempt::Failed(Fault::FunctionError));
                        seen.push((attempt.attempt, attempt.invocation.is_ok()));
                        Ok::<_, anyhow::Error>(())
                    },
                    &shortage,
                );
                let Settled { fates, attempts } = settled.await.unwrap();
                assert_eq!((fates, attempts), (vec![Fate::Failed(Fault::FunctionError); 2], retries + 1));
                assert_eq!(seen, (1..=retries + 1).map(|attempt| (attempt, reached)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn only_a_failed_invocation_is_tried_again() {
        let records = [Record::direct_put(0, 0, String::new())];
        let error = Outcome::Error { error_type: "Function.ResponseSizeTooLarge".into(), message: String::new() };
        for (outcome, expected) in [
            (error, Attempt::Failed(Fault::FunctionError)),
            (Outcome::Exited(ExitStatus::default()), Attempt::Failed(Fault::FunctionError)),
            (Outcome::TimedOut, Attempt::Failed(Fault::FunctionTimedOut)),
        ] {
            assert_eq!(evaluate(&records, &outcome), expected, "{outcome:?}");
        }
        let garbage = evaluate(&records, &Outcome::Reply(b"not a reply".to_vec().into()));
        assert!(matches!(garbage, Attempt::Spoiled(Fault::MissingRecordId, _)));
    }

    #[tokio::test]
    async fn who_sees_an_attempt_may_end_it_all() {
        let mut function = Function::start(Settings::new("/bin/false")).await.unwrap();
        let (event, mut seen, shortage) = (event(""), 0, Shortage::default());
        let settled = put_through(
            &mut function,
            &event,
            9,
            |_| {
                seen += 1;
                if seen == 2 { Err(anyhow::anyhow!("a full disk")) } else { Ok(()) }
            },
            &shortage,
        );
        assert_eq!((settled.await.unwrap_err().to_string().as_str(), seen), ("a full disk", 2));
    }

    #[test]
    fn an_outcome_is_told_without_what_a_terminal_would_obey() {
        let error = |error_type: &str, message: &str| Outcome::Error {
            error_type: error_type.to_owned(),
            message: message.to_owned(),
        };
        let long = "x".repeat(MESSAGE_CHARS);
        for (outcome, expected) in [
            (
                error("Runtime.ExitError", "it\n\u{1b}[31mis \"down\""),
                r#"failed: Runtime.ExitError: it\n\u{1b}[31mis "down""#,
            ),
            (error("E", &long), &format!("failed: E: {}…", &long[3..])),
            (Outcome::TimedOut, "ran out of time"),
            (Outcome::Exited(ExitStatus::from_raw(7 << 8)), "ended (exit status: 7)"),
            (Outcome::Exited(ExitStatus::from_raw(9)), "ended (signal: 9 (SIGKILL))"),
            (Outcome::Reply(b"{}".to_vec().into()), "answered"),
        ] {
            assert_eq!(describe(&outcome), expected);
        }
    }

    #[test]
    fn the_last_lines_are_shown() {
        let lines = |from: usize, to: usize| (from..to).map(|number| format!("line {number}")).collect::<Vec<_>>();
        let shown = |from, to| format!("and wrote:\n{}", lines(from, to).join("\n"));
        for (logs, expected) in [
            (lines(0, 0), "and wrote nothing".to_owned()),
            (lines(0, 1), shown(0, 1)),
            (lines(0, LAST_LINES), shown(0, LAST_LINES)),
            (lines(0, LAST_LINES + 2), shown(2, LAST_LINES + 2)),
            (vec!["\u{1b}[31m".to_owned()], "and wrote:\n\\u{1b}[31m".to_owned()),
        ] {
            assert_eq!(last_lines(&logs), expected);
        }
    }
}
