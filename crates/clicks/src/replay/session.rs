//! One function, its events, and the outcomes of their records.

use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use firehose_model::delivery::Evaluation;
use firehose_model::event::Event;
use jiff::Timestamp;
use local_firehose::invocation::{self, AttemptReport, FailedAttempts, Metrics, describe};
use local_firehose::outage::Outage;
use runtime_api::{Function, FunctionSettings};
use state_file::{Quarantine, QuarantinedLine};

use super::options::Replay;
use super::report::{Records, Report};
use crate::input::Skipped;
use crate::output::Output;
use crate::packages::{self, PROCESSOR};
use crate::progress::Bar;
use service_kit::count::records;

/// How many skipped parts are reported one by one. The quarantine has all of them.
const MAX_REPORTED: u64 = 20;

pub(super) struct Session {
    function: Function,
    since: Instant,
    started: bool,
    arn: String,
    retries: u32,
    verbose: bool,
    output: Output,
    progress: Bar,
    report: Report,
    outage: Outage,
    quarantine: Quarantine,
}

impl Session {
    pub(super) async fn start(
        options: Replay,
        function: FunctionSettings,
        service: &str,
        output: Output,
        progress: Bar,
    ) -> anyhow::Result<Self> {
        let function_name = PROCESSOR.name.to_owned();
        let timeout = Duration::from_secs(options.timeout_seconds);
        let mut settings = FunctionSettings { function_name, timeout, ..function };
        settings.env.extend(packages::of_service(service));
        // The last value of a variable wins.
        settings.env.extend(packages::inherited(env::vars_os()));
        settings.env.extend(options.env);
        Ok(Self {
            // With the version, as in error objects.
            arn: format!("{}:$LATEST", settings.function_arn()),
            since: Instant::now(),
            function: Function::start(settings).await?,
            started: false,
            retries: options.retries,
            verbose: options.verbose,
            report: Report { out: output.folder.clone(), ..Report::default() },
            quarantine: Quarantine::new(output.folder.join("skipped.jsonl")),
            output,
            progress,
            outage: Outage::default(),
        })
    }

    /// There is no await after the invocation, so an interrupt leaves no half-written batch.
    pub(super) async fn process(&mut self, event: &Event) -> anyhow::Result<()> {
        let mut failed = FailedAttempts::new("the function", self.retries);
        let mut duration = Duration::ZERO;
        let Self { function, output, report, started, verbose, outage, .. } = self;
        let see = |seen: AttemptReport<'_>| {
            let AttemptReport { attempt, invocation, evaluation } = seen;
            let invocation = invocation?;
            duration += invocation.duration;
            output.log(&invocation.logs, *verbose)?;
            *started |= invocation.received;
            // A function that never requests an event fails the replay, not its records.
            if !*started {
                bail!("the function {}", describe(&invocation));
            }
            report.attempt(Metrics::of(&invocation.logs), evaluation.has_processing_failed());
            let lines = match evaluation {
                Evaluation::InvocationFailed(_) => failed.add(attempt, &Ok(invocation)),
                Evaluation::Outcomes(_) | Evaluation::InvalidResponse(..) => Vec::from_iter(failed.end()),
            };
            for line in lines {
                tracing::warn!("{line}");
            }
            if let Evaluation::InvalidResponse(_, why) = evaluation {
                tracing::warn!("invalid response: {why}");
            }
            Ok::<(), anyhow::Error>(())
        };
        let settled = invocation::invoke_with_retries(function, event, self.retries, see, outage);
        let result = settled.await?;
        self.output.deliver(event, &result, Timestamp::now(), &self.arn)?;
        self.report.batch(&result.outcomes, duration);
        let Records { total, failed, .. } = &self.report.records;
        self.progress.0.set_message(format!("{}, {failed} failed", records(*total)));
        Ok(())
    }

    pub(super) fn skip(&mut self, skipped: &[Skipped]) -> anyhow::Result<()> {
        if skipped.is_empty() {
            return Ok(());
        }
        let lines: Vec<QuarantinedLine<'_>> = skipped.iter().map(quarantined).collect();
        let appended = self.quarantine.append(&lines);
        appended.with_context(|| format!("could not write {}", self.quarantine.path().display()))?;
        for Skipped { name, line, offset, problem, .. } in skipped {
            self.report.skipped += 1;
            if self.report.skipped <= MAX_REPORTED {
                tracing::info!("{name}, line {line}, byte {offset}: skipped: {problem}");
            } else if self.report.skipped == MAX_REPORTED + 1 {
                tracing::info!("more skipped parts: see {}", self.quarantine.path().display());
            }
        }
        Ok(())
    }

    pub(super) async fn stop(self, interrupted: bool, served: Option<u64>) -> anyhow::Result<Report> {
        let elapsed = self.since.elapsed();
        drop(self.progress);
        self.output.log(&self.function.stop().await, self.verbose)?;
        let skipped_copies = self.quarantine.written().map(ToOwned::to_owned);
        Ok(Report { skipped_copies, interrupted, ..self.report }.finished(elapsed, served))
    }
}

fn quarantined(skipped: &Skipped) -> QuarantinedLine<'_> {
    let Skipped { name, line, offset, problem, content } = skipped;
    QuarantinedLine { object: name, line: *line, offset: *offset, problem: problem.to_string(), content }
}
