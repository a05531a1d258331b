//! What is kept of a stream, within its bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::entry::Entry;
use crate::stream::batch::Batch;

/// Each record has a number, from 1.
#[derive(Debug, Default)]
pub(super) struct RecordBuffer {
    limit: usize,
    /// The number of the newest record.
    pub(super) newest: u64,
    /// The latest records, without a gap. `None` has failed.
    latest: VecDeque<Option<Entry>>,
    latest_bytes: usize,
    failed: BTreeMap<u64, Entry>,
    failed_bytes: usize,
    /// The batches whose attempts are kept, with their bytes.
    batches: VecDeque<(Arc<Batch>, usize)>,
    batch_bytes: usize,
    /// The numbers of records in the order of their outcomes.
    outcomes: VecDeque<u64>,
    /// How many outcomes there have been.
    pub(super) newest_outcome: u64,
}

/// Also of a record that has failed.
const SLOT: usize = size_of::<Option<Entry>>();

impl RecordBuffer {
    pub(super) fn is_off(&self) -> bool {
        self.limit == 0
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.trim();
        self.latest.shrink_to_fit();
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn bytes(&self) -> usize {
        self.latest_bytes + self.failed_bytes + self.batch_bytes + self.outcomes.len() * size_of::<u64>()
    }

    pub(super) fn len(&self) -> usize {
        self.entries().count()
    }

    pub(super) fn oldest_ms(&self) -> Option<i64> {
        let latest = self.latest.iter().flatten().next();
        latest.or(self.failed.values().next()).map(|entry| entry.arrival_ms)
    }

    pub(super) fn push(&mut self, mut entry: Entry) -> u64 {
        self.newest += 1;
        entry.number = self.newest;
        self.latest_bytes += SLOT + entry.heap_bytes();
        self.latest.push_back(Some(entry));
        self.newest
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        let latest = self.index(number).and_then(|index| self.latest.get(index)?.as_ref());
        latest.or_else(|| self.failed.get(&number))
    }

    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let latest = self.index(number).and_then(|index| self.latest.get_mut(index)?.as_mut());
        let (entry, bytes) = match latest {
            Some(entry) => (entry, &mut self.latest_bytes),
            None => match self.failed.get_mut(&number) {
                Some(entry) => (entry, &mut self.failed_bytes),
                None => return,
            },
        };
        let before = entry.heap_bytes();
        change(entry);
        *bytes = *bytes - before + entry.heap_bytes();
    }

    /// Moves a record to those that have failed. Where it is no longer kept, `again` is.
    pub(super) fn fail(&mut self, number: u64, again: Entry, change: impl FnOnce(&mut Entry)) {
        let latest = self.index(number).and_then(|index| self.latest.get_mut(index)?.take());
        if let Some(entry) = &latest {
            self.latest_bytes -= entry.heap_bytes();
        }
        let failed = || self.failed.remove(&number).inspect(|entry| self.failed_bytes -= SLOT + entry.heap_bytes());
        let mut entry = latest.or_else(failed).unwrap_or(Entry { number, ..again });
        change(&mut entry);
        self.failed_bytes += SLOT + entry.heap_bytes();
        self.failed.insert(number, entry);
    }

    pub(super) fn end(&mut self, number: u64) {
        self.outcomes.push_back(number);
        self.newest_outcome += 1;
    }

    pub(super) fn add_batch(&mut self, batch: &Arc<Batch>) {
        let bytes = batch.bytes();
        self.batch_bytes += bytes;
        self.batches.push_back((Arc::clone(batch), bytes));
    }

    /// Failed records have at most a half, the attempts of batches a quarter, and other records the rest.
    pub(super) fn trim(&mut self) {
        while self.failed_bytes > self.limit / 2
            && let Some((_, entry)) = self.failed.pop_first()
        {
            self.failed_bytes -= SLOT + entry.heap_bytes();
        }
        while self.batch_bytes > self.limit / 4
            && let Some((batch, bytes)) = self.batches.pop_front()
        {
            batch.forget();
            self.batch_bytes -= bytes;
        }
        let outcomes = self.limit / 16 / size_of::<u64>();
        self.outcomes.drain(..self.outcomes.len().saturating_sub(outcomes));
        while self.bytes() > self.limit
            && let Some(oldest) = self.latest.pop_front()
        {
            self.latest_bytes -= SLOT + oldest.map_or(0, |entry| entry.heap_bytes());
        }
    }

    /// Some records whose numbers are below this one, newest first.
    pub(super) fn before(&self, number: u64, most: usize) -> Vec<Entry> {
        let end = match self.index(number) {
            Some(index) => index.min(self.latest.len()),
            None if number < self.first() => 0,
            None => self.latest.len(),
        };
        let latest = self.latest.range(..end).rev().flatten().take(most);
        let failed = self.failed.range(..number).rev().map(|(_, entry)| entry).take(most);
        let mut entries: Vec<&Entry> = latest.chain(failed).collect();
        entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.number));
        entries.into_iter().take(most).cloned().collect()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.latest.iter().flatten().chain(self.failed.values())
    }

    /// The numbers of the records with the outcomes after this one, and how many are missed.
    pub(super) fn outcomes_after(&self, outcome: u64, most: usize) -> (impl Iterator<Item = u64>, u64) {
        let first = self.newest_outcome - self.outcomes.len() as u64;
        let missed = first.saturating_sub(outcome);
        let skipped = usize::try_from(outcome.saturating_sub(first)).unwrap_or(usize::MAX);
        (self.outcomes.iter().copied().skip(skipped).take(most), missed)
    }

    /// The number of the first slot.
    fn first(&self) -> u64 {
        self.newest + 1 - self.latest.len() as u64
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first())?).ok()
    }
}
