//! An Amazon Data Firehose transformation Lambda: it adds a mysfit's attributes, fetched from the mysfits service, to each
//! click of a batch.
//!
//! A batch goes through in one pass with one wait, and [`Processor::handle`] is that pass:
//!
//! ```text
//! bytes ─▶ firehose::Event ─▶ click::Clicks ─▶ distinct ids ─▶ mysfits::Answers ─▶ click::Line ─▶ firehose::Reply ─▶ bytes
//!          (borrowed)         or a Reason       (one await)                        Ok | Dropped | ProcessingFailed
//! ```
//!
//! Whatever is wrong with one record is that record's [`Reason`]; only what concerns the whole batch is an error.

pub mod click;
pub mod config;
pub mod deadline;
pub mod firehose;
pub mod logs;
pub mod metrics;
pub mod mysfits;
mod reason;
mod report;

use std::collections::BTreeMap;
use std::time::Instant;

use click::{Click, Clicks, Line};
use config::{Config, OnServiceUnavailable, OnUnknownMysfit};
use firehose::{Event, EventError, RESPONSE_BUDGET_BYTES, Record, Reply, TooManyRecords};
use mysfits::{Answer, Answers, Client, ClientError, Mysfits, OwnedAttributes, Session};

pub use reason::Reason;
pub use report::Report;

/// The function, from one invocation to the next.
#[derive(Debug)]
pub struct Processor {
    line: Line,
    client: Client,
    mysfits: Mysfits,
    unknown: OwnedAttributes,
    on_unknown_mysfit: OnUnknownMysfit,
    on_service_unavailable: OnServiceUnavailable,
}

/// What an invocation brings besides its event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// When look-ups have to end, so that the reply is out in time.
    pub look_ups_end: Instant,
    /// The AWS X-Ray trace to go on with.
    pub trace_id: Option<String>,
}

/// Why a whole batch can't be answered. Firehose then sends it again, up to its number of retries.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The payload is no transformation event.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The event has more records than a reply can hold.
    #[error(transparent)]
    TooManyRecords(#[from] TooManyRecords),
    /// The service answered for no mysfit of the batch, and `ON_SERVICE_UNAVAILABLE` says to try again.
    #[error("the mysfits service can't be reached: {0}")]
    ServiceUnavailable(String),
}

impl HandleError {
    /// The error's type as Lambda reports it, for alarms and retries to go by.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "NotAFirehoseEvent",
            Self::TooManyRecords(_) => "TooManyRecords",
            Self::ServiceUnavailable(_) => "ServiceUnavailable",
        }
    }
}

/// What became of one record.
enum Outcome {
    Delivered { lines: usize },
    Dropped,
    Failed(Reason),
}

impl Processor {
    /// Sets the function up; sends no request.
    ///
    /// # Errors
    /// [`ClientError`] where the client of the service can't be set up.
    pub fn new(config: &Config) -> Result<Self, ClientError> {
        Ok(Self {
            line: Line::new(config),
            client: Client::new(config)?,
            mysfits: Mysfits::new(config),
            unknown: OwnedAttributes::unknown(&config.mysfit_attributes),
            on_unknown_mysfit: config.on_unknown_mysfit,
            on_service_unavailable: config.on_service_unavailable,
        })
    }

    /// Answers an event with one result for each of its records, in their order, and fills in `report` as far as it gets.
    ///
    /// # Errors
    /// [`HandleError`] where the batch as a whole can't be answered.
    pub async fn handle(
        &self,
        payload: &str,
        invocation: &Invocation,
        report: &mut Report,
    ) -> Result<Vec<u8>, HandleError> {
        report.event_bytes = payload.len();
        let event = Event::parse(payload)?;
        report.invocation_id = event.invocation_id().as_deref().map(report::cut);
        report.records = event.record_count();
        let mut reply = Reply::to(&event, RESPONSE_BUDGET_BYTES)?;

        let data = event.decode();
        let clicks = Clicks::parse(data.iter(), self.line.extra_fields());
        let answers = self.look_up(&clicks.mysfit_ids(), invocation, report).await?;
        self.encode(&event, &clicks, &answers, &mut reply, report);

        let reply = reply.finish();
        report.response_bytes = reply.len();
        Ok(reply)
    }

    /// The one wait.
    async fn look_up(
        &self,
        ids: &[&str],
        invocation: &Invocation,
        report: &mut Report,
    ) -> Result<Answers, HandleError> {
        let started = Instant::now();
        let session = Session::new(&self.client, invocation.look_ups_end, invocation.trace_id.as_deref());
        let answers = self.mysfits.look_up(ids, &session).await;

        report.look_up = started.elapsed();
        report.requests = session.requests();
        report.stale_served = answers.stale;
        report.catalogue_age = answers.catalogue_age;
        if !ids.is_empty() && !answers.any && self.on_service_unavailable == OnServiceUnavailable::Retry {
            let cause = report.requests.first_failure.clone();
            return Err(HandleError::ServiceUnavailable(cause.unwrap_or_else(|| "no time left to ask".to_owned())));
        }
        Ok(answers)
    }

    fn encode(&self, event: &Event, clicks: &Clicks, answers: &Answers, reply: &mut Reply, report: &mut Report) {
        let mut lines = Vec::new();
        for (record, clicks) in event.records.iter().zip(clicks.records()) {
            let outcome = match clicks {
                Ok(clicks) => self.deliver(record, clicks, answers, &mut lines, reply),
                Err(reason) => Outcome::Failed(reason),
            };
            match outcome {
                Outcome::Delivered { lines } => {
                    report.ok += 1;
                    report.lines += lines;
                }
                Outcome::Dropped => {
                    report.dropped += 1;
                    reply.dropped(record);
                }
                Outcome::Failed(reason) => {
                    report.fail(record.id().as_deref(), reason);
                    reply.failed(record);
                }
            }
        }
    }

    /// Writes a record's lines into the reply, unless a policy or a bound is against it. `lines` is room to work in.
    fn deliver<'c>(
        &self,
        record: &Record,
        clicks: impl Iterator<Item = (&'c Click<'c>, usize)> + Clone,
        answers: &Answers,
        lines: &mut Vec<u8>,
        reply: &mut Reply,
    ) -> Outcome {
        if let Some(outcome) = self.verdict(clicks.clone().map(|(_, mysfit)| &answers.by_id[mysfit]), answers.any) {
            return outcome;
        }
        lines.clear();
        let room = reply.room(record);
        let origin = self.line.origin(|| record.arrived_at().map(|at| format!("{at:.3}")), || record.id());
        let mut record_keys: Option<BTreeMap<&str, String>> = None;
        let mut count = 0;
        for (click, mysfit) in clicks {
            let attributes = answers.attributes(mysfit).unwrap_or_else(|| self.unknown.view());
            self.line.write(click, attributes, &origin, lines);
            count += 1;
            if lines.len() > room {
                return Outcome::Failed(Reason::ResponseBudget);
            }
            // Firehose puts a record as a whole under one prefix.
            match self.line.partition_keys(click, attributes, &origin) {
                Some(keys) if record_keys.as_ref().is_none_or(|known| *known == keys) => record_keys = Some(keys),
                _ => return Outcome::Failed(Reason::PartitionKey),
            }
        }
        match reply.ok(record, lines, &record_keys.unwrap_or_default()) {
            Ok(()) => Outcome::Delivered { lines: count },
            Err(_) => Outcome::Failed(Reason::ResponseBudget),
        }
    }

    /// What the policies make of a record with these answers; `None` where it is to be delivered.
    ///
    /// A record that also holds clicks on mysfits that exist is never dropped: failing keeps its original.
    fn verdict<'a>(&self, mut answers: impl Iterator<Item = &'a Answer> + Clone, any: bool) -> Option<Outcome> {
        if answers.clone().all(|answer| matches!(answer, Answer::Listed(_) | Answer::Found(_))) {
            return None;
        }
        if answers.clone().any(|answer| *answer == Answer::NoRoom) {
            return Some(Outcome::Failed(Reason::ResponseBudget));
        }
        if answers.clone().any(|answer| matches!(answer, Answer::Failed | Answer::Lacking))
            && self.on_service_unavailable != OnServiceUnavailable::Pass
        {
            return Some(Outcome::Failed(if any { Reason::ServiceError } else { Reason::ServiceUnavailable }));
        }
        if !answers.clone().any(|answer| *answer == Answer::Unknown) {
            return None;
        }
        match self.on_unknown_mysfit {
            OnUnknownMysfit::Pass => None,
            OnUnknownMysfit::Drop if answers.all(|answer| *answer == Answer::Unknown) => Some(Outcome::Dropped),
            OnUnknownMysfit::Drop | OnUnknownMysfit::Fail => Some(Outcome::Failed(Reason::UnknownMysfit)),
        }
    }
}
