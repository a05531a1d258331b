//! What goes on in a stream, as its parts tell it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use runtime_api::Outcome;
use tokio::time::Instant;

use super::clicks::{Clicks, add};
use super::lanes::Lane;
use super::object::{Kind, Stored};
use super::view::{Invoked, Object, View};
use crate::attempts::Seen;
use crate::metrics::Metrics;
use firehose_model::delivery::Attempt;

/// How many of the last invocations and objects are shown.
const LAST: usize = 20;

/// What the parts of a stream tell, as it happens.
#[derive(Debug)]
pub(super) struct Watched {
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    view: View,
    /// When each Lambda buffer that has records is flushed.
    buffers_due: BTreeMap<Lane, Instant>,
    /// When the first open object is stored.
    destination_due: Option<Instant>,
    /// How many records and copies have no open object yet: they are on their way to the destination buffer.
    unopened: usize,
    /// How long the first record of a Lambda buffer waits, and of an object.
    intervals: [Duration; 2],
    /// Objects that the storage has refused and not taken yet.
    refused: usize,
    /// When the first object went to the storage.
    first_put: Option<Instant>,
    /// Whether the storage has ever refused an object.
    has_refused: bool,
}

impl Watched {
    /// Nothing has happened yet.
    pub(super) fn new(stream: &str) -> Self {
        let view = View { stream: stream.to_owned(), ..View::default() };
        let now = Now {
            view,
            buffers_due: BTreeMap::new(),
            destination_due: None,
            unopened: 0,
            intervals: [Duration::ZERO; 2],
            refused: 0,
            first_put: None,
            has_refused: false,
        };
        Self { now: Mutex::new(now) }
    }

    /// The same with the intervals of the Lambda buffer and of the destination buffer.
    pub(super) fn with_intervals(self, lambda: Duration, destination: Duration) -> Self {
        self.change(|now| now.intervals = [lambda, destination]);
        self
    }

    /// The stream at this moment. Records, bytes and times agree: where records wait for a buffer's time, there is a time, and
    /// there is none where nothing waits.
    pub(super) fn view(&self) -> View {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let in_ms = |left: Duration| u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        let left = |due: Instant| due.saturating_duration_since(Instant::now());
        let mut view = now.view.clone();
        let [lambda, destination] = now.intervals;
        if view.buffered.records > 0 {
            // What no buffer has taken yet has all of its time.
            view.buffered.flush_in_ms = Some(in_ms(now.buffers_due.values().copied().min().map_or(lambda, left)));
        }
        if view.waiting.records > 0 || view.waiting.bytes > 0 {
            let unopened = (now.unopened > 0).then_some(destination);
            // What is being stored has none.
            view.waiting.flush_in_ms = now.destination_due.map(left).or(unopened).map(in_ms);
        }
        view
    }

    /// Records are in.
    pub(super) fn accepted(&self, records: usize, bytes: usize) {
        self.change(|now| {
            now.view.accepted += records as u64;
            now.view.buffered.add(records, bytes);
        });
    }

    /// Records were not kept after all.
    pub(super) fn unaccepted(&self, records: usize, bytes: usize) {
        self.change(|now| {
            now.view.accepted -= records as u64;
            now.view.buffered.remove(records, bytes);
        });
    }

    /// When a Lambda buffer is flushed; none while it is empty.
    pub(super) fn buffer_due(&self, lane: Lane, due: Option<Instant>) {
        self.change(|now| match due {
            Some(due) => drop(now.buffers_due.insert(lane, due)),
            None => drop(now.buffers_due.remove(&lane)),
        });
    }

    /// An event of a Lambda buffer is on its way to the function.
    pub(super) fn dispatched(&self, lane: Lane, records: usize, bytes: usize) {
        self.change(|now| {
            now.buffers_due.remove(&lane);
            now.view.buffered.remove(records, bytes);
            now.view.in_lambda.records += records as u64;
            now.view.in_lambda.invocations += 1;
        });
    }

    /// There are so many processes of the function.
    pub(super) fn functions(&self, processes: usize) {
        self.change(|now| now.view.in_lambda.functions = processes);
    }

    /// An attempt has ended.
    pub(super) fn invoked(&self, records: usize, seen: &Seen<'_>) {
        let metrics = seen.invocation.as_ref().map(|invocation| Metrics::of(&invocation.logs)).unwrap_or_default();
        let invoked = Invoked {
            at_ms: Timestamp::now().as_millisecond(),
            records,
            milliseconds: seen.invocation.as_ref().map_or(0.0, |invocation| invocation.duration.as_secs_f64() * 1e3),
            cold: seen.invocation.as_ref().is_ok_and(|invocation| invocation.cold),
            attempt: seen.attempt,
            outcome: outcome(seen),
            service_requests: metrics.service_requests,
        };
        self.change(|now| {
            now.view.retries += u64::from(seen.attempt > 1);
            if seen.judged.takes_failures() {
                for (reason, failed) in metrics.failed_by_reason.into_iter().flatten() {
                    add(&mut now.view.failed_by_reason, &reason, failed);
                }
            }
            push(&mut now.view.invocations, invoked);
        });
    }

    /// An event is through: so many records go on to the destination, with what the function made of them, and so many to
    /// nowhere.
    pub(super) fn transformed(&self, on: usize, bytes: usize, dropped: usize) {
        self.change(|now| {
            now.view.in_lambda.records -= (on + dropped) as u64;
            now.view.in_lambda.invocations -= 1;
            now.view.waiting.add(on, bytes);
            now.view.dropped += dropped as u64;
            now.unopened += on;
        });
    }

    /// Copies go on to the destination. They are no records of their own.
    pub(super) fn backed_up(&self, copies: usize, bytes: usize) {
        self.change(|now| {
            now.view.waiting.bytes += bytes;
            now.unopened += copies;
        });
    }

    /// A record is delivered as other bytes than those that it was sent on as.
    pub(super) fn rewritten(&self, before: usize, after: usize) {
        self.change(|now| now.view.waiting.bytes = now.view.waiting.bytes - before + after);
    }

    /// So many records and copies more are in objects, and when the first open object is stored.
    pub(super) fn opened(&self, taken: usize, due: Option<Instant>) {
        self.change(|now| {
            now.unopened -= taken;
            now.destination_due = due;
        });
    }

    /// An object is in the storage.
    pub(super) fn stored(&self, stored: Stored, clicks: Clicks) {
        let Stored { path, kind, records, bytes, faults } = stored;
        let (name, at_ms) = (kind.name(), Timestamp::now().as_millisecond());
        self.change(|now| {
            let view = &mut now.view;
            match kind {
                Kind::Delivered => view.delivered += records as u64,
                Kind::Error(_) => view.failed += records as u64,
                Kind::Backup => {}
            }
            view.waiting.remove(if kind == Kind::Backup { 0 } else { records }, bytes);
            for (code, failed) in faults {
                *view.failed_by_code.entry(code).or_default() += failed;
            }
            view.clicks.add(clicks);
            push(&mut view.objects, Object { path, kind: name, records, bytes, at_ms });
        });
    }

    /// An object goes to the storage.
    pub(super) fn putting(&self) {
        self.change(|now| _ = now.first_put.get_or_insert_with(Instant::now));
    }

    /// When the first object went to the storage.
    pub(super) fn first_put(&self) -> Option<Instant> {
        self.change(|now| now.first_put)
    }

    /// Whether the storage has ever refused an object.
    pub(super) fn has_refused(&self) -> bool {
        self.change(|now| now.has_refused)
    }

    /// The storage refused an object for the first time; tells whether it was in order until now.
    pub(super) fn refused(&self, why: &str) -> bool {
        self.change(|now| {
            now.refused += 1;
            now.has_refused = true;
            now.view.storage_error = Some(why.to_owned());
            now.refused == 1
        })
    }

    /// The storage took an object that it had refused; tells whether it is in order again.
    pub(super) fn taken(&self) -> bool {
        self.change(|now| {
            now.refused -= 1;
            if now.refused == 0 {
                now.view.storage_error = None;
            }
            now.refused == 0
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Now) -> T) -> T {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn push<T>(last: &mut VecDeque<T>, newest: T) {
    last.truncate(LAST - 1);
    last.push_front(newest);
}

fn outcome(seen: &Seen<'_>) -> &'static str {
    match (&seen.invocation, seen.judged) {
        (_, Attempt::Spoiled(..)) => "spoiled",
        (Err(_), _) => "not_started",
        (Ok(invocation), _) if !invocation.received => "not_started",
        (Ok(invocation), _) => match invocation.outcome {
            Outcome::Reply(_) => "reply",
            Outcome::Error { .. } => "error",
            Outcome::TimedOut => "timed_out",
            Outcome::Exited(_) => "exited",
        },
    }
}

#[cfg(test)]
mod tests;
