//! Refused records: why, how many, and one report for many of them.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::intake::PutError;
use super::notices::{Notice, Notices};

/// After the first refused record, so that a burst is one report.
const FIRST_REPORT: Duration = Duration::from_secs(1);
/// Between two reports of a stream.
const PERIOD: Duration = Duration::from_secs(10);

/// Why a record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalReason {
    /// The backlog of its stream is full (`--backlog-mb`), or that of the collector.
    Backlog,
    /// It is over the rate of its route at the edge (`--rate`, `--burst`), or over the write limits of its shard.
    Rate,
    /// The memory of request bodies is full, or that of data streams (`--retention-mb`).
    Memory,
    /// It is invalid, or a part of a request that is.
    Invalid,
    /// The body of its request did not arrive, or not in time.
    Incomplete,
    /// Its stream is stopping, or the state cannot be written (`--state`).
    Unavailable,
}

impl RefusalReason {
    /// All reasons, in the order of their variants.
    pub const ALL: [Self; 6] =
        [Self::Backlog, Self::Rate, Self::Memory, Self::Invalid, Self::Incomplete, Self::Unavailable];

    /// Its name in JSON and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Rate => "rate",
            Self::Memory => "memory",
            Self::Invalid => "invalid",
            Self::Incomplete => "incomplete",
            Self::Unavailable => "unavailable",
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::Backlog => "the backlog is full: `--backlog-mb`",
            Self::Rate => "over the rate of the edge, `--rate`, or of a shard",
            Self::Memory => "the memory of request bodies or of `--retention-mb` is full",
            Self::Invalid => "invalid requests",
            Self::Incomplete => "incomplete requests",
            Self::Unavailable => "the stream is stopping, or its state cannot be written",
        }
    }
}

impl From<PutError> for RefusalReason {
    fn from(error: PutError) -> Self {
        match error {
            PutError::BacklogFull(_) => Self::Backlog,
            PutError::Throttled(_) => Self::Rate,
            PutError::RetentionFull => Self::Memory,
            PutError::Unavailable => Self::Unavailable,
        }
    }
}

/// Refused records by reason, without zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RefusedRecords(BTreeMap<RefusalReason, u64>);

impl RefusedRecords {
    /// The refused records of a call, by its results.
    pub(super) fn of<T>(results: &[Result<T, PutError>]) -> Self {
        let mut refused = Self::default();
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            refused.add(1, (*error).into());
        }
        refused
    }

    /// Those of one reason.
    #[must_use]
    pub fn new(records: u64, reason: RefusalReason) -> Self {
        let mut refused = Self::default();
        refused.add(records, reason);
        refused
    }

    pub(super) fn extend(&mut self, more: &Self) {
        more.iter().for_each(|(reason, records)| self.add(records, reason));
    }

    /// Adds some.
    pub fn add(&mut self, records: u64, reason: RefusalReason) {
        if records > 0 {
            *self.0.entry(reason).or_default() += records;
        }
    }

    /// Each reason with its records.
    pub fn iter(&self) -> impl Iterator<Item = (RefusalReason, u64)> {
        self.0.iter().map(|(reason, records)| (*reason, *records))
    }

    /// Those of one reason.
    #[must_use]
    pub fn get(&self, reason: RefusalReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or_default()
    }

    /// Those of all reasons.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl Display for RefusedRecords {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for (index, (reason, records)) in self.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(formatter, "{separator}{records} ({})", reason.description())?;
        }
        Ok(())
    }
}

/// Where a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBy {
    /// At a delivery stream, or at the data stream that is configured with it.
    Stream(String),
    /// At a data stream that a caller has created.
    DataStream(String),
}

impl Display for RefusedBy {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(name) => formatter.write_str(name),
            Self::DataStream(name) => write!(formatter, "the data stream {name}"),
        }
    }
}

/// Reports the refused records of a stream: one second after the first, and then every ten seconds.
#[derive(Debug)]
pub(super) struct RefusalReports {
    by: RefusedBy,
    notices: Notices,
    runtime: Handle,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    refused: RefusedRecords,
    is_scheduled: bool,
}

impl RefusalReports {
    /// To be called within a runtime.
    pub(super) fn new(by: RefusedBy, notices: Notices) -> Self {
        Self { by, notices, runtime: Handle::current(), pending: Mutex::default() }
    }

    pub(super) fn add(self: &Arc<Self>, refused: &RefusedRecords) {
        if refused.total() == 0 {
            return;
        }
        let mut pending = self.lock();
        pending.refused.extend(refused);
        if !std::mem::replace(&mut pending.is_scheduled, true) {
            let reports = Arc::clone(self);
            self.runtime.spawn(async move { reports.run().await });
        }
    }

    /// Until a period has no refused record.
    async fn run(&self) {
        sleep(FIRST_REPORT).await;
        while self.report_or_end() {
            sleep(PERIOD).await;
        }
    }

    fn report_or_end(&self) -> bool {
        let mut pending = self.lock();
        pending.is_scheduled = pending.refused.total() > 0;
        let is_scheduled = pending.is_scheduled;
        drop(pending);
        self.report();
        is_scheduled
    }

    /// Reports those since the last report, if there are some.
    pub(super) fn report(&self) {
        let refused = std::mem::take(&mut self.lock().refused);
        if refused.total() == 0 {
            return;
        }
        tracing::warn!("{}: refused records: {refused}", self.by);
        let (at_ms, records) = (Timestamp::now().as_millisecond(), refused.total());
        self.notices.send(|| Notice::Refused { by: self.by.clone(), at_ms, records, by_reason: refused });
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
