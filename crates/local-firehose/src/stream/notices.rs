//! What happens in streams, for subscribers: objects, invocations, refused records, and errors of the storage. Without payloads.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::broadcast;

use super::attempt::InvocationSummary;
use super::event::ObjectSummary;
use super::refusals::{RefusedBy, RefusedRecords};
use super::value_counts::MAX_VALUE_BYTES;

/// The notices that a slow subscriber may have to read. One has at most about 8 KiB: 20 reasons of 128 bytes, and an error of 1,000
/// characters.
const CAPACITY: usize = 1024;
const MAX_REASONS: usize = 20;

/// A notice. It is serialized as an object with the field `event`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// An object is in the storage.
    Object {
        /// The delivery stream.
        stream: String,
        /// The object.
        #[serde(flatten)]
        object: ObjectSummary,
    },
    /// An attempt to invoke the function.
    Invocation {
        /// The delivery stream.
        stream: String,
        /// The attempt.
        #[serde(flatten)]
        invocation: InvocationSummary,
    },
    /// Records were refused since the last such notice of the stream.
    Refused {
        /// The stream.
        #[serde(flatten)]
        by: RefusedBy,
        /// When it is reported, in milliseconds since 1970.
        at_ms: i64,
        /// How many.
        records: u64,
        /// By reason.
        by_reason: RefusedRecords,
    },
    /// The storage refuses objects, which are retried.
    StorageError {
        /// The delivery stream.
        stream: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
        /// The first error.
        error: String,
    },
    /// The storage has accepted all objects that it had refused.
    StorageRecovered {
        /// The delivery stream.
        stream: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// The sender of notices. Clones share it.
#[derive(Debug, Clone)]
pub struct Notices(broadcast::Sender<Notice>);

impl Default for Notices {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Notices {
    /// Notices from now on. A subscriber that is more than 1,024 of them behind loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }

    /// Makes a notice only if a subscriber exists.
    pub(super) fn send(&self, notice: impl FnOnce() -> Notice) {
        if self.0.receiver_count() > 0 {
            let _unsubscribed = self.0.send(notice());
        }
    }
}

/// The most frequent reasons. A function may log any number of them, of any length.
pub(super) fn most_frequent(reasons: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut sorted: Vec<_> = reasons.iter().collect();
    sorted.sort_by_key(|(reason, failed)| (reason.len() > MAX_VALUE_BYTES, std::cmp::Reverse(**failed)));
    let mut most = BTreeMap::new();
    for (reason, failed) in sorted {
        let is_kept = most.len() < MAX_REASONS && reason.len() <= MAX_VALUE_BYTES;
        *most.entry(if is_kept { reason.clone() } else { "other".to_owned() }).or_default() += failed;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_reasons_are_kept() {
        let reasons = (0..30).map(|number| (format!("reason-{number:02}"), number));
        let long = [("x".repeat(MAX_VALUE_BYTES + 1), 100)];
        let most = most_frequent(&reasons.chain(long).collect());
        assert_eq!(
            (most.len(), most["other"], most.get("reason-09")),
            (MAX_REASONS + 1, 100 + (0..10).sum::<u64>(), None)
        );
        assert_eq!(most["reason-10"], 10);
        let few = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(most_frequent(&few), few);
    }
}
