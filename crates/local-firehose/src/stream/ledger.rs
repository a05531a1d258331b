//! What has been accepted, until it is settled: its bytes, its place on disk, and its number.

use std::future::{Future, ready};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::Either;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::receipt::{Accepted, Receipt, Settled, cost};
use super::state::State;
use super::turns::{Turn, Turns};
use super::watched::Watched;
use firehose_model::batch::decoded_bytes;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::Shard;

/// All that is not settled.
#[derive(Debug)]
pub(super) struct Ledger {
    at_most: usize,
    bytes: AtomicUsize,
    records: AtomicU64,
    next: AtomicU64,
    state: Option<State>,
    /// In which what is on disk gets into the buffer.
    order: Mutex<Turns>,
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
        let last = left.last().map(|(sequence, _)| *sequence).max(state.as_ref().and_then(State::last));
        let after_last = last.map_or(0, |last| last + 1);
        let accepted: Vec<Accepted> =
            left.into_iter().map(|(sequence, record)| Accepted::new(sequence, record)).collect();
        let ledger = Self {
            at_most,
            bytes: AtomicUsize::new(accepted.iter().map(Accepted::bytes).sum()),
            records: AtomicU64::new(accepted.len() as u64),
            next: AtomicU64::new(now.max(after_last)),
            state,
            order: Mutex::default(),
            watched,
            given_up: AtomicBool::new(false),
        };
        let Cost { records, data_bytes, .. } = Cost::of(&accepted);
        ledger.watched.accepted(records, data_bytes);
        (ledger, accepted)
    }

    /// Accepts a record that arrived at a time; none where that is too much now.
    pub(super) fn accept(&self, data: String, arrival_ms: i64) -> Option<Accepted> {
        let sequence = self.admit(cost(&data, ""))?;
        Some(Accepted::new(sequence, Record::direct_put(sequence, arrival_ms, data)))
    }

    /// The same of a record that came by a shard.
    pub(super) fn accept_from(
        &self,
        shard: Shard,
        partition_key: String,
        data: String,
        arrival_ms: i64,
    ) -> Option<Accepted> {
        let sequence = self.admit(cost(&data, &partition_key))?;
        Some(Accepted::new(sequence, Record::from_shard(shard, sequence, partition_key, arrival_ms, data)))
    }

    /// Makes room, and gives a number to who needs it.
    fn admit(&self, bytes: usize) -> Option<u64> {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.at_most);
        self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        self.records.fetch_add(1, Ordering::Relaxed);
        Some(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// How many records are accepted and not settled.
    pub(super) fn unsettled(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Puts accepted records on disk, where there is a state, and then into the buffer, in the order of the calls. Tells whether
    /// it could; else they are as if they had never been accepted.
    ///
    /// It has begun when the call is back, and goes on whether or not somebody waits for it: a client that hangs up meanwhile
    /// does not take the records along.
    pub(super) fn keep(
        self: &Arc<Self>,
        accepted: Vec<Accepted>,
        buffer: mpsc::UnboundedSender<Vec<Accepted>>,
    ) -> impl Future<Output = bool> + use<> {
        let cost = Cost::of(&accepted);
        self.watched.accepted(cost.records, cost.data_bytes);
        if self.state.is_none() {
            return Either::Left(ready(self.hand_over(Some(accepted), cost, &buffer)));
        }
        let turn = self.order.lock().unwrap_or_else(PoisonError::into_inner).next();
        let ledger = Arc::clone(self);
        let kept = tokio::spawn(async move { ledger.write(accepted, cost, turn, &buffer).await });
        Either::Right(kept.map(|kept| kept.unwrap_or(false)))
    }

    async fn write(
        &self,
        accepted: Vec<Accepted>,
        cost: Cost,
        mut turn: Turn,
        buffer: &mpsc::UnboundedSender<Vec<Accepted>>,
    ) -> bool {
        let kept = match &self.state {
            Some(state) => state.keep(accepted).await,
            None => Some(accepted),
        };
        turn.come().await;
        self.hand_over(kept, cost, buffer)
    }

    /// Into the buffer with what could be kept.
    fn hand_over(
        &self,
        kept: Option<Vec<Accepted>>,
        cost: Cost,
        buffer: &mpsc::UnboundedSender<Vec<Accepted>>,
    ) -> bool {
        let kept = kept.is_some_and(|accepted| buffer.send(accepted).is_ok());
        if !kept {
            self.watched.unaccepted(cost.records, cost.data_bytes);
            self.give_back(cost.records, cost.bytes);
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

/// What records take of a ledger.
#[derive(Debug, Clone, Copy)]
struct Cost {
    records: usize,
    bytes: usize,
    /// Of these, the data as it is before base64.
    data_bytes: usize,
}

impl Cost {
    fn of(accepted: &[Accepted]) -> Self {
        Self {
            records: accepted.len(),
            bytes: accepted.iter().map(Accepted::bytes).sum(),
            data_bytes: accepted.iter().map(|accepted| decoded_bytes(&accepted.record.data)).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
