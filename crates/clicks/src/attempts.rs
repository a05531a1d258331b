//! One event through a function to its end: a reply, or the last failed attempt.

use runtime_api::{Function, Invocation, InvokeError, Outcome};
use uuid::Uuid;

use crate::excerpt::excerpt;
use crate::firehose::delivery::{self, Attempt, Fate, Fault};
use crate::firehose::event::Event;

/// How many lines of a function that did not start are shown.
const LAST_LINES: usize = 20;

/// How much of a message of the function's is shown.
const MESSAGE_CHARS: usize = 500;

/// What came of an event.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Each record's fate, in the records' order.
    pub(crate) fates: Vec<Fate>,
    /// How often the function was invoked.
    pub(crate) attempts: u32,
}

/// One attempt, as it ended.
pub(crate) struct Seen<'a> {
    /// Which it was, from 1.
    pub(crate) attempt: u32,
    /// How it went, or why the event never reached the function.
    pub(crate) invocation: Result<Invocation, InvokeError>,
    /// What it comes to.
    pub(crate) judged: &'a Attempt,
}

/// Invokes the function up to `1 + retries` times, each with another `invocationId` and the same records (captured). The next
/// attempt follows at once: an assumption, as no pause is documented. `see` is told of each attempt, and ends it all with an
/// error.
pub(crate) async fn put_through<E: From<serde_json::Error>>(
    function: &mut Function,
    event: &Event,
    retries: u32,
    mut see: impl FnMut(Seen<'_>) -> Result<(), E>,
) -> Result<Settled, E> {
    let records = event.records();
    let mut attempt = 1;
    loop {
        let payload = event.payload(Uuid::new_v4())?;
        let invocation = function.invoke(payload).await;
        let judged = match &invocation {
            Ok(invocation) => delivery::judge(records, &invocation.outcome),
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

/// An outcome that is no reply, to go on after "the function".
pub(crate) fn describe(outcome: &Outcome) -> String {
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
pub(crate) fn last_lines(logs: &[String]) -> String {
    match &logs[logs.len().saturating_sub(LAST_LINES)..] {
        [] => "and wrote nothing".to_owned(),
        lines => lines.iter().fold("and wrote:".to_owned(), |text, line| text + "\n" + &excerpt(line, MESSAGE_CHARS)),
    }
}
