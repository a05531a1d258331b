//! What goes on in a stream, as its parts tell it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use runtime_api::Outcome;
use tokio::time::Instant;

use super::clicks::{Clicks, add};
use super::lanes::Lane;
use super::object::{Kind, Stored};
use super::view::{Invoked, Object, View};
use crate::attempts::Seen;
use crate::firehose::delivery::Attempt;
use crate::metrics::Metrics;

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
    /// What each Lambda buffer has, and when it is flushed.
    buffers: BTreeMap<Lane, (usize, Option<Instant>)>,
    /// When the first open object is stored.
    destination_due: Option<Instant>,
    /// Bytes that wait in open objects, and in objects that are being stored.
    open_bytes: usize,
    storing_bytes: usize,
    /// Objects that the storage has refused and not taken yet.
    refused: usize,
}

impl Watched {
    /// Nothing has happened yet.
    pub(super) fn new(stream: &str) -> Self {
        let view = View { stream: stream.to_owned(), ..View::default() };
        let buffers = BTreeMap::new();
        let now = Now { view, buffers, destination_due: None, open_bytes: 0, storing_bytes: 0, refused: 0 };
        Self { now: Mutex::new(now) }
    }

    /// The stream at this moment.
    pub(super) fn view(&self) -> View {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let in_ms = |due: Option<Instant>| {
            let left = due?.saturating_duration_since(Instant::now());
            Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
        };
        let mut view = now.view.clone();
        view.buffered.bytes = now.buffers.values().map(|(bytes, _)| bytes).sum();
        view.buffered.flush_in_ms = in_ms(now.buffers.values().filter_map(|(_, due)| *due).min());
        view.waiting.flush_in_ms = in_ms(now.destination_due);
        view.waiting.bytes = now.open_bytes + now.storing_bytes;
        view
    }

    /// Records are in.
    pub(super) fn accepted(&self, records: usize) {
        self.change(|now| {
            now.view.accepted += records as u64;
            now.view.buffered.records += records as u64;
        });
    }

    /// Records were not kept after all.
    pub(super) fn unaccepted(&self, records: usize) {
        self.change(|now| {
            now.view.accepted -= records as u64;
            now.view.buffered.records -= records as u64;
        });
    }

    /// What a Lambda buffer has.
    pub(super) fn buffered(&self, lane: Lane, bytes: usize, due: Option<Instant>) {
        self.change(|now| now.buffers.insert(lane, (bytes, due)));
    }

    /// An event is on its way to the function.
    pub(super) fn dispatched(&self, records: usize) {
        self.change(|now| {
            now.view.buffered.records -= records as u64;
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

    /// An event is through: so many records go on to the destination, and so many to nowhere.
    pub(super) fn transformed(&self, on: usize, dropped: usize) {
        self.change(|now| {
            now.view.in_lambda.records -= (on + dropped) as u64;
            now.view.in_lambda.invocations -= 1;
            now.view.waiting.records += on as u64;
            now.view.dropped += dropped as u64;
        });
    }

    /// What the destination buffer has in open objects.
    pub(super) fn waiting(&self, bytes: usize, due: Option<Instant>) {
        self.change(|now| {
            now.open_bytes = bytes;
            now.destination_due = due;
        });
    }

    /// An object is on its way into the storage.
    pub(super) fn storing(&self, bytes: usize) {
        self.change(|now| now.storing_bytes += bytes);
    }

    /// An object is in the storage.
    pub(super) fn stored(&self, stored: Stored, clicks: Clicks) {
        let Stored { path, kind, records, bytes, faults } = stored;
        let (name, at_ms) = (kind.name(), Timestamp::now().as_millisecond());
        self.change(|now| {
            let view = &mut now.view;
            now.storing_bytes -= bytes;
            match kind {
                Kind::Delivered => view.delivered += records as u64,
                Kind::Error(_) => view.failed += records as u64,
                Kind::Backup => {}
            }
            if kind != Kind::Backup {
                view.waiting.records -= records as u64;
            }
            for (code, failed) in faults {
                *view.failed_by_code.entry(code).or_default() += failed;
            }
            view.clicks.add(clicks);
            push(&mut view.objects, Object { path, kind: name, records, bytes, at_ms });
        });
    }

    /// The storage refused an object for the first time; tells whether it was in order until now.
    pub(super) fn refused(&self, why: &str) -> bool {
        self.change(|now| {
            now.refused += 1;
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
