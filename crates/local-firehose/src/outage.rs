//! An outage that concurrent operations share, so that its beginning and its end are reported once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many operations wait until what they need is available again.
#[derive(Debug, Default)]
pub struct Outage(AtomicUsize);

impl Outage {
    /// Whether an operation waits.
    pub fn is_ongoing(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    /// An operation begins to wait. The second value is true for the first one.
    pub(crate) fn begin(&self) -> (Waiting<'_>, bool) {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        (Waiting(self), before == 0)
    }
}

/// An operation that waits, also if it is cancelled.
pub(crate) struct Waiting<'a>(&'a Outage);

impl Waiting<'_> {
    /// The operation succeeded. Returns true for the last one that waited.
    pub(crate) fn end(self) -> bool {
        let before = self.0.0.fetch_sub(1, Ordering::SeqCst);
        std::mem::forget(self);
        before == 1
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_begins_and_the_last_ends_an_outage() {
        let outage = Outage::default();
        let (one, first) = outage.begin();
        let (other, second) = outage.begin();
        assert_eq!((first, second, outage.is_ongoing()), (true, false, true));
        drop(other);
        assert!(outage.is_ongoing() && one.end() && !outage.is_ongoing());
        assert!(outage.begin().1);
    }
}
