//! Calls of the service, until it has stored the batch.

use std::mem;
use std::time::Duration;

use firehose_model::batch::MAX_PUT_RECORDS;
use service_kit::backoff::{Backoff, Jitter};
use service_kit::count::counted;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Halt, Selected, Session};
use crate::error::RedriveError;
use crate::journal::Entry;
use crate::target::{Outgoing, PutOutcome};
use crate::{now_ms, warn};

/// How many consecutive calls may get no response: each leaves up to 500 uncertain records.
const MAX_UNANSWERED: u32 = 3;

/// After a call without a response: time for a connection or a proxy to recover.
const UNANSWERED: Backoff =
    Backoff { first: Duration::from_millis(400), most: Duration::from_secs(4), jitter: Jitter::None };

/// How many consecutive calls may store nothing. The delays between them add up to at least 16 s.
const MAX_CALLS_WITHOUT_PROGRESS: u32 = 10;

const REFUSED: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10), jitter: Jitter::Equal };

fn delay_after(calls_without_progress: u32) -> Option<Duration> {
    (calls_without_progress < MAX_CALLS_WITHOUT_PROGRESS).then(|| REFUSED.delay(calls_without_progress.max(1)))
}

/// A call has at most a second's worth of records.
pub(super) fn fits(batch: &[Selected], more: &Outgoing, records_per_second: u32, max_bytes: usize) -> bool {
    let bytes: usize = batch.iter().map(|selected| selected.record.bytes()).sum();
    let is_within_a_second = weight_of(batch).saturating_add(weight(more.data.len())) <= records_per_second;
    batch.is_empty() || (batch.len() < MAX_PUT_RECORDS && bytes + more.bytes() <= max_bytes && is_within_a_second)
}

fn weight_of(batch: &[Selected]) -> u32 {
    batch.iter().map(|selected| weight(selected.record.data.len())).fold(0, u32::saturating_add)
}

fn entries_of(batch: &[Selected]) -> Vec<Entry> {
    batch.iter().map(|selected| selected.entry).collect()
}

impl Session {
    pub(super) async fn flush(&mut self) -> Result<(), Halt> {
        let mut batch = mem::take(&mut self.batch);
        if self.options.dry_run {
            // So that the records of an object and of its copy count once.
            let (entries, now_ms) = (entries_of(&batch), now_ms());
            self.journal.sending(&entries, now_ms)?;
            return Ok(self.journal.record_response(&entries, &[], now_ms, now_ms)?);
        }
        while !batch.is_empty() {
            let start = self.limiter.reserve(weight_of(&batch));
            self.interrupts.unless_requested(sleep_until(start)).await.ok_or(Halt::Interrupted)?;
            batch = self.call(batch).await?;
        }
        Ok(())
    }

    async fn put(&self, batch: &[Selected]) -> PutOutcome {
        let mut interrupts = self.interrupts.clone();
        let mut put = Box::pin(self.target.put(batch.iter().map(|selected| selected.record.clone())));
        tokio::select! {
            outcome = &mut put => return outcome,
            () = interrupts.requested(1) => {}
        }
        tracing::info!("interrupted: the call in flight is finished first; interrupt again to abort it");
        tokio::select! {
            outcome = put => outcome,
            () = interrupts.requested(2) => PutOutcome::Unknown("interrupted".to_owned()),
        }
    }

    async fn call(&mut self, batch: Vec<Selected>) -> Result<Vec<Selected>, Halt> {
        let (entries, start_ms) = (entries_of(&batch), now_ms());
        self.journal.sending(&entries, start_ms)?;
        self.report.calls += 1;
        let (refused, why) = match self.put(&batch).await {
            PutOutcome::Stored { refused, code } => {
                self.unanswered = 0;
                (refused, code)
            }
            PutOutcome::Refused(why) => ((0..batch.len()).collect(), Some(why)),
            PutOutcome::Failed(why) => {
                if self.journal.record_response(&[], &entries, start_ms, now_ms()).is_err() {
                    self.report.records.uncertain_now += batch.len() as u64;
                }
                return Err(RedriveError::Failed(format!("the service refuses the call: {why}")).into());
            }
            PutOutcome::Unknown(why) => return self.unanswered(&batch, why).await.map(|()| Vec::new()),
        };
        let mut indices = 0..batch.len();
        let (refused, put): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|_| indices.next().is_some_and(|index| refused.contains(&index)));
        let (put_entries, refused_entries) = (entries_of(&put), entries_of(&refused));
        if let Err(error) = self.journal.record_response(&put_entries, &refused_entries, start_ms, now_ms()) {
            // In the journal they are still being sent.
            self.report.records.uncertain_now += (put.len() + refused.len()) as u64;
            return Err(error.into());
        }

        self.report.records.put += put.len() as u64;
        self.calls_without_progress = if put.is_empty() { self.calls_without_progress + 1 } else { 0 };
        for selected in put {
            self.objects[selected.object].pending -= 1;
            self.finish(selected.object).await?;
        }
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        self.report.refusals += refused.len() as u64;
        let Some(delay) = delay_after(self.calls_without_progress) else {
            let why = why.unwrap_or_else(|| "it gives no reason".to_owned());
            return Err(RedriveError::Failed(format!("the service refuses records, after retries: {why}")).into());
        };
        self.interrupts.unless_requested(sleep(delay)).await.ok_or(Halt::Interrupted)?;
        Ok(refused)
    }

    /// In the journal they are still being sent.
    async fn unanswered(&mut self, batch: &[Selected], why: String) -> Result<(), Halt> {
        self.report.records.uncertain_now += batch.len() as u64;
        for selected in batch {
            self.objects[selected.object].is_incomplete = true;
            self.uncertain_lines.insert(selected.entry.line);
        }
        warn(&format!(
            "{} sent without a response and may be stored: {why}",
            counted(batch.len() as u64, "record was", "records were")
        ));
        self.unanswered += 1;
        if self.unanswered >= MAX_UNANSWERED && !self.interrupts.is_requested() {
            return Err(RedriveError::Failed(format!("no response from {}: {why}", self.target.service.name)).into());
        }
        self.interrupts.unless_requested(sleep(UNANSWERED.delay(self.unanswered))).await.ok_or(Halt::Interrupted)
    }
}

const BYTES_PER_COUNT: usize = 512;

/// How many records a record counts for. The service's quota of bytes per second is lower than its quota of records allows.
pub(super) fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_COUNT)).unwrap_or(u32::MAX).max(1)
}

#[derive(Debug)]
pub(super) struct RateLimiter {
    per_record: Duration,
    next: Instant,
}

impl RateLimiter {
    pub(super) fn new(records_per_second: u32) -> Self {
        Self { per_record: Duration::from_secs(1) / records_per_second.max(1), next: Instant::now() }
    }

    /// Unused time is not saved.
    pub(super) fn reserve(&mut self, count: u32) -> Instant {
        let start = self.next.max(Instant::now());
        self.next = start + self.per_record * count;
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::State;

    #[test]
    fn a_call_stays_within_its_limits() {
        let record = |bytes: usize, key: usize| Outgoing { data: vec![0; bytes], partition_key: "k".repeat(key) };
        let entry = Entry { line: 0, content: 0, arrival_ms: None, state: State::Unknown };
        let selected = |bytes: usize, key: usize| Selected { object: 0, entry, record: record(bytes, key) };
        let (firehose, kinesis) = (4 * 1024 * 1024, 5 * 1024 * 1024);
        for (records, bytes, more, rate, expected) in [
            (0, 0, 1_024_000, 1_000, true),
            (499, 1, 1, 1_000, true),
            (500, 1, 1, 1_000, false),
            (4, 1_000_000, 194_304, 100_000, true),
            (4, 1_000_000, 194_305, 100_000, false),
            (9, 1, 1, 10, true),
            (10, 1, 1, 10, false),
            // Each counts as two.
            (4, 513, 513, 10, true),
            (5, 513, 513, 10, false),
            (0, 0, 1_024_000, 1, true),
        ] {
            let batch: Vec<Selected> = (0..records).map(|_| selected(bytes, 0)).collect();
            let fits = fits(&batch, &record(more, 0), rate, firehose);
            assert_eq!(fits, expected, "{records} {bytes} {more} {rate}");
        }
        // Partition keys count.
        let batch: Vec<Selected> = (0..4).map(|_| selected(1_048_320, 256)).collect();
        assert!(fits(&batch, &record(1_048_320, 256), 100_000, kinesis));
        assert!(!fits(&batch, &record(1_048_320, 257), 100_000, kinesis));
    }

    #[test]
    fn calls_that_store_nothing_are_repeated_for_16_seconds() {
        let delays: Vec<Duration> = (1..).map_while(delay_after).collect();
        assert!(delays.len() == 9 && delays.iter().sum::<Duration>() >= Duration::from_secs(16), "{delays:?}");
        // A call that stores some records is followed by the first delay.
        assert!(delay_after(0).unwrap() <= REFUSED.first);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_records_a_second_than_the_limit() {
        let mut limiter = RateLimiter::new(100);
        let begin = Instant::now();
        let starts: Vec<u128> = (0..3).map(|_| (limiter.reserve(50) - begin).as_millis()).collect();
        assert_eq!(starts, [0, 500, 1000]);
        tokio::time::advance(Duration::from_secs(10)).await;
        // Ten seconds without a call are no credit.
        assert_eq!([(); 2].map(|()| (limiter.reserve(50) - begin).as_millis()), [10_000, 10_500]);
    }

    #[test]
    fn a_large_record_counts_as_several() {
        for (bytes, expected) in [(0, 1), (1, 1), (512, 1), (513, 2), (1_024_000, 2_000)] {
            assert_eq!(weight(bytes), expected, "{bytes}");
        }
    }
}
