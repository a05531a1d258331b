//! Refused records: why, and how many.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::Serialize;

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
            Self::Rate => "over `--rate` or the limits of a shard",
            Self::Memory => "the memory of request bodies or of `--retention-mb` is full",
            Self::Invalid => "invalid requests",
            Self::Incomplete => "incomplete requests",
            Self::Unavailable => "the stream is stopping, or its state cannot be written",
        }
    }
}

/// Refused records by reason, without zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RefusedRecords(BTreeMap<RefusalReason, u64>);

impl RefusedRecords {
    /// The refused records of a call, by its results.
    pub(super) fn of<T, E: Copy + Into<RefusalReason>>(results: &[Result<T, E>]) -> Self {
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

#[cfg(test)]
mod tests;
