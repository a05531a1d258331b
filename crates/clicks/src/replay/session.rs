//! One function, the events that it gets, and what becomes of their records.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runtime_api::{Function, Invocation, Settings};

use super::feed::Batch;
use super::report::{End, Records, Report, Tally};
use super::{Options, ReplayError};
use crate::input::Skipped;
use crate::output::{BatchEnd, Output, OutputError};
use crate::packages::SERVICE_URL;
use crate::progress::{self, Bar};
use firehose_model::delivery::Evaluation;
use firehose_model::excerpt::excerpt;
use local_firehose::invocation::{self, AttemptReport, BatchResult, Shortage, describe, last_lines};
use local_firehose::metrics::Metrics;
use redrive::{Aside, SetAside};

/// How many skipped parts are shown one by one; the copies have them all.
const MOST_SHOWN: u64 = 20;

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
    progress: Bar,
    tally: Tally,
    shortage: Shortage,
    /// Where the skipped parts of the input are copied to.
    copies: Aside,
}

impl Session {
    /// Starts the function against a service.
    pub(super) async fn start(
        options: Options,
        function: PathBuf,
        service: &str,
        output: Output,
        progress: Bar,
    ) -> Result<Self, ReplayError> {
        let mut settings = Settings { timeout: options.timeout, ..Settings::new(function) };
        settings = settings.env(SERVICE_URL, service);
        settings.env.extend(options.env);
        // With the version, as error objects have it.
        let arn = format!("{}:$LATEST", settings.function_arn());
        let since = Instant::now();
        let function = Function::start(settings).await?;
        let (retries, verbose) = (options.retries, options.verbose);
        let copies = Aside::new(output.folder().join("skipped.jsonl"));
        let tally = Tally::default();
        Ok(Self {
            function,
            since,
            started: false,
            arn,
            retries,
            verbose,
            output,
            progress,
            tally,
            copies,
            shortage: Shortage::default(),
        })
    }

    /// One event to its end: a reply, or the last failed attempt. Everything after the function's answer happens at once, so
    /// that an interrupt leaves no half-written batch.
    pub(super) async fn put_through(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let last = self.retries + 1;
        let mut duration = Duration::ZERO;
        let Self { function, output, tally, started, verbose, shortage, .. } = self;
        let see = |seen: AttemptReport<'_>| {
            let invocation = seen.invocation?;
            duration += invocation.duration;
            log(output, *verbose, &invocation.logs)?;
            see_started(started, &invocation)?;
            tally.attempt(Metrics::of(&invocation.logs), seen.evaluation.has_processing_failed());
            match seen.evaluation {
                Evaluation::Outcomes(_) => {}
                Evaluation::InvalidResponse(_, why) => progress::print(&format!("a reply can't be used: {why}")),
                Evaluation::InvocationFailed(_) => {
                    let how = describe(&invocation.outcome);
                    progress::print(&format!("attempt {} of {last} failed: the function {how}", seen.attempt));
                }
            }
            Ok::<(), ReplayError>(())
        };
        let settled = invocation::invoke_with_retries(function, &batch.event, self.retries, see, shortage);
        let BatchResult { outcomes, attempts } = settled.await?;
        let end = BatchEnd { attempts, time: Timestamp::now(), function_arn: &self.arn };
        self.output.deliver(&batch.event, &outcomes, &end)?;
        self.tally.batch(&outcomes, duration);
        let Records { total, failed, .. } = self.tally.records();
        self.progress.advance(batch.bytes, format!("{total} records, {failed} failed"));
        Ok(())
    }

    /// Copies, counts and reports parts of the input that can't be put through.
    pub(super) fn skip(&mut self, skipped: &[Skipped]) -> Result<(), OutputError> {
        let copies: Vec<SetAside<'_>> = skipped.iter().map(copy).collect();
        let path = self.copies.place().to_owned();
        self.copies.keep(&copies).map_err(|source| OutputError::Write { path, source })?;
        for Skipped { name, line, offset, problem, .. } in skipped {
            self.tally.skip();
            match self.tally.skipped() {
                ..=MOST_SHOWN => {
                    progress::print(&format!("{name}, line {line}, byte {offset}: skipped: {problem}"));
                }
                more if more == MOST_SHOWN + 1 => {
                    progress::print(&format!("more is skipped: see {}", self.copies.place().display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Tells that a batch was not put through to its end.
    pub(super) fn give_up(batch: &Batch) {
        let records = batch.event.records().len();
        progress::print(&format!("interrupted: the batch in hand was given up (records: {records})"));
    }

    /// Stops the function, and sums up.
    pub(super) async fn stop(mut self, interrupted: bool, answered: Option<u64>) -> Result<Report, ReplayError> {
        let elapsed = self.since.elapsed();
        drop(self.progress);
        let exit = self.function.stop().await;
        log(&mut self.output, self.verbose, &exit.logs)?;
        let out = self.output.folder().to_path_buf();
        let skipped_copies = self.copies.path().map(ToOwned::to_owned);
        Ok(self.tally.report(End { elapsed, answered, interrupted, out, skipped_copies }))
    }
}

fn copy(skipped: &Skipped) -> SetAside<'_> {
    let Skipped { name, line, offset, problem, content } = skipped;
    SetAside { object: name, line: *line, offset: *offset, problem: problem.to_string(), content }
}

/// A function that never starts fails the replay, not its records: nothing was tried with them.
fn see_started(started: &mut bool, invocation: &Invocation) -> Result<(), ReplayError> {
    *started |= invocation.received;
    if *started {
        return Ok(());
    }
    Err(ReplayError::NotStarted { how: describe(&invocation.outcome), wrote: last_lines(&invocation.logs) })
}

/// Writes the function's lines to its log, and shows them where somebody wants to see them.
fn log(output: &mut Output, shown: bool, lines: &[String]) -> Result<(), OutputError> {
    if shown {
        for line in lines {
            progress::print(&excerpt(line, usize::MAX));
        }
    }
    output.log(lines)
}
