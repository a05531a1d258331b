//! One report for many refused records of a stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::notices::{Notice, Notices};
use super::refusals::{RefusedBy, RefusedRecords};

/// After the first refused record, so that a burst is one report.
const FIRST_REPORT: Duration = Duration::from_secs(1);
/// Between two reports of a stream.
const PERIOD: Duration = Duration::from_secs(10);

/// Reports the refused records of a stream: one second after the first, and then every ten seconds.
#[derive(Debug)]
pub(super) struct RefusalReports {
    by: RefusedBy,
    notices: Notices,
    runtime: Handle,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    refused: RefusedRecords,
    is_scheduled: bool,
}

impl RefusalReports {
    /// To be called within a runtime.
    pub(super) fn new(by: RefusedBy, notices: Notices) -> Self {
        Self { by, notices, runtime: Handle::current(), pending: Mutex::default() }
    }

    pub(super) fn add(self: &Arc<Self>, refused: &RefusedRecords) {
        if refused.total() == 0 {
            return;
        }
        let mut pending = self.lock();
        pending.refused.extend(refused);
        if !std::mem::replace(&mut pending.is_scheduled, true) {
            let reports = Arc::clone(self);
            self.runtime.spawn(async move { reports.run().await });
        }
    }

    /// Until a period has no refused record.
    async fn run(&self) {
        sleep(FIRST_REPORT).await;
        while self.report_or_end() {
            sleep(PERIOD).await;
        }
    }

    fn report_or_end(&self) -> bool {
        let mut pending = self.lock();
        pending.is_scheduled = pending.refused.total() > 0;
        let is_scheduled = pending.is_scheduled;
        drop(pending);
        self.report();
        is_scheduled
    }

    /// Reports those since the last report, if there are some.
    pub(super) fn report(&self) {
        let refused = std::mem::take(&mut self.lock().refused);
        if refused.total() == 0 {
            return;
        }
        tracing::warn!("{}: refused records: {refused}", self.by);
        let (at_ms, records) = (Timestamp::now().as_millisecond(), refused.total());
        self.notices.send(|| Notice::Refused { by: self.by.clone(), at_ms, records, by_reason: refused });
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
