//! An Amazon Data Firehose transformation Lambda: it adds attributes, fetched from an HTTP service by a key in the event, to each event
//! of a batch.
//!
//! [`Processor::handle`] processes a batch in one pass with one wait:
//!
//! ```text
//! bytes ─▶ Event ─▶ InputEvents ─▶ distinct keys ─▶ Lookup ─▶ LineFormat ─▶ Response ─▶ bytes
//!                 or a Reason                     (one await)             Ok | Dropped | ProcessingFailed
//! ```
//!
//! [`firehose_transform`] reads events and writes responses. An invalid record becomes a [`Reason`]; only what concerns the whole batch is an error.

pub mod config;
pub mod event;
pub mod field;
mod key;
pub mod logs;
pub mod lookup;
pub mod metrics;
mod reason;
mod report;
pub mod sigv4;

use std::collections::BTreeMap;
use std::time::Instant;

use config::{Config, OnLookupUnavailable, OnUnknownKey};
use event::{InputEvent, InputEvents, LineFormat, RecordMetadata};
use firehose_transform::{Diagnostic, Event, EventError, Invocation, Record, Response};
use lookup::{Lookup, LookupResult, LookupResults, OwnedAttributes, ServiceClient, ServiceConnection, TlsError};

pub use reason::Reason;
pub use report::Report;

/// The transformation function, with the state that it keeps between invocations.
#[derive(Debug)]
pub struct Processor {
    line_format: LineFormat,
    connection: ServiceConnection,
    lookup: Lookup,
    unknown: OwnedAttributes,
    on_unknown_key: OnUnknownKey,
    on_lookup_unavailable: OnLookupUnavailable,
}

/// Why a whole batch fails. Firehose then retries it, up to its number of retries.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The payload is not a transformation event, or has more records than a response can hold.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The service is unavailable, as [`LookupResults::service_available`] says, and `ON_LOOKUP_UNAVAILABLE` is `retry`.
    #[error("the service is unavailable: {0}")]
    ServiceUnavailable(String),
}

impl HandleError {
    /// The error type that Lambda reports.
    #[must_use]
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::Event(error) => error.error_type(),
            Self::ServiceUnavailable(_) => "ServiceUnavailable",
        }
    }
}

impl From<HandleError> for Diagnostic {
    fn from(error: HandleError) -> Self {
        Self { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}

enum RecordOutcome {
    Delivered { lines: usize },
    Dropped,
    Failed(Reason),
}

impl Processor {
    /// Sets the processor up; sends no request.
    pub fn new(config: &Config) -> Result<Self, TlsError> {
        Ok(Self {
            line_format: LineFormat::new(config),
            connection: ServiceConnection::new(config)?,
            lookup: Lookup::new(config),
            unknown: OwnedAttributes::unknown(&config.attributes),
            on_unknown_key: config.on_unknown_key,
            on_lookup_unavailable: config.on_lookup_unavailable,
        })
    }

    /// Handles an event: the response has one result for each record, in their order. Fills in `report`, on an error as far as it gets.
    pub async fn handle(
        &self,
        payload: &[u8],
        invocation: &Invocation,
        report: &mut Report,
    ) -> Result<Vec<u8>, HandleError> {
        report.event_bytes = payload.len();
        let event = Event::parse(payload)?;
        report.invocation_id = event.invocation_id().as_deref().map(report::truncate);
        report.records = event.len();

        let texts = event.records().map(|record| Ok(record?.text()?));
        let inputs = InputEvents::parse(texts, self.line_format.event_format());
        let results = self.look_up(&inputs.keys(), invocation, report).await?;
        let response = self.encode(&event, &inputs, &results, report);
        report.response_bytes = response.len();
        Ok(response)
    }

    async fn look_up(
        &self,
        keys: &[&str],
        invocation: &Invocation,
        report: &mut Report,
    ) -> Result<LookupResults, HandleError> {
        let started = Instant::now();
        let client = ServiceClient::new(&self.connection, invocation.deadline, invocation.trace_id.as_deref());
        let results = self.lookup.look_up(keys, &client).await;

        report.look_up_time = started.elapsed();
        report.requests = client.requests();
        report.stale_served = results.stale;
        report.list_age = results.list_age;
        if !keys.is_empty() && !results.service_available && self.on_lookup_unavailable == OnLookupUnavailable::Retry {
            let cause = report.requests.first_failure.clone();
            return Err(HandleError::ServiceUnavailable(
                cause.unwrap_or_else(|| "no time left for a request".to_owned()),
            ));
        }
        Ok(results)
    }

    fn encode(&self, event: &Event, inputs: &InputEvents, results: &LookupResults, report: &mut Report) -> Vec<u8> {
        let mut response = Response::new(event);
        let mut lines = Vec::new();
        for (index, (record, inputs)) in event.records().zip(inputs.records()).enumerate() {
            let outcome = match (record, inputs) {
                (Ok(record), Ok(inputs)) => self.deliver(&record, inputs, results, &mut lines, &mut response),
                (Err(error), _) => RecordOutcome::Failed(error.into()),
                (_, Err(reason)) => RecordOutcome::Failed(reason),
            };
            match outcome {
                RecordOutcome::Delivered { lines } => {
                    report.ok += 1;
                    report.lines += lines;
                }
                RecordOutcome::Dropped => {
                    report.dropped += 1;
                    response.push_dropped();
                }
                RecordOutcome::Failed(reason) => {
                    report.fail(event.record_id(index).as_deref(), reason);
                    response.push_failed();
                }
            }
        }
        response.finish()
    }

    /// `lines` is a reusable buffer.
    fn deliver<'e>(
        &self,
        record: &Record,
        inputs: impl Iterator<Item = (InputEvent<'e>, usize)> + Clone,
        results: &LookupResults,
        lines: &mut Vec<u8>,
        response: &mut Response,
    ) -> RecordOutcome {
        if let Some(outcome) =
            self.apply_policies(inputs.clone().map(|(_, key)| &results.by_key[key]), results.service_available)
        {
            return outcome;
        }
        lines.clear();
        let max_bytes = response.remaining_bytes();
        let metadata = self.line_format.record_metadata(|| arrival_time(record), || record.id());
        let metadata = metadata.as_ref().unwrap_or(RecordMetadata::NONE);
        let mut record_keys: Option<BTreeMap<&str, String>> = None;
        let mut count = 0;
        for (input, key) in inputs {
            let attributes = results.attributes(key).unwrap_or_else(|| self.unknown.view());
            self.line_format.write(input, attributes, metadata, max_bytes, lines);
            count += 1;
            if lines.len() > max_bytes {
                return RecordOutcome::Failed(Reason::ResponseBudget);
            }
            // Firehose delivers a record as a whole under one prefix.
            if self.line_format.has_partition_keys() {
                match self.line_format.partition_keys(input, attributes, metadata) {
                    Some(keys) if record_keys.as_ref().is_none_or(|known| *known == keys) => record_keys = Some(keys),
                    _ => return RecordOutcome::Failed(Reason::PartitionKey),
                }
            }
        }
        match response.push_ok(lines, record_keys.iter().flatten()) {
            Ok(()) => RecordOutcome::Delivered { lines: count },
            Err(_) => RecordOutcome::Failed(Reason::ResponseBudget),
        }
    }

    /// `None`: the record is delivered. One with keys that the service knows is never dropped: failing keeps its original.
    fn apply_policies<'a>(
        &self,
        mut results: impl Iterator<Item = &'a LookupResult> + Clone,
        service_available: bool,
    ) -> Option<RecordOutcome> {
        if results.clone().all(|result| matches!(result, LookupResult::Listed(_) | LookupResult::Found(_))) {
            return None;
        }
        if results.clone().any(|result| *result == LookupResult::OverBudget) {
            return Some(RecordOutcome::Failed(Reason::ResponseBudget));
        }
        if results.clone().any(|result| matches!(result, LookupResult::Failed | LookupResult::Incomplete))
            && self.on_lookup_unavailable != OnLookupUnavailable::Pass
        {
            return Some(RecordOutcome::Failed(if service_available {
                Reason::ServiceError
            } else {
                Reason::ServiceUnavailable
            }));
        }
        if !results.clone().any(|result| *result == LookupResult::Unknown) {
            return None;
        }
        match self.on_unknown_key {
            OnUnknownKey::Pass => None,
            OnUnknownKey::Drop if results.all(|result| *result == LookupResult::Unknown) => {
                Some(RecordOutcome::Dropped)
            }
            OnUnknownKey::Drop | OnUnknownKey::Fail => Some(RecordOutcome::Failed(Reason::UnknownKey)),
        }
    }
}

fn arrival_time(record: &Record) -> Option<String> {
    let at = jiff::Timestamp::try_from(record.arrived_at()?).ok()?;
    Some(format!("{at:.3}"))
}

#[cfg(test)]
mod tests;
