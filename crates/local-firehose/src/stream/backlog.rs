//! The records that are accepted and not settled: their memory, and their place on disk.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use tokio::sync::Notify;

use super::event::StreamEvent;
use super::notices::Notices;
use super::receipt::{Accepted, Receipt};
use super::recent_records::RecentRecords;
use super::refusal_reports::RefusalReports;
use super::refusals::{RefusedBy, RefusedRecords};
use super::settings::StreamSettings;
use super::state::State;
use super::stats::StreamStats;
use firehose_model::MAX_PAYLOAD_BYTES;
use firehose_model::processors::MAX_SUB_RECORDS;

/// The most base64 of a decompressed record, with the padding of its sub-records.
const MAX_DECOMPRESSED: usize = (MAX_PAYLOAD_BYTES / 3 + 1 + MAX_SUB_RECORDS) * 4;

#[derive(Debug)]
pub(super) struct Backlog {
    max_bytes: usize,
    bytes: AtomicUsize,
    records: AtomicU64,
    /// Of decompressed data, with a limit of its own: a backlog that is full of compressed records still decompresses them.
    decompressed: AtomicUsize,
    /// Notified while data cannot be decompressed: buffers and objects with such data are flushed then.
    pub(super) decompression_blocked: Notify,
    state: Option<State>,
    /// The report of an aggregated record with too many user records: one for the life of the stream.
    pub(super) reported_too_many: Once,
    /// The process exits without waiting for the records that are not flushed.
    pub(super) abandoned: AtomicBool,
}

impl Backlog {
    /// `left` are the records of an earlier run. They count, but are not limited.
    pub(super) fn new(max_bytes: usize, state: Option<State>, left: &[Accepted]) -> Self {
        Self {
            max_bytes,
            bytes: AtomicUsize::new(left.iter().map(Accepted::bytes).sum()),
            records: AtomicU64::new(left.len() as u64),
            decompressed: AtomicUsize::new(0),
            decompression_blocked: Notify::new(),
            state,
            reported_too_many: Once::new(),
            abandoned: AtomicBool::new(false),
        }
    }

    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.max_bytes);
        let reserved = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        self.records.fetch_add(u64::from(reserved), Ordering::Relaxed);
        reserved
    }

    pub(super) fn release(&self, records: usize, bytes: usize) {
        self.records.fetch_sub(records as u64, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Reserves memory for the data of one record, whose size is known only afterwards. Without other such data, it always fits.
    pub(super) fn reserve_decompressed(&self) -> bool {
        let more = |held: usize| Some(held + MAX_DECOMPRESSED).filter(|more| held == 0 || *more <= self.max_bytes);
        self.decompressed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// The parts of the record hold their share of the reservation until they are settled. The rest of it is free again.
    pub(super) fn hold_decompressed(&self, parts: &mut [Accepted]) {
        let mut held = 0;
        let failed = Arc::new(AtomicBool::new(false));
        for Accepted { record, receipt } in parts {
            receipt.decompressed = record.data.len();
            receipt.failed = Some(Arc::clone(&failed));
            held += receipt.decompressed;
        }
        self.decompressed.fetch_sub(MAX_DECOMPRESSED.saturating_sub(held), Ordering::Relaxed);
    }

    /// Calls `written` with the records and whether they were written (true without a state), in the order of the calls.
    pub(super) fn keep(&self, accepted: Vec<Accepted>, written: impl FnOnce(Vec<Accepted>, bool) + Send + 'static) {
        match &self.state {
            None => written(accepted, true),
            Some(state) => state.keep(accepted, written),
        }
    }

    pub(super) fn settle(&self, receipts: Vec<Receipt>) {
        let decompressed = receipts.iter().map(|receipt| receipt.decompressed).sum();
        self.decompressed.fetch_sub(decompressed, Ordering::Relaxed);
        let settled: Vec<_> = receipts.into_iter().filter_map(Receipt::settle).collect();
        self.release(settled.len(), settled.iter().map(|entry| entry.bytes).sum());
        if let Some(state) = &self.state {
            state.settle(settled.iter().map(|entry| entry.sequence).collect());
        }
    }

    pub(super) fn unsettled(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Returns whether all settled records are removed from the state.
    pub(super) async fn close(&self) -> bool {
        match &self.state {
            Some(state) => state.close().await,
            None => true,
        }
    }
}

/// The settings of a stream until its next update, and what outlives them.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: Arc<StreamSettings>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) stats: Arc<StreamStats>,
    pub(super) refusals: Arc<RefusalReports>,
    pub(super) records: Arc<RecentRecords>,
}

impl Context {
    /// To be called within a runtime.
    pub(super) fn new(
        settings: StreamSettings,
        file: Option<State>,
        left: &[Accepted],
        notices: Notices,
        records: Arc<RecentRecords>,
    ) -> Self {
        let backlog = Arc::new(Backlog::new(settings.backlog_bytes, file, left));
        let stats = Arc::new(StreamStats::new(&settings, notices.clone()));
        let refusals = Arc::new(RefusalReports::new(RefusedBy::Stream(settings.name.clone()), notices));
        Self { settings: Arc::new(settings), backlog, stats, refusals, records }
    }

    pub(super) fn updated(&self, settings: StreamSettings) -> Self {
        self.stats.configure(&settings);
        Self {
            settings: Arc::new(settings),
            backlog: Arc::clone(&self.backlog),
            stats: Arc::clone(&self.stats),
            refusals: Arc::clone(&self.refusals),
            records: Arc::clone(&self.records),
        }
    }

    pub(super) fn refuse(&self, refused: &RefusedRecords) {
        for (reason, records) in refused.iter() {
            self.stats.record(StreamEvent::Refused { records, reason });
        }
        self.refusals.add(refused);
    }
}

#[cfg(test)]
mod tests;
