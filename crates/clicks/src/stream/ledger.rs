//! What has been accepted, until it is settled: its bytes, its place on disk, and its number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::receipt::{Accepted, RECORD_BYTES, Receipt, Settled};
use super::state::State;
use super::watched::Watched;
use crate::firehose::event::Record;

/// All that is not settled.
#[derive(Debug)]
pub(super) struct Ledger {
    at_most: usize,
    bytes: AtomicUsize,
    records: AtomicU64,
    next: AtomicU64,
    state: Option<State>,
    watched: Arc<Watched>,
    given_up: AtomicBool,
}

impl Ledger {
    /// A ledger for so many bytes, with the records that an earlier run has left, whatever their size.
    pub(super) fn new(
        at_most: usize,
        state: Option<State>,
        left: Vec<(u64, Record)>,
        watched: Arc<Watched>,
    ) -> (Self, Vec<Accepted>) {
        // By the clock, so that the numbers of a run without a state are not those of the run before it; a microsecond a
        // record leaves room for a million a second.
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let after_last = left.last().map_or(0, |(sequence, _)| sequence + 1);
        let accepted: Vec<Accepted> =
            left.into_iter().map(|(sequence, record)| Accepted::new(sequence, record)).collect();
        let ledger = Self {
            at_most,
            bytes: AtomicUsize::new(accepted.iter().map(Accepted::bytes).sum()),
            records: AtomicU64::new(accepted.len() as u64),
            next: AtomicU64::new(now.max(after_last)),
            state,
            watched,
            given_up: AtomicBool::new(false),
        };
        ledger.watched.accepted(accepted.len());
        (ledger, accepted)
    }

    /// Accepts a record that arrived at a time; none where that is too much now.
    pub(super) fn accept(&self, data: String, arrival_ms: i64) -> Option<Accepted> {
        let bytes = data.len() + RECORD_BYTES;
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.at_most);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.records.fetch_add(1, Ordering::Relaxed);
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        Some(Accepted::new(sequence, Record::direct_put(sequence, arrival_ms, data)))
    }

    /// How many records are accepted and not settled.
    pub(super) fn unsettled(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Puts accepted records on disk, where there is a state, and then into the buffer. Tells whether it could; else they are
    /// as if they had never been accepted.
    pub(super) async fn keep(
        self: &Arc<Self>,
        accepted: Vec<Accepted>,
        buffer: mpsc::UnboundedSender<Vec<Accepted>>,
    ) -> bool {
        self.watched.accepted(accepted.len());
        if self.state.is_none() {
            return self.write(accepted, &buffer).await;
        }
        // In a task of its own: a client that hangs up meanwhile does not take the records along.
        let ledger = Arc::clone(self);
        let kept = tokio::spawn(async move { ledger.write(accepted, &buffer).await });
        kept.await.unwrap_or(false)
    }

    async fn write(&self, accepted: Vec<Accepted>, buffer: &mpsc::UnboundedSender<Vec<Accepted>>) -> bool {
        let (records, bytes) = (accepted.len(), accepted.iter().map(Accepted::bytes).sum());
        let kept = match &self.state {
            Some(state) => state.keep(accepted).await,
            None => Some(accepted),
        };
        let kept = kept.is_some_and(|accepted| buffer.send(accepted).is_ok());
        if !kept {
            self.watched.unaccepted(records);
            self.give_back(records, bytes);
        }
        kept
    }

    /// Ends what these receipts stand for, each with its record's last one.
    pub(super) fn settle(&self, receipts: Vec<Receipt>) {
        let settled: Vec<Settled> = receipts.into_iter().filter_map(Receipt::settle).collect();
        self.give_back(settled.len(), settled.iter().map(|entry| entry.bytes).sum());
        if let Some(state) = &self.state {
            state.settle(settled.into_iter().map(|entry| entry.sequence).collect());
        }
    }

    fn give_back(&self, records: usize, bytes: usize) {
        self.records.fetch_sub(records as u64, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Tells that nobody waits any more for what is left.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Waits until what was settled is off the disk; tells whether it is.
    pub(super) async fn close(&self) -> bool {
        match &self.state {
            Some(state) => state.close().await,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests;
