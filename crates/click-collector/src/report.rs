//! Statistics of one invocation.

use crate::record::BodyError;
use crate::stream::PutOutcome;

/// How many rejected bodies are logged individually; the counts include all.
const MAX_BODY_ERRORS: usize = 20;

/// Statistics of one invocation, for its log line and metrics. They include no content of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The HTTP status of the response; `None` for messages.
    pub status: Option<u16>,
    /// The messages of a queue; `None` for a request.
    pub messages: Option<usize>,
    /// Messages that stay in the queue.
    pub messages_failed: usize,
    /// Rejected bodies.
    pub refused: usize,
    /// Records to store.
    pub records: usize,
    /// Records that are not stored.
    pub failed: usize,
    /// The bytes of stored records, with their partition keys.
    pub put_bytes: usize,
    /// Calls of Kinesis.
    pub calls: usize,
    /// The last error code of Kinesis.
    pub kinesis_error: Option<String>,
    /// The first rejected bodies: the message id, if any, and the error.
    pub body_errors: Vec<(Option<String>, BodyError)>,
}

impl Report {
    pub(crate) fn reject(&mut self, message_id: Option<&str>, error: BodyError) {
        self.refused += 1;
        if self.body_errors.len() < MAX_BODY_ERRORS {
            self.body_errors.push((message_id.map(str::to_owned), error));
        }
    }

    /// Counts the outcome of records with these `sizes`.
    pub(crate) fn put(&mut self, put: &PutOutcome, sizes: impl ExactSizeIterator<Item = usize>) {
        self.records += sizes.len();
        self.failed += put.not_stored.len();
        self.calls += put.calls;
        let mut not_stored = put.not_stored.iter().peekable();
        for (index, size) in sizes.enumerate() {
            if not_stored.next_if_eq(&&index).is_none() {
                self.put_bytes += size;
            }
        }
        if let Some(error) = &put.error {
            self.kinesis_error = Some(error.code.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::PutError;

    #[test]
    fn put_outcomes_add_up() {
        let mut report = Report::default();
        let error = Some(PutError { code: "InternalFailure".to_owned(), is_permanent: false });
        report.put(&PutOutcome { not_stored: vec![0, 2], error, calls: 3 }, [1, 10, 100, 1_000].into_iter());
        report.put(&PutOutcome { not_stored: vec![], error: None, calls: 1 }, [10_000].into_iter());
        assert_eq!((report.records, report.failed, report.put_bytes, report.calls), (5, 2, 11_010, 4));
        assert_eq!(report.kinesis_error.as_deref(), Some("InternalFailure"));
    }

    #[test]
    fn every_rejected_body_is_counted_and_the_first_are_kept() {
        let mut report = Report::default();
        for id in 0..30 {
            report.reject(Some(&id.to_string()), BodyError::NotJson);
        }
        assert_eq!((report.refused, report.body_errors.len()), (30, 20));
        assert_eq!(report.body_errors[19], (Some("19".to_owned()), BodyError::NotJson));
    }
}
