//! What has been accepted, until it is settled: its bytes, its place on disk, and its number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::state::State;
use super::view::Watched;
use crate::firehose::event::Record;

/// What a record costs in memory besides its data, roughly.
const RECORD_BYTES: usize = 200;

/// A record that has been accepted, and its receipt.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) record: Record,
    pub(super) receipt: Receipt,
}

/// Stands for an accepted record until it is settled. A record that goes two ways, to the backup and through the function, has
/// two, and is settled with the second.
///
/// Dropping one settles nothing: the record stays in the state, and comes again with the next start.
#[derive(Debug)]
pub(super) struct Receipt(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    sequence: u64,
    bytes: usize,
}

impl Receipt {
    /// The record's number, which no other record of the stream has or had.
    pub(super) fn sequence(&self) -> u64 {
        self.0.sequence
    }

    /// For the record's second way.
    pub(super) fn second(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// All that is not settled.
#[derive(Debug)]
pub(super) struct Ledger {
    at_most: usize,
    bytes: AtomicUsize,
    next: AtomicU64,
    state: Option<State>,
    watched: Arc<Watched>,
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
        let ledger =
            Self { at_most, bytes: AtomicUsize::new(0), next: AtomicU64::new(now.max(after_last)), state, watched };
        let accepted = left.into_iter().map(|(sequence, record)| {
            let bytes = record.data.len() + RECORD_BYTES;
            ledger.bytes.fetch_add(bytes, Ordering::Relaxed);
            let receipt = Receipt(Arc::new(Entry { sequence, bytes }));
            Accepted { record, receipt }
        });
        let accepted: Vec<Accepted> = accepted.collect();
        ledger.watched.accepted(accepted.len());
        (ledger, accepted)
    }

    /// A receipt for a record with so much data; none where that is too much now.
    pub(super) fn accept(&self, data_bytes: usize) -> Option<Receipt> {
        let bytes = data_bytes + RECORD_BYTES;
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.at_most);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Receipt(Arc::new(Entry { sequence: self.next.fetch_add(1, Ordering::Relaxed), bytes })))
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
        let kept = match &self.state {
            Some(state) => state.keep(accepted).await,
            None => Ok(accepted),
        };
        match kept {
            Ok(accepted) => buffer.send(accepted).is_ok(),
            Err(refused) => {
                self.watched.unaccepted(refused.len());
                self.bytes.fetch_sub(refused.iter().map(|refused| refused.receipt.0.bytes).sum(), Ordering::Relaxed);
                false
            }
        }
    }

    /// Ends what these receipts stand for, each with its record's last one.
    pub(super) fn settle(&self, receipts: Vec<Receipt>) {
        let settled: Vec<Entry> = receipts.into_iter().filter_map(|receipt| Arc::into_inner(receipt.0)).collect();
        self.bytes.fetch_sub(settled.iter().map(|entry| entry.bytes).sum(), Ordering::Relaxed);
        if let Some(state) = &self.state {
            state.settle(settled.into_iter().map(|entry| entry.sequence).collect());
        }
    }

    /// Waits until what was settled is off the disk.
    pub(super) async fn close(&self) {
        if let Some(state) = &self.state {
            state.close().await;
        }
    }
}
