//! One function, the events that it gets, and what becomes of their records.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runtime_api::{Function, Invocation, Outcome, Settings};
use uuid::Uuid;

use super::feed::Batch;
use super::{Options, ReplayError};
use crate::excerpt::excerpt;
use crate::firehose::delivery::{self, Attempt, Fate, Fault};
use crate::firehose::event::Event;
use crate::metrics::Metrics;
use crate::output::{BatchEnd, Output, OutputError};
use crate::processor::SERVICE_URL;
use crate::progress::Progress;
use crate::report::{End, Report, Tally};

/// How many lines of a function that did not start are shown.
const LAST_LINES: usize = 20;

/// How much of a message of the function's is shown.
const MESSAGE_CHARS: usize = 500;

/// A function, and what has come of it so far.
pub(super) struct Session {
    function: Function,
    since: Instant,
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
        function: PathBuf,
        service: &str,
        output: Output,
        progress: Progress,
    ) -> Result<Self, ReplayError> {
        let mut settings = Settings { timeout: options.timeout, ..Settings::new(function) };
        settings = settings.env(SERVICE_URL, service);
        settings.env.extend(options.env);
        // With the version, as error objects have it.
        let arn = format!("{}:$LATEST", settings.function_arn());
        let since = Instant::now();
        let function = Function::start(settings).await?;
        let (retries, verbose) = (options.retries, options.verbose);
        Ok(Self { function, since, started: false, arn, retries, verbose, output, progress, tally: Tally::default() })
    }

    /// One event to its end: a reply, or the last failed attempt. Everything after the function's answer happens at once, so
    /// that an interrupt leaves no half-written batch.
    pub(super) async fn put_through(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let records = batch.event.records();
        let last = self.retries + 1;
        let (mut attempt, mut duration) = (1, Duration::ZERO);
        let fates = loop {
            let (outcome, spent, metrics) = self.invoke(&batch.event).await?;
            duration += spent;
            let judged = delivery::judge(records, &outcome);
            let taken =
                matches!(&judged, Attempt::Settled(fates) if fates.contains(&Fate::Failed(Fault::ProcessingFailed)));
            self.tally.attempt(metrics, taken);
            match judged {
                Attempt::Settled(fates) => break fates,
                Attempt::Spoiled(fault, why) => {
                    self.progress.line(&format!("a reply can't be used: {why}"));
                    break vec![Fate::Failed(fault); records.len()];
                }
                Attempt::Failed(fault) => {
                    let how = describe(&outcome);
                    self.progress.line(&format!("attempt {attempt} of {last} failed: the function {how}"));
                    if attempt == last {
                        break vec![Fate::Failed(fault); records.len()];
                    }
                }
            }
            attempt += 1;
        };
        let end = BatchEnd { attempts: attempt, time: Timestamp::now(), function_arn: &self.arn };
        self.output.deliver(&batch.event, &fates, &end)?;
        self.tally.batch(&fates, duration);
        self.progress.advance(batch.bytes, self.tally.records());
        Ok(())
    }

    /// Tells that a batch was not put through to its end.
    pub(super) fn give_up(&self, batch: &Batch) {
        let records = batch.event.records().len();
        self.progress.line(&format!("interrupted: the batch in hand was given up (records: {records})"));
    }

    /// One attempt, and what the function logged about it.
    async fn invoke(&mut self, event: &Event) -> Result<(Outcome, Duration, Metrics), ReplayError> {
        let payload = event.payload(Uuid::new_v4())?;
        let invocation = self.function.invoke(payload).await?;
        log(&mut self.output, self.verbose.then_some(&self.progress), &invocation.logs)?;
        self.see_started(&invocation)?;
        Ok((invocation.outcome, invocation.duration, Metrics::of(&invocation.logs)))
    }

    /// A function that never starts fails the replay, not its records: nothing was tried with them.
    fn see_started(&mut self, invocation: &Invocation) -> Result<(), ReplayError> {
        self.started |= invocation.received;
        if self.started {
            return Ok(());
        }
        let lines = &invocation.logs[invocation.logs.len().saturating_sub(LAST_LINES)..];
        let wrote = match lines {
            [] => "and wrote nothing".to_owned(),
            _ => lines.iter().fold("and wrote:".to_owned(), |text, line| text + "\n" + &excerpt(line, MESSAGE_CHARS)),
        };
        Err(ReplayError::NotStarted { how: describe(&invocation.outcome), wrote })
    }

    /// Stops the function, and sums up.
    pub(super) async fn stop(mut self, interrupted: bool, answered: Option<u64>) -> Result<Report, ReplayError> {
        let elapsed = self.since.elapsed();
        self.progress.finish();
        let exit = self.function.stop().await;
        log(&mut self.output, self.verbose.then_some(&self.progress), &exit.logs)?;
        let out = self.output.folder().to_path_buf();
        Ok(self.tally.report(End { elapsed, answered, interrupted, out }))
    }
}

/// Writes the function's lines to its log, and shows them where somebody wants to see them.
fn log(output: &mut Output, shown: Option<&Progress>, lines: &[String]) -> Result<(), OutputError> {
    if let Some(progress) = shown {
        for line in lines {
            progress.line(&excerpt(line, usize::MAX));
        }
    }
    output.log(lines)
}

/// An outcome that is no reply, to go on after "the function".
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Reply(_) => "answered".to_owned(),
        Outcome::Error { error_type, message } => {
            format!("failed: {}", excerpt(&format!("{error_type}: {message}"), MESSAGE_CHARS))
        }
        Outcome::TimedOut => "ran out of time".to_owned(),
        Outcome::Exited(status) => format!("ended ({status})"),
    }
}
