//! Invokes a function with one event, with retries, and reads the metrics of its log.

mod failed_attempts;

use std::collections::BTreeMap;
use std::error::Error;

use runtime_api::{Function, Invocation, InvokeError, Outcome, Request};
use serde::Deserialize;
use uuid::Uuid;

pub use self::failed_attempts::FailedAttempts;
use crate::outage::{Outage, OutageWait};
use firehose_model::delivery::{self, ErrorCode, Evaluation, RecordOutcome};
use firehose_model::event::{Event, Record};
use firehose_model::excerpt::excerpt;

const LAST_LINES: usize = 20;
const MESSAGE_CHARS: usize = 500;

/// The result of an event.
#[derive(Debug)]
pub struct BatchResult {
    /// The outcome of each record, in the records' order.
    pub outcomes: Vec<RecordOutcome>,
    /// The number of invocations.
    pub attempts: u32,
}

/// The report of one attempt.
pub struct AttemptReport<'a> {
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The invocation, or why the event did not reach the function.
    pub invocation: Result<Invocation, InvokeError>,
    /// What Firehose makes of it.
    pub evaluation: &'a Evaluation,
}

/// Invokes the function up to `1 + retries` times, each with another `invocationId` and the same records (as captures show: see `firehose_model::delivery`). A retry
/// follows at once, which is an assumption: no delay is documented. `on_attempt` gets each attempt; its error ends the retries.
pub async fn invoke_with_retries<E: From<serde_json::Error>>(
    function: &mut Function,
    event: &Event,
    retries: u32,
    mut on_attempt: impl FnMut(AttemptReport<'_>) -> Result<(), E>,
    outage: &Outage,
) -> Result<BatchResult, E> {
    let records = &event.records;
    let mut attempt = 1;
    loop {
        let payload = event.payload(Uuid::new_v4())?;
        let invocation = invoke(function, payload, outage).await;
        let evaluation = match &invocation {
            Ok(invocation) => evaluate(records, &invocation.outcome),
            Err(_) => Evaluation::InvocationFailed(ErrorCode::FunctionError),
        };
        on_attempt(AttemptReport { attempt, invocation, evaluation: &evaluation })?;
        match evaluation {
            Evaluation::Outcomes(outcomes) => return Ok(BatchResult { outcomes, attempts: attempt }),
            Evaluation::InvocationFailed(_) if attempt <= retries => attempt += 1,
            Evaluation::InvocationFailed(code) | Evaluation::InvalidResponse(code, _) => {
                return Ok(BatchResult {
                    outcomes: vec![RecordOutcome::Failed(code); records.len()],
                    attempts: attempt,
                });
            }
        }
    }
}

/// Invokes the function as soon as this machine can start and reach it. An invocation that waits for this is no attempt: Lambda
/// does not run out of this machine's processes or file descriptors. Logs the beginning and the end of an outage.
pub async fn invoke(
    function: &mut Function,
    request: impl Into<Request>,
    outage: &Outage,
) -> Result<Invocation, InvokeError> {
    let request = request.into();
    let mut waiting: Option<OutageWait<'_>> = None;
    loop {
        match function.invoke(request.clone()).await {
            Err(error) if error.is_host_exhausted() => {
                let report = || {
                    let cause = with_cause(&error);
                    tracing::warn!("this machine can't run the function: {cause}; retrying until it succeeds");
                };
                waiting.get_or_insert_with(|| outage.begin(report)).pause().await;
            }
            invoked => {
                if waiting.is_some_and(OutageWait::end) {
                    tracing::info!("this machine runs the function again");
                }
                return invoked;
            }
        }
    }
}

fn evaluate(records: &[Record], outcome: &Outcome) -> Evaluation {
    match outcome {
        Outcome::Reply(response) => delivery::evaluate(records, response),
        Outcome::Error { .. } | Outcome::Exited(_) => Evaluation::InvocationFailed(ErrorCode::FunctionError),
        Outcome::TimedOut => Evaluation::InvocationFailed(ErrorCode::FunctionTimedOut),
    }
}

/// An error and what caused it, in one line.
pub fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Describes an invocation without a response, as the predicate of "the function". If the function received no event, its last log lines
/// are a part.
#[must_use]
pub fn describe(invocation: &Invocation) -> String {
    let (error, log) = error_and_log(invocation);
    error + &log
}

fn error_and_log(Invocation { outcome, received, logs, .. }: &Invocation) -> (String, String) {
    let error = how_it_ended(outcome);
    if *received {
        return (error, String::new());
    }
    (error + " before it requested an event", format!(", {}", last_lines(logs)))
}

fn how_it_ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reply(_) => "responded".to_owned(),
        Outcome::Error { error_type, message } => {
            format!("failed: {}", excerpt(&format!("{error_type}: {message}"), MESSAGE_CHARS))
        }
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::Exited(status) => format!("exited ({status})"),
    }
}

fn last_lines(logs: &[String]) -> String {
    match &logs[logs.len().saturating_sub(LAST_LINES)..] {
        [] => "and wrote nothing".to_owned(),
        lines => lines.iter().fold("and wrote:".to_owned(), |text, line| text + "\n" + &excerpt(line, MESSAGE_CHARS)),
    }
}

/// The metrics of one invocation, which the function writes to its log in CloudWatch's embedded metric format (EMF). A response has no
/// field for reasons, so they are only here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Requests to a service. `None`: not reported.
    pub service_requests: Option<u64>,
    /// Failed records by reason. `None`: the function reports no metrics.
    pub failed_by_reason: Option<BTreeMap<String, u64>>,
}

/// Whether a log line may have metrics in the embedded metric format.
pub(crate) fn is_metrics_line(line: &str) -> bool {
    line.contains("\"_aws\"")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    #[serde(rename = "_aws")]
    _aws: serde::de::IgnoredAny,
    reason: Option<String>,
    failed: Option<u64>,
    service_requests: Option<u64>,
}

impl Metrics {
    /// Sums the metrics among an invocation's log lines.
    #[must_use]
    pub fn of(lines: &[String]) -> Self {
        let mut metrics = Self::default();
        // Most lines are no metrics. This check avoids parsing them.
        for line in lines.iter().filter(|line| is_metrics_line(line)) {
            let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
            let by_reason = metrics.failed_by_reason.get_or_insert_default();
            if let (Some(reason), Some(failed)) = (line.reason, line.failed) {
                *by_reason.entry(reason).or_default() += failed;
            }
            if let Some(requests) = line.service_requests {
                *metrics.service_requests.get_or_insert_default() += requests;
            }
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use runtime_api::{FunctionSettings, MAX_EVENT_BYTES};

    use super::*;
    use firehose_model::event::{Record, STREAM};

    fn event(data: &str) -> Event {
        let records = (0..2).map(|sequence| Record::direct_put(sequence, 0, data.to_owned()));
        Event::new(STREAM.into(), records.collect())
    }

    #[tokio::test]
    async fn a_failed_invocation_is_retried_as_often_as_configured() {
        let too_large = "a".repeat(MAX_EVENT_BYTES);
        for (event, reached) in [(event(""), true), (event(&too_large), false)] {
            for retries in [0, 1, 3] {
                let mut function = Function::start(FunctionSettings::new("/bin/false")).await.unwrap();
                let (mut seen, outage) = (Vec::new(), Outage::default());
                let settled = invoke_with_retries(
                    &mut function,
                    &event,
                    retries,
                    |attempt| {
                        assert_eq!(*attempt.evaluation, Evaluation::InvocationFailed(ErrorCode::FunctionError));
                        seen.push((attempt.attempt, attempt.invocation.is_ok()));
                        Ok::<_, anyhow::Error>(())
                    },
                    &outage,
                );
                let BatchResult { outcomes, attempts } = settled.await.unwrap();
                assert_eq!(
                    (outcomes, attempts),
                    (vec![RecordOutcome::Failed(ErrorCode::FunctionError); 2], retries + 1)
                );
                assert_eq!(seen, (1..=retries + 1).map(|attempt| (attempt, reached)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn only_a_failed_invocation_is_retried() {
        let records = [Record::direct_put(0, 0, String::new())];
        let error = Outcome::Error { error_type: "Function.ResponseSizeTooLarge".into(), message: String::new() };
        for (outcome, expected) in [
            (error, Evaluation::InvocationFailed(ErrorCode::FunctionError)),
            (Outcome::Exited(ExitStatus::default()), Evaluation::InvocationFailed(ErrorCode::FunctionError)),
            (Outcome::TimedOut, Evaluation::InvocationFailed(ErrorCode::FunctionTimedOut)),
        ] {
            assert_eq!(evaluate(&records, &outcome), expected, "{outcome:?}");
        }
        let garbage = evaluate(&records, &Outcome::Reply(b"not a reply".to_vec().into()));
        assert!(matches!(garbage, Evaluation::InvalidResponse(ErrorCode::MissingRecordId, _)));
    }

    #[tokio::test]
    async fn an_error_of_on_attempt_ends_the_retries() {
        let mut function = Function::start(FunctionSettings::new("/bin/false")).await.unwrap();
        let (event, mut seen, outage) = (event(""), 0, Outage::default());
        let settled = invoke_with_retries(
            &mut function,
            &event,
            9,
            |_| {
                seen += 1;
                if seen == 2 { Err(anyhow::anyhow!("a full disk")) } else { Ok(()) }
            },
            &outage,
        );
        assert_eq!((settled.await.unwrap_err().to_string().as_str(), seen), ("a full disk", 2));
    }

    #[test]
    fn an_outcome_is_described_without_control_characters() {
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
            (Outcome::TimedOut, "timed out"),
            (Outcome::Exited(ExitStatus::from_raw(7 << 8)), "exited (exit status: 7)"),
            (Outcome::Exited(ExitStatus::from_raw(9)), "exited (signal: 9 (SIGKILL))"),
            (Outcome::Reply(b"{}".to_vec().into()), "responded"),
        ] {
            assert_eq!(how_it_ended(&outcome), expected);
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

    fn metrics(lines: &[&str]) -> Metrics {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Metrics::of(&lines)
    }

    #[test]
    fn metrics_are_found_among_logs_and_summed() {
        let metrics = metrics(&[
            "starting",
            r#"{"_aws":{"Timestamp":1},"Records":9,"Failed":3,"ServiceRequests":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"invalid_json","Failed":2}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"unknown_key","Failed":1}"#,
            r#"{"_aws":{"Timestamp":1},"Reason":"invalid_json","Failed":3}"#,
            r#"{"_aws":{"Timestamp":1},"ServiceRequests":3}"#,
            r#"{"message":"\"_aws\" in a message","ServiceRequests":5}"#,
            r#"not JSON, but "_aws""#,
        ]);
        assert_eq!(metrics.service_requests, Some(5));
        let reasons = BTreeMap::from([("invalid_json".to_owned(), 5), ("unknown_key".to_owned(), 1)]);
        assert_eq!(metrics.failed_by_reason, Some(reasons));
    }

    #[test]
    fn no_metrics_are_not_zero() {
        assert_eq!(metrics(&["starting"]), Metrics { service_requests: None, failed_by_reason: None });
        let none = Metrics { service_requests: Some(0), failed_by_reason: Some(BTreeMap::new()) };
        assert_eq!(metrics(&[r#"{"_aws":{},"ServiceRequests":0}"#]), none);
    }
}
