//! What one invocation did.

use crate::refusal::Refusal;
use crate::stream::Put;

/// The most refused messages that are told one by one; the counts tell of all.
const MAX_TOLD: usize = 20;

/// What one invocation did, for its log line and its metrics. Nothing here was in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The HTTP status that was answered; `None` for messages.
    pub status: Option<u16>,
    /// The messages of a queue; `None` for a request.
    pub messages: Option<usize>,
    /// The messages that go back to the queue.
    pub messages_failed: usize,
    /// Bodies of which nothing can be stored.
    pub refused: usize,
    /// The records that were to be stored.
    pub records: usize,
    /// Those of them that are not.
    pub failed: usize,
    /// The bytes of those that are, partition keys included.
    pub put_bytes: usize,
    /// The calls of Kinesis.
    pub calls: usize,
    /// Why records are not stored, as Kinesis said last.
    pub kinesis_error: Option<String>,
    /// The first refused bodies: the message's id, where there is one, and why.
    pub refusals: Vec<(Option<String>, Refusal)>,
}

impl Report {
    /// Counts a body of which nothing is stored.
    pub fn refuse(&mut self, message_id: Option<&str>, refusal: Refusal) {
        self.refused += 1;
        if self.refusals.len() < MAX_TOLD {
            self.refusals.push((message_id.map(str::to_owned), refusal));
        }
    }

    /// Counts what became of records that have `sizes`.
    pub fn put(&mut self, put: &Put, sizes: impl ExactSizeIterator<Item = usize>) {
        self.records += sizes.len();
        self.failed += put.left.len();
        self.calls += put.calls;
        let mut left = put.left.iter().peekable();
        for (index, size) in sizes.enumerate() {
            if left.next_if_eq(&&index).is_none() {
                self.put_bytes += size;
            }
        }
        if let Some(failure) = &put.failure {
            self.kinesis_error = Some(failure.code.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Failure;

    #[test]
    fn put_outcomes_add_up() {
        let mut report = Report::default();
        let failure = Some(Failure { code: "InternalFailure".to_owned(), lasts: false });
        report.put(&Put { left: vec![0, 2], failure, calls: 3 }, [1, 10, 100, 1_000].into_iter());
        report.put(&Put { left: vec![], failure: None, calls: 1 }, [10_000].into_iter());
        assert_eq!((report.records, report.failed, report.put_bytes, report.calls), (5, 2, 11_010, 4));
        assert_eq!(report.kinesis_error.as_deref(), Some("InternalFailure"));
    }

    #[test]
    fn every_rejected_body_is_counted_and_the_first_are_kept() {
        let mut report = Report::default();
        for id in 0..30 {
            report.refuse(Some(&id.to_string()), Refusal::NotJson);
        }
        assert_eq!((report.refused, report.refusals.len()), (30, 20));
        assert_eq!(report.refusals[19], (Some("19".to_owned()), Refusal::NotJson));
    }
}
