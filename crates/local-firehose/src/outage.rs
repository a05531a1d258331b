//! An outage that concurrent operations share, so that its beginning and its end are reported once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use service_kit::backoff::{Backoff, Jitter};
use tokio::time::sleep;

/// Short delays, because a user waits.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5), jitter: Jitter::None };

/// How many operations wait until what they need is available again.
#[derive(Debug, Default)]
pub struct Outage(AtomicUsize);

impl Outage {
    /// Whether an operation waits.
    pub fn is_ongoing(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    pub(crate) fn begin(&self, report: impl FnOnce()) -> OutageWait<'_> {
        if self.0.fetch_add(1, Ordering::SeqCst) == 0 {
            report();
        }
        OutageWait { outage: self, attempts: 0 }
    }
}

/// Dropping it ends the wait, too: its operation may be cancelled.
pub(crate) struct OutageWait<'a> {
    outage: &'a Outage,
    attempts: u32,
}

impl OutageWait<'_> {
    pub(crate) async fn pause(&mut self) {
        self.attempts += 1;
        sleep(BACKOFF.delay(self.attempts)).await;
    }

    /// Returns true for the last one that waited.
    pub(crate) fn end(self) -> bool {
        let before = self.outage.0.fetch_sub(1, Ordering::SeqCst);
        std::mem::forget(self);
        before == 1
    }
}

impl Drop for OutageWait<'_> {
    fn drop(&mut self) {
        self.outage.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_begins_and_the_last_ends_an_outage() {
        let outage = Outage::default();
        let mut reports = 0;
        let one = outage.begin(|| reports += 1);
        let other = outage.begin(|| reports += 1);
        assert_eq!((reports, outage.is_ongoing()), (1, true));
        drop(other);
        assert!(outage.is_ongoing() && one.end() && !outage.is_ongoing());
        drop(outage.begin(|| reports += 1));
        assert_eq!(reports, 2);
    }
}
