//! Calls of the service, until it has stored the batch.

use std::mem;
use std::time::Duration;

use firehose_model::batch::MAX_PUT_RECORDS;
use service_kit::backoff::{Backoff, Jitter};
use tokio::time::{sleep, sleep_until};

use super::{Halt, Selected, Session, rate};
use crate::journal::Entry;
use crate::target::{Outgoing, PutOutcome};
use crate::{RedriveError, now_ms, warn};

/// How many consecutive calls may get no response: each leaves up to 500 uncertain records.
const MAX_UNANSWERED: u32 = 3;

/// After a call without a response: time for a connection or a proxy to recover.
const UNANSWERED: Backoff =
    Backoff { first: Duration::from_millis(400), most: Duration::from_secs(4), jitter: Jitter::None };

/// How many consecutive calls may store nothing. The delays between them add up to at least 16 s.
const MAX_FRUITLESS: u32 = 10;

const REFUSED: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10), jitter: Jitter::Equal };

/// The delay after a call with refused records; none to give up.
fn delay_after(fruitless: u32) -> Option<Duration> {
    (fruitless < MAX_FRUITLESS).then(|| REFUSED.delay(fruitless.max(1)))
}

/// Whether a call of at most `max_bytes` has space for one more record. A call has at most a second's worth of records.
pub(super) fn fits(batch: &[Selected], more: &Outgoing, records_per_second: u32, max_bytes: usize) -> bool {
    let bytes: usize = batch.iter().map(|selected| selected.record.bytes()).sum();
    let is_within_a_second = count_of(batch).saturating_add(rate::count(more.data.len())) <= records_per_second;
    batch.is_empty() || (batch.len() < MAX_PUT_RECORDS && bytes + more.bytes() <= max_bytes && is_within_a_second)
}

fn count_of(batch: &[Selected]) -> u32 {
    batch.iter().map(|selected| rate::count(selected.record.data.len())).fold(0, u32::saturating_add)
}

fn entries_of(batch: &[Selected]) -> Vec<Entry> {
    batch.iter().map(|selected| selected.entry).collect()
}

impl Session {
    /// Sends the batch, and again those of its records that the service refuses.
    pub(super) async fn flush(&mut self) -> Result<(), Halt> {
        let mut batch = mem::take(&mut self.batch);
        if self.context.options.dry_run {
            // So that the records of an object and of its copy count once.
            let (entries, now_ms) = (entries_of(&batch), now_ms());
            self.context.journal.sending(&entries, now_ms)?;
            return Ok(self.context.journal.answered(&entries, &[], now_ms, now_ms)?);
        }
        while !batch.is_empty() {
            let start = self.limiter.reserve(count_of(&batch));
            tokio::select! {
                biased;
                () = self.context.stop.requested(1) => return Err(Halt::Interrupted),
                () = sleep_until(start) => {}
            }
            batch = self.call(batch).await?;
        }
        Ok(())
    }

    /// Waits for the response to a call. The first interrupt does not abort the call, the second does.
    async fn put(&self, batch: &[Selected]) -> PutOutcome {
        let mut stop = self.context.stop.clone();
        let mut put = Box::pin(self.context.target.put(batch.iter().map(|selected| selected.record.clone())));
        tokio::select! {
            outcome = &mut put => return outcome,
            () = stop.requested(1) => {}
        }
        warn("interrupted: the call in flight is finished first; interrupt again to abort it");
        tokio::select! {
            outcome = put => outcome,
            () = stop.requested(2) => PutOutcome::Unknown("interrupted".to_owned()),
        }
    }

    /// Makes one call. Returns the refused records after the back-off.
    async fn call(&mut self, batch: Vec<Selected>) -> Result<Vec<Selected>, Halt> {
        let (entries, start_ms) = (entries_of(&batch), now_ms());
        self.context.journal.sending(&entries, start_ms)?;
        self.report.calls += 1;
        let (refused, why) = match self.put(&batch).await {
            PutOutcome::Stored { refused, code } => {
                self.unanswered = 0;
                (refused, code)
            }
            PutOutcome::Refused(why) => ((0..batch.len()).collect(), Some(why)),
            PutOutcome::Failed(why) => {
                if self.context.journal.answered(&[], &entries, start_ms, now_ms()).is_err() {
                    self.report.records.uncertain_now += batch.len() as u64;
                }
                return Err(RedriveError::Failed(why).into());
            }
            PutOutcome::Unknown(why) => return self.unanswered(&batch, why).await.map(|()| Vec::new()),
        };
        let mut is_refused = vec![false; batch.len()];
        for index in refused {
            is_refused[index] = true;
        }
        let mut refused_flags = is_refused.into_iter();
        let (refused, put): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|_| refused_flags.next().unwrap_or_default());
        let (put_entries, refused_entries) = (entries_of(&put), entries_of(&refused));
        if let Err(error) = self.context.journal.answered(&put_entries, &refused_entries, start_ms, now_ms()) {
            // In the journal they are still being sent.
            self.report.records.uncertain_now += (put.len() + refused.len()) as u64;
            return Err(error.into());
        }

        self.report.records.put += put.len() as u64;
        self.fruitless = if put.is_empty() { self.fruitless + 1 } else { 0 };
        for selected in put {
            self.objects[selected.object].open -= 1;
            self.finish(selected.object).await?;
        }
        if refused.is_empty() {
            return Ok(Vec::new());
        }
        self.report.refusals += refused.len() as u64;
        let Some(delay) = delay_after(self.fruitless) else {
            return Err(RedriveError::Refused(why.unwrap_or_else(|| "it gives no reason".to_owned())).into());
        };
        self.pause(delay).await?;
        Ok(refused)
    }

    /// Leaves records uncertain: in the journal they are still being sent.
    async fn unanswered(&mut self, batch: &[Selected], why: String) -> Result<(), Halt> {
        self.report.records.uncertain_now += batch.len() as u64;
        for selected in batch {
            self.objects[selected.object].stays = true;
            self.uncertain_lines.insert(selected.entry.line);
        }
        warn(&format!("{} records were sent without a response and may be stored: {why}", batch.len()));
        self.unanswered += 1;
        if self.unanswered >= MAX_UNANSWERED && !self.context.stop.is_requested() {
            return Err(RedriveError::Unanswered(self.context.target.service(), why).into());
        }
        self.pause(UNANSWERED.delay(self.unanswered)).await
    }

    async fn pause(&mut self, delay: Duration) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.context.stop.requested(1) => Err(Halt::Interrupted),
            () = sleep(delay) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::State;

    #[test]
    fn a_call_stays_within_its_limits() {
        let record = |bytes: usize, key: usize| Outgoing { data: vec![0; bytes], partition_key: "k".repeat(key) };
        let entry = Entry { line: 0, content: 0, arrival_ms: None, state: State::Open };
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
}
