//! One function, its events, and the outcomes of their records.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use firehose_model::delivery::Evaluation;
use firehose_model::excerpt::excerpt;
use jiff::Timestamp;
use local_firehose::invocation::{self, AttemptReport, BatchResult, describe, last_lines};
use local_firehose::metrics::Metrics;
use local_firehose::outage::Outage;
use runtime_api::{Function, Invocation, Settings};
use state_file::{Quarantine, QuarantinedLine};

use super::feed::Batch;
use super::report::{End, Records, Report, Tally};
use super::{Options, ReplayError};
use crate::input::Skipped;
use crate::output::{BatchEnd, Output, OutputError};
use crate::packages::{PROCESSOR, SERVICE_URL};
use crate::progress::{self, Bar};

/// How many skipped parts are reported one by one. The quarantine has all of them.
const MAX_REPORTED: u64 = 20;

pub(super) struct Session {
    function: Function,
    since: Instant,
    /// Whether it ever received an event.
    started: bool,
    arn: String,
    retries: u32,
    verbose: bool,
    output: Output,
    progress: Bar,
    tally: Tally,
    outage: Outage,
    /// Copies of the skipped parts of the input.
    quarantine: Quarantine,
}

impl Session {
    /// Starts the function, which uses a service.
    pub(super) async fn start(
        options: Options,
        function: PathBuf,
        service: &str,
        output: Output,
        progress: Bar,
    ) -> Result<Self, ReplayError> {
        let function_name = PROCESSOR.name().to_owned();
        let mut settings = Settings { function_name, timeout: options.timeout, ..Settings::new(function) };
        settings = settings.env(SERVICE_URL, service);
        settings.env.extend(options.env);
        // With the version, as in error objects.
        let arn = format!("{}:$LATEST", settings.function_arn());
        let since = Instant::now();
        let function = Function::start(settings).await?;
        let (retries, verbose) = (options.retries, options.verbose);
        let quarantine = Quarantine::new(output.folder().join("skipped.jsonl"));
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
            quarantine,
            outage: Outage::default(),
        })
    }

    /// Processes one event: until a response, or the last failed attempt. There is no await after the invocation, so an interrupt
    /// leaves no half-written batch.
    pub(super) async fn process(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let last = self.retries + 1;
        let mut duration = Duration::ZERO;
        let Self { function, output, tally, started, verbose, outage, .. } = self;
        let see = |seen: AttemptReport<'_>| {
            let invocation = seen.invocation?;
            duration += invocation.duration;
            log(output, *verbose, &invocation.logs)?;
            see_started(started, &invocation)?;
            tally.attempt(Metrics::of(&invocation.logs), seen.evaluation.has_processing_failed());
            match seen.evaluation {
                Evaluation::Outcomes(_) => {}
                Evaluation::InvalidResponse(_, why) => progress::print(&format!("invalid response: {why}")),
                Evaluation::InvocationFailed(_) => {
                    let how = describe(&invocation.outcome);
                    progress::print(&format!("attempt {} of {last} failed: the function {how}", seen.attempt));
                }
            }
            Ok::<(), ReplayError>(())
        };
        let settled = invocation::invoke_with_retries(function, &batch.event, self.retries, see, outage);
        let BatchResult { outcomes, attempts } = settled.await?;
        let end = BatchEnd { attempts, time: Timestamp::now(), function_arn: &self.arn };
        self.output.deliver(&batch.event, &outcomes, &end)?;
        self.tally.batch(&outcomes, duration);
        let Records { total, failed, .. } = self.tally.records();
        self.progress.advance(batch.bytes, format!("{total} records, {failed} failed"));
        Ok(())
    }

    /// Quarantines, counts and reports parts of the input that can't be processed.
    pub(super) fn skip(&mut self, skipped: &[Skipped]) -> Result<(), OutputError> {
        let lines: Vec<QuarantinedLine<'_>> = skipped.iter().map(quarantined).collect();
        let path = self.quarantine.path().to_owned();
        self.quarantine.append(&lines).map_err(|source| OutputError::Write { path, source })?;
        for Skipped { name, line, offset, problem, .. } in skipped {
            self.tally.skip();
            match self.tally.skipped() {
                ..=MAX_REPORTED => {
                    progress::print(&format!("{name}, line {line}, byte {offset}: skipped: {problem}"));
                }
                more if more == MAX_REPORTED + 1 => {
                    progress::print(&format!("more skipped parts: see {}", self.quarantine.path().display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reports that the batch in flight is discarded.
    pub(super) fn discard(batch: &Batch) {
        let records = batch.event.records.len();
        progress::print(&format!("interrupted: the batch in flight was discarded (records: {records})"));
    }

    /// Stops the function. `served` is the number of the local service's responses.
    pub(super) async fn stop(mut self, interrupted: bool, served: Option<u64>) -> Result<Report, ReplayError> {
        let elapsed = self.since.elapsed();
        drop(self.progress);
        let exit = self.function.stop().await;
        log(&mut self.output, self.verbose, &exit.logs)?;
        let out = self.output.folder().to_path_buf();
        let skipped_copies = self.quarantine.written().map(ToOwned::to_owned);
        Ok(self.tally.report(End { elapsed, served, interrupted, out, skipped_copies }))
    }
}

fn quarantined(skipped: &Skipped) -> QuarantinedLine<'_> {
    let Skipped { name, line, offset, problem, content } = skipped;
    QuarantinedLine { object: name, line: *line, offset: *offset, problem: problem.to_string(), content }
}

/// A function that never requests an event fails the replay, not its records.
fn see_started(started: &mut bool, invocation: &Invocation) -> Result<(), ReplayError> {
    *started |= invocation.received;
    if *started {
        return Ok(());
    }
    Err(ReplayError::NotStarted { how: describe(&invocation.outcome), wrote: last_lines(&invocation.logs) })
}

/// Writes the function's lines to its log, and prints them if `verbose`.
fn log(output: &mut Output, verbose: bool, lines: &[String]) -> Result<(), OutputError> {
    if verbose {
        for line in lines {
            progress::print(&excerpt(line, usize::MAX));
        }
    }
    output.log(lines)
}
