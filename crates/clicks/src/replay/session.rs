//! One function, the events that it gets, and what becomes of their records.

use std::time::Duration;

use jiff::Timestamp;
use runtime_api::{Function, Invocation, Outcome, Settings};
use uuid::Uuid;

use super::{Options, ReplayError};
use crate::delivery::{self, Attempt, Fate};
use crate::event::Event;
use crate::metrics::Metrics;
use crate::output::{BatchEnd, Output};
use crate::progress::Progress;
use crate::report::{Report, Tally};

/// How many lines of a function that did not start are shown.
const LAST_LINES: usize = 20;

/// A function, and what has come of it so far.
pub(super) struct Session {
    function: Function,
    /// Whether it has ever taken an event.
    started: bool,
    arn: String,
    retries: u32,
    verbose: bool,
    output: Output,
    progress: Progress,
    tally: Tally,
}

impl Session {
    /// Starts the function against a service.
    pub(super) async fn start(
        options: Options,
        service: String,
        output: Output,
        progress: Progress,
    ) -> Result<Self, ReplayError> {
        let mut settings = Settings { timeout: options.timeout, ..Settings::new(options.function) };
        settings.env = options.env;
        settings.env.insert(0, ("MYSFITS_API_URL".to_owned(), service));
        // With the version, as error objects have it.
        let arn = format!("{}:$LATEST", settings.function_arn());
        let function = Function::start(settings).await?;
        let (retries, verbose) = (options.retries, options.verbose);
        Ok(Self { function, started: false, arn, retries, verbose, output, progress, tally: Tally::default() })
    }

    /// One event to its end: a reply, or the last failed attempt. Everything after the function's answer happens at once, so
    /// that an interrupt leaves no half-written batch.
    pub(super) async fn put_through(&mut self, event: &Event) -> Result<(), ReplayError> {
        let records = event.records();
        let last = self.retries + 1;
        let (mut attempt, mut duration) = (1, Duration::ZERO);
        let fates = loop {
            let (outcome, spent, metrics) = self.invoke(event).await?;
            duration += spent;
            match delivery::judge(records, &outcome) {
                Attempt::Settled(fates) => {
                    self.tally.attempt(metrics, true);
                    break fates;
                }
                Attempt::Failed(fault) => {
                    self.tally.attempt(metrics, false);
                    let how = describe(&outcome);
                    self.progress.line(&format!("attempt {attempt} of {last} failed: the function {how}"));
                    if attempt == last {
                        break vec![Fate::Failed(fault); records.len()];
                    }
                }
            }
            attempt += 1;
        };
        let time = Timestamp::now();
        let end = BatchEnd { attempts: attempt, time, function_arn: &self.arn };
        self.output.deliver(event, &fates, &end)?;
        self.tally.batch(&fates, duration);
        self.progress.records(self.tally.records());
        Ok(())
    }

    /// One attempt, and what the function logged about it.
    async fn invoke(&mut self, event: &Event) -> Result<(Outcome, Duration, Metrics), ReplayError> {
        let payload = event.payload(&Uuid::new_v4().to_string())?;
        let mut invocation = self.function.invoke(payload).await?;
        let metrics = Metrics::take(&mut invocation.logs);
        self.log(&invocation.logs)?;
        self.see_started(&invocation)?;
        Ok((invocation.outcome, invocation.duration, metrics))
    }

    /// A function that never starts fails the replay, not its records: nothing was tried with them.
    fn see_started(&mut self, invocation: &Invocation) -> Result<(), ReplayError> {
        self.started |= invocation.received;
        if self.started {
            return Ok(());
        }
        let skipped = invocation.logs.len().saturating_sub(LAST_LINES);
        let lines =
            if invocation.logs.is_empty() { "(none)".to_owned() } else { invocation.logs[skipped..].join("\n") };
        Err(ReplayError::NotStarted { how: describe(&invocation.outcome), lines })
    }

    fn log(&mut self, lines: &[String]) -> Result<(), ReplayError> {
        if self.verbose {
            for line in lines {
                self.progress.line(line);
            }
        }
        Ok(self.output.log(lines)?)
    }

    /// Stops the function, and sums up.
    pub(super) async fn stop(mut self, interrupted: bool) -> Result<Report, ReplayError> {
        let mut logs = self.function.stop().await.logs;
        Metrics::take(&mut logs);
        self.output.log(&logs)?;
        Ok(self.tally.report(self.output.folder().to_path_buf(), interrupted))
    }
}

/// An outcome that is no reply, to go on after "the function".
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reply(_) => "answered".to_owned(),
        Outcome::Error { error_type, message } => format!("failed: {error_type}: {message}"),
        Outcome::TimedOut => "ran out of time".to_owned(),
        Outcome::Exited(status) => format!("ended ({status})"),
    }
}
