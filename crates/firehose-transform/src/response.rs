//! Responses to transformation events, written directly into one buffer, within the size limit.

use base64_simd::STANDARD;

use crate::budget::{CLOSE, FAILED, OPEN, RECORD_ID, RESPONSE_BUDGET_BYTES, failed_len, least_len};
use crate::event::{Event, RawRecord};

const DROPPED: &[u8] = br#""result":"Dropped"}"#;
const OK_DATA: &[u8] = br#""result":"Ok","data":""#;
const OK_KAFKA: &[u8] = br#""result":"Ok","kafkaRecordValue":""#;
const METADATA: &[u8] = br#","metadata":{"partitionKeys":"#;

/// Writes the response to an event.
///
/// Each call adds the result of the next record, in the order of the event. [`finish`](Response::finish) fails the records that have none,
/// so that each id is in the response exactly once. Space for that is reserved.
///
/// ```
/// use firehose_transform::{Event, Response};
///
/// let payload = br#"{"records":[{"recordId":"a","data":"aGk="},{"recordId":"b","data":"aG8="}]}"#;
/// let event = Event::parse(payload)?;
/// let mut response = Response::new(&event);
/// response.push_ok(b"HI\n", [("initial", "H")]).unwrap();
/// assert_eq!(
///     String::from_utf8(response.finish()).unwrap(),
///     concat!(
///         r#"{"records":[{"recordId":"a","result":"Ok","data":"SEkK","metadata":{"partitionKeys":{"initial":"H"}}},"#,
///         r#"{"recordId":"b","result":"ProcessingFailed"}]}"#,
///     )
/// );
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Debug)]
pub struct Response<'e> {
    bytes: Vec<u8>,
    /// The length of the complete results. A result stays incomplete if the caller's partition keys panic.
    written: usize,
    budget: usize,
    /// The least that the remaining records take, with the closing brackets.
    reserved: usize,
    remaining: &'e [RawRecord<'e>],
}

/// The data does not fit beside the shortest results of the other records, or every record has a result.
///
/// ```
/// use firehose_transform::{BudgetExceeded, Event, RESPONSE_BUDGET_BYTES, Response};
///
/// let event = Event::parse(br#"{"records":[{"recordId":"a","data":""}]}"#)?;
/// let mut response = Response::new(&event);
/// let data = vec![0; RESPONSE_BUDGET_BYTES];
/// assert!(response.remaining_bytes() < data.len());
/// assert_eq!(response.push_ok(&data, [("", ""); 0]), Err(BudgetExceeded));
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data does not fit into the response")]
pub struct BudgetExceeded;

impl<'e> Response<'e> {
    /// Starts the response to `event`, of at most [`RESPONSE_BUDGET_BYTES`].
    #[must_use]
    pub fn new(event: &'e Event<'e>) -> Self {
        // An event that needs more is refused by its parser.
        Self::start(event, RESPONSE_BUDGET_BYTES)
    }

    /// Starts a response of at most `budget` bytes, or [`RESPONSE_BUDGET_BYTES`] if that is less; `None` if failing every record takes more.
    // For tests of this repository, which need a response that is full: Lambda has one limit.
    #[doc(hidden)]
    #[must_use]
    pub fn with_budget(event: &'e Event<'e>, budget: usize) -> Option<Self> {
        let budget = budget.min(RESPONSE_BUDGET_BYTES);
        (least_len(event.records.iter().map(|record| record.id)) <= budget).then(|| Self::start(event, budget))
    }

    fn start(event: &'e Event<'e>, budget: usize) -> Self {
        // Untouched capacity takes no memory, and a growing buffer is copied.
        let mut bytes = Vec::with_capacity(budget);
        bytes.extend_from_slice(OPEN);
        let reserved = least_len(event.records.iter().map(|record| record.id)) - OPEN.len();
        Self { bytes, written: OPEN.len(), budget, reserved, remaining: &event.records }
    }

    /// More bytes of data than that do not fit into the result of the next record. Nor do a few less, because of what is around them.
    ///
    /// Check it while writing data that may be much longer than the record: a function of 128 MB can't hold everything.
    #[must_use]
    pub fn remaining_bytes(&self) -> usize {
        let Some(record) = self.remaining.first() else { return 0 };
        let used = self.written + self.reserved - failed_len(record.id);
        self.budget.saturating_sub(used) / 4 * 3
    }

    /// The next record is `Ok`, with `data` and `metadata.partitionKeys`, which dynamic partitioning needs.
    ///
    /// Firehose concatenates records, so data that is lines ends in a newline. The names of the keys must differ.
    ///
    /// # Errors
    /// It does not fit. The record still needs a result.
    pub fn push_ok<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        data: &[u8],
        partition_keys: impl IntoIterator<Item = (N, V)>,
    ) -> Result<(), BudgetExceeded> {
        // Checked first: encoding megabytes only to discard them would double the work.
        let [record, remaining @ ..] = self.remaining else { return Err(BudgetExceeded) };
        if data.len() > self.remaining_bytes() {
            return Err(BudgetExceeded);
        }
        let reserved_for_others = self.reserved - failed_len(record.id);
        self.open(record);
        self.bytes.extend_from_slice(if record.is_kafka { OK_KAFKA } else { OK_DATA });
        STANDARD.encode_append(data, &mut self.bytes);
        self.bytes.push(b'"');
        self.partition_keys(partition_keys);
        self.bytes.push(b'}');
        if self.bytes.len() + reserved_for_others > self.budget {
            self.bytes.truncate(self.written);
            return Err(BudgetExceeded);
        }
        (self.written, self.reserved, self.remaining) = (self.bytes.len(), reserved_for_others, remaining);
        Ok(())
    }

    /// The next record is `Dropped`: Firehose discards it. If every record has a result, nothing happens.
    pub fn push_dropped(&mut self) {
        self.close(DROPPED);
    }

    /// The next record is `ProcessingFailed`: Firehose keeps its original bytes in the error output. If every record has a result, nothing
    /// happens.
    pub fn push_failed(&mut self) {
        self.close(FAILED);
    }

    /// The finished JSON. Records without a result are `ProcessingFailed`.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        while !self.remaining.is_empty() {
            self.push_failed();
        }
        self.bytes.truncate(self.written);
        self.bytes.extend_from_slice(CLOSE);
        self.bytes
    }

    fn open(&mut self, record: &RawRecord<'_>) {
        self.bytes.truncate(self.written);
        if self.bytes.len() > OPEN.len() {
            self.bytes.push(b',');
        }
        self.bytes.push(b'{');
        if let Some(id) = record.id {
            self.bytes.extend_from_slice(RECORD_ID);
            self.bytes.extend_from_slice(id.as_bytes());
            self.bytes.push(b',');
        }
    }

    fn close(&mut self, result: &[u8]) {
        let [record, remaining @ ..] = self.remaining else { return };
        self.reserved -= failed_len(record.id);
        self.remaining = remaining;
        self.open(record);
        self.bytes.extend_from_slice(result);
        self.written = self.bytes.len();
    }

    fn partition_keys<N: AsRef<str>, V: AsRef<str>>(&mut self, keys: impl IntoIterator<Item = (N, V)>) {
        let mut separator = b'{';
        for (name, value) in keys {
            if separator == b'{' {
                self.bytes.extend_from_slice(METADATA);
            }
            self.bytes.push(separator);
            self.string(name.as_ref());
            self.bytes.push(b':');
            self.string(value.as_ref());
            separator = b',';
        }
        if separator == b',' {
            self.bytes.extend_from_slice(b"}}");
        }
    }

    fn string(&mut self, text: &str) {
        // Writing a string to a `Vec` can't fail.
        let written = serde_json::to_writer(&mut self.bytes, text);
        debug_assert!(written.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &[u8] = br#"{"records":[{"recordId":"a","data":""},{"kafkaRecordValue":""},{"recordId":"c"}]}"#;
    const NONE: [(&str, &str); 0] = [];

    fn text(response: Response) -> String {
        String::from_utf8(response.finish()).unwrap()
    }

    #[test]
    fn results_have_the_form_of_their_source() {
        let event = Event::parse(EVENT).unwrap();
        let mut response = Response::new(&event);
        response.push_ok(b"hi\n", NONE).unwrap();
        response.push_ok(b"", [("k", "v\""), ("l", "w")]).unwrap();
        response.push_dropped();
        assert_eq!(
            text(response),
            concat!(
                r#"{"records":[{"recordId":"a","result":"Ok","data":"aGkK"},"#,
                r#"{"result":"Ok","kafkaRecordValue":"","metadata":{"partitionKeys":{"k":"v\"","l":"w"}}},"#,
                r#"{"recordId":"c","result":"Dropped"}]}"#,
            )
        );
    }

    #[test]
    fn each_record_has_one_result() {
        let event = Event::parse(EVENT).unwrap();
        let mut response = Response::new(&event);
        response.push_dropped();
        let missing = text(response);
        assert_eq!(missing.matches("ProcessingFailed").count(), 2, "{missing}");
        let mut response = Response::new(&event);
        for _ in 0..3 {
            response.push_dropped();
        }
        assert_eq!((response.remaining_bytes(), response.push_ok(b"", NONE)), (0, Err(BudgetExceeded)));
        response.push_failed();
        let excess = text(response);
        assert_eq!((excess.matches("Dropped").count(), excess.matches("result").count()), (3, 3), "{excess}");
    }

    #[test]
    fn a_panic_of_the_callers_keys_leaves_no_trace() {
        let event = Event::parse(EVENT).unwrap();
        let mut response = Response::new(&event);
        let keys = std::iter::once(("k", "v")).chain(std::iter::from_fn(|| panic!("as a test")));
        let call = std::panic::AssertUnwindSafe(|| response.push_ok(b"hi", keys));
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(text(response).matches(r#""result":"ProcessingFailed""#).count(), 3);
        let mut response = Response::new(&event);
        let keys = std::iter::once(("k", "v")).chain(std::iter::from_fn(|| panic!("as a test")));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| response.push_ok(b"hi", keys))).is_err());
        response.push_ok(b"hi\n", NONE).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text(response)).unwrap();
        assert_eq!(json["records"][0], serde_json::json!({"recordId": "a", "result": "Ok", "data": "aGkK"}));
    }

    #[test]
    fn the_budget_is_exact_to_the_byte() {
        let event = Event::parse(EVENT).unwrap();
        let build = |budget| {
            let mut response = Response::with_budget(&event, budget).unwrap();
            let fitted = response.push_ok(b"hi\n", [("k", "v")]).is_ok();
            (fitted, text(response))
        };
        let (fitted, whole) = build(RESPONSE_BUDGET_BYTES);
        assert!(fitted);
        let needed = whole.len();
        assert_eq!(build(needed), (true, whole));
        let (fitted, shorter) = build(needed - 1);
        assert!(!fitted && shorter.len() < needed, "{shorter}");
        assert!(shorter.starts_with(r#"{"records":[{"recordId":"a","result":"ProcessingFailed"},"#), "{shorter}");
    }

    #[test]
    fn the_last_record_may_fill_the_budget() {
        let event = Event::parse(br#"{"records":[{"recordId":"a"},{"recordId":"b"}]}"#).unwrap();
        let build = |budget| {
            let mut response = Response::with_budget(&event, budget).unwrap();
            response.push_ok(b"", NONE)?;
            response.push_ok(&[b'x'; 30], NONE).map(|()| text(response).len())
        };
        let needed = build(RESPONSE_BUDGET_BYTES).unwrap();
        assert_eq!(build(needed), Ok(needed));
        assert_eq!(build(needed - 1), Err(BudgetExceeded));
    }

    #[test]
    fn a_budget_holds_the_failure_of_every_record() {
        let event = Event::parse(EVENT).unwrap();
        let needed = text(Response::new(&event)).len() + 1;
        assert!(Response::with_budget(&event, needed).is_some());
        assert!(Response::with_budget(&event, needed - 1).is_none());
    }
}
