//! Calls of the service, until it has what it was sent.

use std::mem;
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::{Halt, Session, Taken};
use crate::ledger::Entry;
use crate::pace;
use crate::report_line;
use crate::target::{Answer, Outgoing};
use crate::{RedriveError, now_ms};
use firehose_model::batch::MAX_PUT_RECORDS;

/// How many calls on end may get no answer: each leaves up to 500 records of which nobody knows.
const MAX_LOST: u32 = 3;

/// After the first of them, and four times as long after each one more: for a connection or a proxy to come back.
const LOST_PAUSE: Duration = Duration::from_millis(250);

/// Whether one more record goes along with a call of at most so many bytes. One call is no more than a second's worth.
pub(super) fn fits(batch: &[Taken], more: &Outgoing, rate: u32, max_bytes: usize) -> bool {
    let bytes: usize = batch.iter().map(|taken| taken.record.bytes()).sum();
    let is_in_a_second = count_of(batch).saturating_add(pace::count(more.data.len())) <= rate;
    batch.is_empty() || (batch.len() < MAX_PUT_RECORDS && bytes + more.bytes() <= max_bytes && is_in_a_second)
}

fn count_of(batch: &[Taken]) -> u32 {
    batch.iter().map(|taken| pace::count(taken.record.data.len())).fold(0, u32::saturating_add)
}

impl Session {
    /// Sends what waits, again and again those that are refused.
    pub(super) async fn flush(&mut self) -> Result<(), Halt> {
        let mut batch = mem::take(&mut self.batch);
        if self.options.dry_run {
            // So that a copy of an object is none more to put.
            let entries: Vec<Entry> = batch.iter().map(|taken| taken.entry).collect();
            let now_ms = now_ms();
            self.ledger.sending(&entries, now_ms)?;
            return Ok(self.ledger.answered(&entries, &[], now_ms, now_ms)?);
        }
        while !batch.is_empty() {
            let start = self.pace.book(count_of(&batch));
            tokio::select! {
                biased;
                () = self.stop.asked(1) => return Err(Halt::Interrupted),
                () = sleep_until(start) => {}
            }
            batch = self.call(batch).await?;
        }
        Ok(())
    }

    /// Waits for the answer to a call; the first interrupt does not end the wait, the second does.
    async fn put(&self, batch: &[Taken]) -> Answer {
        let mut stop = self.stop.clone();
        let mut put = Box::pin(self.target.put(batch.iter().map(|taken| taken.record.clone())));
        tokio::select! {
            answer = &mut put => return answer,
            () = stop.asked(1) => {}
        }
        report_line("interrupted: the call in flight is finished first; interrupt again to abort it");
        tokio::select! {
            answer = put => answer,
            () = stop.asked(2) => Answer::Lost("interrupted".to_owned()),
        }
    }

    /// One call; gives what was refused, when it is time to send that again.
    async fn call(&mut self, batch: Vec<Taken>) -> Result<Vec<Taken>, Halt> {
        let entries: Vec<Entry> = batch.iter().map(|taken| taken.entry).collect();
        let start_ms = now_ms();
        self.ledger.sending(&entries, start_ms)?;
        self.report.calls += 1;
        let answer = self.put(&batch).await;
        let (refused, why) = match answer {
            Answer::Stored { refused, code } => {
                self.lost = 0;
                (refused, code)
            }
            Answer::Refused(why) => ((0..batch.len()).collect(), Some(why)),
            Answer::Failed(why) => {
                if self.ledger.answered(&[], &entries, start_ms, now_ms()).is_err() {
                    self.report.records.uncertain_now += batch.len() as u64;
                }
                return Err(RedriveError::Failed(why).into());
            }
            Answer::Lost(why) => return self.lost(&batch, why).await.map(|()| Vec::new()),
        };
        let mut is_refused = vec![false; batch.len()];
        for index in &refused {
            is_refused[*index] = true;
        }
        let (refused, put): (Vec<_>, Vec<_>) = batch.into_iter().zip(is_refused).partition(|(_, refused)| *refused);
        let entries = |part: &[(Taken, bool)]| part.iter().map(|(taken, _)| taken.entry).collect::<Vec<_>>();
        if let Err(error) = self.ledger.answered(&entries(&put), &entries(&refused), start_ms, now_ms()) {
            // What is written down is that they are being sent.
            self.report.records.uncertain_now += (put.len() + refused.len()) as u64;
            return Err(error.into());
        }

        self.report.records.put += put.len() as u64;
        let put_some = !put.is_empty();
        for (taken, _) in put {
            self.objects[taken.object].open -= 1;
            self.done(taken.object).await?;
        }
        if refused.is_empty() {
            self.pace.went_well();
            return Ok(Vec::new());
        }
        self.report.refusals += refused.len() as u64;
        let Some(pause) = self.pace.pause(put_some, fastrand::f64()) else {
            return Err(RedriveError::Refused(why.unwrap_or_else(|| "it tells no reason".to_owned())).into());
        };
        self.rest(pause).await?;
        Ok(refused.into_iter().map(|(taken, _)| taken).collect())
    }

    /// Nobody knows what became of these records. They stay as they are in the ledger: sending.
    async fn lost(&mut self, batch: &[Taken], why: String) -> Result<(), Halt> {
        self.report.records.uncertain_now += batch.len() as u64;
        for taken in batch {
            self.objects[taken.object].stays = true;
            self.lost_lines.insert(taken.entry.line);
        }
        report_line(&format!("{} records were sent, and perhaps not stored: {why}", batch.len()));
        self.lost += 1;
        if self.lost >= MAX_LOST && !self.stop.is_asked() {
            return Err(RedriveError::Lost { service: self.target.service(), why }.into());
        }
        self.rest(LOST_PAUSE * 4_u32.pow(self.lost.saturating_sub(1).min(MAX_LOST))).await
    }

    async fn rest(&mut self, pause: Duration) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = self.stop.asked(1) => Err(Halt::Interrupted),
            () = sleep(pause) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::State;

    #[test]
    fn a_call_keeps_within_its_limits() {
        let record = |bytes: usize, key: usize| Outgoing { data: vec![0; bytes], partition_key: "k".repeat(key) };
        let entry = Entry { line: 0, content: 0, arrival_ms: None, state: State::Open };
        let taken = |bytes: usize, key: usize| Taken { object: 0, entry, record: record(bytes, key) };
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
            let batch: Vec<Taken> = (0..records).map(|_| taken(bytes, 0)).collect();
            let fits = fits(&batch, &record(more, 0), rate, firehose);
            assert_eq!(fits, expected, "{records} {bytes} {more} {rate}");
        }
        // Partition keys count.
        let batch: Vec<Taken> = (0..4).map(|_| taken(1_048_320, 256)).collect();
        assert!(fits(&batch, &record(1_048_320, 256), 100_000, kinesis));
        assert!(!fits(&batch, &record(1_048_320, 257), 100_000, kinesis));
    }
}
