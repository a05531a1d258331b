//! The collector: a Lambda function behind API Gateway, run as processes over the Runtime API, which puts what it keeps of a
//! request into a data stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use runtime_api::{Invocation, InvokeError, Outcome, Request, Settings};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, timeout, timeout_at};

use crate::progress;
use local_firehose::invocation::{self, describe, last_lines, with_cause};
use local_firehose::functions::{FunctionLog, Functions};

/// How many requests are here at once, with the function or waiting for it, if they are small.
const ROOM: u32 = 1024;

/// What counts for one small request: a larger one counts for several, so that there are never more than 64 MiB of them.
const SMALL_BYTES: usize = 64 * 1024;

/// The running collector. Its clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Collector(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    functions: Functions,
    /// For the requests that are here, by their size.
    room: Arc<Semaphore>,
    /// For those that are with the function.
    places: Semaphore,
    timeout: Duration,
}

/// Why a request has no answer of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Too many requests wait already.
    Busy,
    /// The collector is stopping.
    Stopping,
    /// The time was up, while it waited or while the function was at it.
    TimedOut,
    /// The function said that it failed, ended, or could not be started.
    Failed,
}

impl Collector {
    /// No process yet: the first request starts the first. So many requests are with the function at once, each in a process
    /// of its own; others wait. The settings' timeout is for both, the wait and the function.
    pub(crate) fn new(settings: Settings, at_once: usize, log: Arc<FunctionLog>) -> Self {
        let timeout = settings.timeout;
        let (room, places) = (Arc::new(Semaphore::new(ROOM as usize)), Semaphore::new(at_once));
        Self(Arc::new(Parts { functions: Functions::new(settings, log), room, places, timeout }))
    }

    /// Hands an event to the function, and gives its reply.
    pub(crate) async fn invoke(&self, event: Vec<u8>) -> Result<Bytes, NoAnswer> {
        let deadline = Instant::now() + self.0.timeout;
        let room = self.0.room_for(&event)?;
        let parts = Arc::clone(&self.0);
        // In a task of its own: as in Lambda, a request that has begun goes on when its client is gone.
        let invoked = tokio::spawn(async move {
            let _room = room;
            parts.invoke(event, deadline).await
        });
        invoked.await.unwrap_or(Err(NoAnswer::Failed))
    }

    /// Takes no more requests, waits for the end of those that have begun, which is not longer than one of them may take, and
    /// ends the processes.
    pub(crate) async fn stop(&self) {
        let Parts { functions, room, timeout: longest, .. } = &*self.0;
        if room.available_permits() < ROOM as usize {
            progress::print("waiting for the collector to end what it has begun; interrupt again to leave at once");
        }
        let _all = timeout(*longest, room.acquire_many(ROOM)).await;
        room.close();
        functions.stop().await;
    }
}

impl Parts {
    /// Room for an event, until it is dropped.
    fn room_for(&self, event: &[u8]) -> Result<OwnedSemaphorePermit, NoAnswer> {
        let permits = event.len().div_ceil(SMALL_BYTES).max(1);
        let permits = u32::try_from(permits).unwrap_or(ROOM).min(ROOM);
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|refused| match refused {
            TryAcquireError::NoPermits => NoAnswer::Busy,
            TryAcquireError::Closed => NoAnswer::Stopping,
        })
    }

    async fn invoke(&self, event: Vec<u8>, deadline: Instant) -> Result<Bytes, NoAnswer> {
        let Ok(_place) = timeout_at(deadline, self.places.acquire()).await else {
            progress::print("a request waited for the collector until its time was up");
            return Err(NoAnswer::TimedOut);
        };
        let mut function = self.functions.take().map_err(|error| not_reached(&error))?;
        // What is left is also what the function is told, by `Lambda-Runtime-Deadline-Ms`.
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Request { timeout: Some(left), ..event.into() };
        // The start of a process is in the time, too, and the wait for this machine to be able to.
        let invoked = invocation::invoke(&mut function, request, self.functions.shortage());
        if let Ok(invoked) = timeout_at(deadline, invoked).await {
            self.functions.give_back(function);
            return self.outcome(invoked);
        }
        // What is not waited for may not go on: its process ends with it.
        self.functions.log().write(&function.stop().await.logs);
        progress::print(&format!("the collector {}", describe(&Outcome::TimedOut)));
        Err(NoAnswer::TimedOut)
    }

    fn outcome(&self, invoked: Result<Invocation, InvokeError>) -> Result<Bytes, NoAnswer> {
        let Invocation { outcome, received, logs, .. } = invoked.map_err(|error| not_reached(&error))?;
        self.functions.log().write(&logs);
        let how = describe(&outcome);
        if !received {
            let wrote = last_lines(&logs);
            progress::print(&format!("the collector {how} before it asked for a request, {wrote}"));
            return Err(NoAnswer::Failed);
        }
        let why = match outcome {
            Outcome::Reply(reply) => return Ok(reply),
            Outcome::TimedOut => NoAnswer::TimedOut,
            Outcome::Error { .. } | Outcome::Exited(_) => NoAnswer::Failed,
        };
        progress::print(&format!("the collector {how}"));
        Err(why)
    }
}

fn not_reached(error: &dyn std::error::Error) -> NoAnswer {
    progress::print(&format!("the collector was not reached: {}", with_cause(error)));
    NoAnswer::Failed
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A collector whose process never asks for a request, and the folder of its log.
    fn silent(timeout: Duration, at_once: usize) -> (Collector, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let log = Arc::new(FunctionLog::open(&folder.path().join("log"), false).unwrap());
        let mut settings = Settings::new("/bin/sleep");
        (settings.args, settings.timeout) = (vec!["600".into()], timeout);
        (Collector::new(settings, at_once, log), folder)
    }

    /// By a clock that goes on when nothing else does.
    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_place_and_the_function_have_one_time_together() {
        for (held, processes) in [(20, 1), (60, 0)] {
            let (collector, _folder) = silent(Duration::from_secs(29), 1);
            let begun = Instant::now();
            let invoked = tokio::spawn({
                let collector = collector.clone();
                async move { (collector.invoke(b"{}".to_vec()).await, begun.elapsed()) }
            });
            let place = collector.0.places.acquire().await.unwrap();
            tokio::time::sleep(Duration::from_secs(held)).await;
            drop(place);
            let (answer, took) = invoked.await.unwrap();
            assert_eq!((answer, took.as_secs()), (Err(NoAnswer::TimedOut), 29), "{held}");
            assert_eq!(collector.0.functions.processes(), processes);
            assert_eq!(collector.0.room.available_permits(), ROOM as usize);
        }
    }

    #[tokio::test]
    async fn what_waits_is_bounded_by_its_number_and_its_bytes() {
        for (bytes, fit) in [(2, 1024), (SMALL_BYTES + 1, 512), (6 * 1024 * 1024, 10)] {
            let (collector, _folder) = silent(Duration::from_secs(60), 1);
            let room: Vec<_> = (0..fit).map(|_| collector.0.room_for(&vec![b' '; bytes]).unwrap()).collect();
            assert_eq!(collector.invoke(vec![b' '; bytes]).await, Err(NoAnswer::Busy), "{bytes}");
            drop(room);
            assert!(collector.0.room_for(&vec![b' '; bytes]).is_ok());
        }
    }

    #[tokio::test]
    async fn one_that_stops_waits_for_what_has_begun_and_takes_no_more() {
        let (collector, _folder) = silent(Duration::from_secs(60), 1);
        let room = collector.0.room_for(b"{}").unwrap();
        let stopping = tokio::spawn({
            let collector = collector.clone();
            async move { collector.stop().await }
        });
        // It has all the rest when it waits.
        while collector.0.room.available_permits() > 0 && !stopping.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!stopping.is_finished());
        drop(room);
        stopping.await.unwrap();
        assert_eq!(collector.invoke(b"{}".to_vec()).await, Err(NoAnswer::Stopping));
    }
}
