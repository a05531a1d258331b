//! The collector: a Lambda function behind API Gateway, in processes of its own, which puts requests into a data stream.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use runtime_api::{FunctionSettings, Invocation, InvokeError, Outcome, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout, timeout_at};

use super::reader::EdgeError;
use local_firehose::functions::{FunctionLog, FunctionPool};
use local_firehose::invocation::{self, describe, with_cause};
use local_firehose::stream::{RefusalReason, RefusedRecords};

const CAPACITY: u32 = 1024;

/// The size of a small request. A larger one counts as several, so that no more than 64 MiB are pending.
const SMALL_BYTES: usize = 64 * 1024;

/// The requests of the collector since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CollectorCounts {
    /// With any status.
    pub(crate) responded: u64,
    pub(crate) failed: u64,
    /// Also those that waited too long for a process.
    pub(crate) timed_out: u64,
    /// Without an invocation.
    pub(crate) refused: RefusedRecords,
}

#[derive(Debug)]
pub(crate) struct Collector {
    pool: FunctionPool,
    capacity: Arc<Semaphore>,
    concurrency: Semaphore,
    timeout: Duration,
    counts: Mutex<CollectorCounts>,
}

impl Collector {
    /// Starts no process: the first request does.
    pub(crate) fn new(settings: FunctionSettings, concurrency: usize, log: Arc<FunctionLog>) -> Arc<Self> {
        let timeout = settings.timeout;
        let (capacity, concurrency) = (Arc::new(Semaphore::new(CAPACITY as usize)), Semaphore::new(concurrency));
        let (pool, counts) = (FunctionPool::new(settings, log), Mutex::default());
        Arc::new(Self { pool, capacity, concurrency, timeout, counts })
    }

    pub(super) async fn invoke(self: &Arc<Self>, event: Vec<u8>) -> Result<Bytes, EdgeError> {
        let deadline = Instant::now() + self.timeout;
        let permit = self.reserve(&event).inspect_err(|refused| self.refuse(refused.reason()))?;
        let collector = Arc::clone(self);
        // In a task of its own: as in Lambda, an invocation continues when its client has disconnected.
        let invoked = tokio::spawn(async move {
            let _permit = permit;
            let result = collector.run(event, deadline).await;
            collector.count(&result);
            result
        });
        invoked.await.unwrap_or(Err(EdgeError::FunctionFailed))
    }

    pub(crate) async fn stop(&self) {
        let Self { pool, capacity, timeout: longest, .. } = self;
        if capacity.available_permits() < CAPACITY as usize {
            tracing::info!("waiting for requests in flight of the collector; press Ctrl-C again to exit at once");
        }
        let _all = timeout(*longest, capacity.acquire_many(CAPACITY)).await;
        capacity.close();
        pool.stop().await;
    }

    pub(crate) fn counts(&self) -> CollectorCounts {
        self.lock().clone()
    }

    /// Counts a request that was refused without an invocation.
    pub(super) fn refuse(&self, reason: RefusalReason) {
        self.lock().refused.add(1, reason);
    }

    fn count(&self, result: &Result<Bytes, EdgeError>) {
        let mut counts = self.lock();
        match result {
            Ok(_) => counts.responded += 1,
            Err(EdgeError::FunctionTimeout) => counts.timed_out += 1,
            Err(_) => counts.failed += 1,
        }
    }

    fn lock(&self) -> MutexGuard<'_, CollectorCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, event: &[u8]) -> Result<OwnedSemaphorePermit, EdgeError> {
        let permits = event.len().div_ceil(SMALL_BYTES).max(1);
        let permits = u32::try_from(permits).unwrap_or(CAPACITY).min(CAPACITY);
        Arc::clone(&self.capacity).try_acquire_many_owned(permits).map_err(|refused| match refused {
            TryAcquireError::NoPermits => EdgeError::TooManyRequests(RefusalReason::Backlog),
            TryAcquireError::Closed => EdgeError::Unavailable,
        })
    }

    async fn run(&self, event: Vec<u8>, deadline: Instant) -> Result<Bytes, EdgeError> {
        let Ok(_permit) = timeout_at(deadline, self.concurrency.acquire()).await else {
            tracing::info!("a request timed out while it waited for the collector");
            return Err(EdgeError::FunctionTimeout);
        };
        let mut function = self.pool.take().map_err(|error| not_reached(&error))?;
        // The function gets the same deadline in `Lambda-Runtime-Deadline-Ms`.
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Request { timeout: Some(left), ..event.into() };
        // The deadline covers the start of a process, too, and the wait for a machine that can start none.
        let invoked = invocation::invoke(&mut function, request, &self.pool.outage);
        if let Ok(invoked) = timeout_at(deadline, invoked).await {
            self.pool.put_back(function);
            return self.outcome(invoked);
        }
        // The invocation must not continue, so its process is stopped.
        self.pool.log.write(&function.stop().await);
        tracing::info!("the collector timed out");
        Err(EdgeError::FunctionTimeout)
    }

    fn outcome(&self, invoked: Result<Invocation, InvokeError>) -> Result<Bytes, EdgeError> {
        let invocation = invoked.map_err(|error| not_reached(&error))?;
        self.pool.log.write(&invocation.logs);
        if let Outcome::Reply(reply) = invocation.outcome {
            return Ok(reply);
        }
        tracing::info!("the collector {}", describe(&invocation));
        let has_timed_out = invocation.received && invocation.outcome == Outcome::TimedOut;
        Err(if has_timed_out { EdgeError::FunctionTimeout } else { EdgeError::FunctionFailed })
    }
}

fn not_reached(error: &dyn std::error::Error) -> EdgeError {
    tracing::info!("the collector was not reached: {}", with_cause(error));
    EdgeError::FunctionFailed
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A collector whose process never polls for a request, and the folder of its log.
    fn silent(timeout: Duration, concurrency: usize) -> (Arc<Collector>, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let mut settings = FunctionSettings::new("/bin/sleep");
        (settings.args, settings.timeout) = (vec!["600".into()], timeout);
        (Collector::new(settings, concurrency, log), folder)
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_covers_the_wait_and_the_invocation() {
        for (held, processes) in [(20, 1), (60, 0)] {
            let (collector, _folder) = silent(Duration::from_secs(29), 1);
            let started = Instant::now();
            let invoked = tokio::spawn({
                let collector = Arc::clone(&collector);
                async move { (collector.invoke(b"{}".to_vec()).await, started.elapsed()) }
            });
            let permit = collector.concurrency.acquire().await.unwrap();
            tokio::time::sleep(Duration::from_secs(held)).await;
            drop(permit);
            let (result, took) = invoked.await.unwrap();
            assert_eq!((result, took.as_secs()), (Err(EdgeError::FunctionTimeout), 29), "{held}");
            assert_eq!(collector.pool.processes(), processes);
            assert_eq!(collector.counts(), CollectorCounts { timed_out: 1, ..CollectorCounts::default() });
            assert_eq!(collector.capacity.available_permits(), CAPACITY as usize);
        }
    }

    #[tokio::test]
    async fn pending_requests_are_limited_by_number_and_size() {
        let full = EdgeError::TooManyRequests(RefusalReason::Backlog);
        for (bytes, fit) in [(2, 1024), (SMALL_BYTES + 1, 512), (6 * 1024 * 1024, 10)] {
            let (collector, _folder) = silent(Duration::from_secs(60), 1);
            let permits: Vec<_> = (0..fit).map(|_| collector.reserve(&vec![b' '; bytes]).unwrap()).collect();
            assert_eq!(collector.invoke(vec![b' '; bytes]).await, Err(full.clone()), "{bytes}");
            assert_eq!(collector.counts().refused, RefusedRecords::new(1, RefusalReason::Backlog));
            drop(permits);
            assert!(collector.reserve(&vec![b' '; bytes]).is_ok());
        }
    }

    #[tokio::test]
    async fn a_stop_waits_for_requests_in_flight_and_accepts_no_more() {
        let (collector, _folder) = silent(Duration::from_secs(60), 1);
        let permit = collector.reserve(b"{}").unwrap();
        let stopping = tokio::spawn({
            let collector = Arc::clone(&collector);
            async move { collector.stop().await }
        });
        // The stop has taken all other permits when it waits.
        while collector.capacity.available_permits() > 0 && !stopping.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished());
        drop(permit);
        stopping.await.unwrap();
        assert_eq!(collector.invoke(b"{}".to_vec()).await, Err(EdgeError::Unavailable));
    }
}
