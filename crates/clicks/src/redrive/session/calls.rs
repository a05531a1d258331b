//! Calls of Firehose, until it has what it was sent.

use tokio::time::{sleep, sleep_until};

use super::{Halt, Session, Taken};
use crate::redrive::ledger::Entry;
use crate::redrive::target::Answer;
use crate::redrive::{RedriveError, now_ms};

/// The most records of a call (Amazon Data Firehose quotas).
const MAX_RECORDS: usize = 500;

/// The most data of a call, before base64 (Amazon Data Firehose quotas: 4 MiB).
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// How many calls on end may get no answer: each leaves up to 500 records of which nobody knows.
const MAX_LOST: u32 = 3;

/// Whether one more record of so many bytes goes along with a call. One call is no more than a second's worth.
pub(super) fn fits(records: usize, bytes: usize, more: usize, rate: u32) -> bool {
    let at_most = MAX_RECORDS.min(usize::try_from(rate).unwrap_or(usize::MAX));
    records < at_most && bytes + more <= MAX_BYTES
}

impl Session {
    /// Sends what waits, again and again those that are refused.
    pub(super) async fn flush(&mut self) -> Result<(), Halt> {
        let mut batch = self.take_batch();
        if self.options.dry_run {
            return Ok(());
        }
        while !batch.is_empty() {
            let start = self.pace.book(batch.len());
            tokio::select! {
                biased;
                () = self.stop.asked(1) => return Err(Halt::Interrupted),
                () = sleep_until(start) => {}
            }
            batch = self.call(batch).await?;
        }
        Ok(())
    }

    /// One call; gives what was refused, when it is time to send that again.
    async fn call(&mut self, batch: Vec<Taken>) -> Result<Vec<Taken>, Halt> {
        let entries: Vec<Entry> = batch.iter().map(|taken| taken.entry).collect();
        let start_ms = now_ms();
        self.ledger.sending(&entries, start_ms)?;
        self.report.calls += 1;
        let answer = tokio::select! {
            answer = self.target.put(batch.iter().map(|taken| taken.data.clone())) => answer,
            () = self.stop.asked(2) => Answer::Lost("interrupted".to_owned()),
        };
        let (refused, why) = match answer {
            Answer::Stored { refused, code } => (refused, code),
            Answer::Refused(why) => ((0..batch.len()).collect(), Some(why)),
            Answer::Failed(why) => {
                self.ledger.answered(&[], &entries, start_ms, now_ms())?;
                return Err(RedriveError::Failed(why).into());
            }
            Answer::Lost(why) => return self.lost(&batch, why).map(|()| Vec::new()),
        };
        self.lost = 0;
        let mut is_refused = vec![false; batch.len()];
        for index in &refused {
            is_refused[*index] = true;
        }
        let (refused, put): (Vec<_>, Vec<_>) = batch.into_iter().zip(is_refused).partition(|(_, refused)| *refused);
        let entries = |part: &[(Taken, bool)]| part.iter().map(|(taken, _)| taken.entry).collect::<Vec<_>>();
        self.ledger.answered(&entries(&put), &entries(&refused), start_ms, now_ms())?;

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
            return Err(RedriveError::Refused(why.unwrap_or_default()).into());
        };
        tokio::select! {
            biased;
            () = self.stop.asked(1) => return Err(Halt::Interrupted),
            () = sleep(pause) => {}
        }
        Ok(refused.into_iter().map(|(taken, _)| taken).collect())
    }

    /// Nobody knows what became of these records. They stay as they are in the ledger: sending.
    fn lost(&mut self, batch: &[Taken], why: String) -> Result<(), Halt> {
        self.report.records.uncertain_now += batch.len() as u64;
        for taken in batch {
            self.objects[taken.object].stays = true;
        }
        self.tell(&format!("{} records were sent, and perhaps not stored: {why}", batch.len()));
        self.lost += 1;
        if self.stop.is_asked() {
            return Err(Halt::Interrupted);
        }
        if self.lost >= MAX_LOST { Err(RedriveError::Lost(why).into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_within_its_limits() {
        for (records, bytes, more, rate, expected) in [
            (0, 0, 1_024_000, 1_000, true),
            (499, 0, 1, 1_000, true),
            (500, 0, 1, 1_000, false),
            (1, MAX_BYTES - 1, 1, 1_000, true),
            (1, MAX_BYTES - 1, 2, 1_000, false),
            (9, 0, 1, 10, true),
            (10, 0, 1, 10, false),
            (0, 0, 1, 1, true),
        ] {
            assert_eq!(fits(records, bytes, more, rate), expected, "{records} {bytes} {more} {rate}");
        }
    }
}
