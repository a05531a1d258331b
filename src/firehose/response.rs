//! Responses to transformation events, written directly into one buffer, within the size limit.

use std::collections::BTreeMap;

use base64_simd::STANDARD;

use super::event::{Event, Record};
use service_kit::json;

/// The most bytes of a response.
///
/// A synchronous invocation is limited to 6 MB ("Lambda quotas", AWS Lambda Developer Guide); a larger response fails the whole batch.
/// Whether that is 6,000,000 or 6,291,556 bytes is a difference of 5 %, which is not worth the risk.
pub const RESPONSE_BUDGET_BYTES: usize = 6_000_000;

/// An upper bound of the records of a response: each result is at least `FAILED` with a brace and a comma.
pub(super) const MAX_RECORDS: usize = RESPONSE_BUDGET_BYTES / FAILED.len();

const OPEN: &[u8] = br#"{"records":["#;
const CLOSE: &[u8] = b"]}";
const RECORD_ID: &[u8] = br#""recordId":"#;
const FAILED: &[u8] = br#""result":"ProcessingFailed"}"#;
const DROPPED: &[u8] = br#""result":"Dropped"}"#;
const OK_DATA: &[u8] = br#""result":"Ok","data":""#;
const OK_KAFKA: &[u8] = br#""result":"Ok","kafkaRecordValue":""#;
const METADATA: &[u8] = br#","metadata":{"partitionKeys":"#;

/// Builds a response. Add one result for every record of the event, in the event's order.
#[derive(Debug)]
pub struct Response {
    bytes: Vec<u8>,
    budget: usize,
    /// The least that the remaining records take, with the closing brackets.
    reserved: usize,
}

/// The lines do not fit beside the shortest results of the other records.
#[derive(Debug, PartialEq, Eq)]
pub struct BudgetExceeded;

/// Not even the shortest results fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {records} records, whose results do not fit into a response of {budget} bytes")]
pub struct TooManyRecords {
    records: usize,
    budget: usize,
}

impl Response {
    /// Starts the response to `event`, of at most `budget` bytes.
    ///
    /// # Errors
    /// Failing every record would exceed `budget`. Firehose sends no such event.
    pub fn to(event: &Event, budget: usize) -> Result<Self, TooManyRecords> {
        let records = event.record_count();
        let reserved = event.records.iter().map(failed_len).sum::<usize>() + CLOSE.len();
        if OPEN.len() + reserved > budget {
            return Err(TooManyRecords { records, budget });
        }
        // Untouched capacity takes no memory, and a growing buffer is copied.
        let mut bytes = Vec::with_capacity(budget);
        bytes.extend_from_slice(OPEN);
        Ok(Self { bytes, budget, reserved })
    }

    /// How many bytes of data the result of `record` can hold.
    ///
    /// Check it while writing lines: they may take many times the record's size, which a function of 128 MB can't hold.
    #[must_use]
    pub fn remaining_bytes(&self, record: &Record) -> usize {
        let used = self.bytes.len() + self.reserved - failed_len(record);
        (self.budget.saturating_sub(used)) / 4 * 3
    }

    /// Adds `Ok` for `record` with `lines` as its data, and `keys` as `metadata.partitionKeys` if there are any.
    ///
    /// # Errors
    /// It does not fit. The record still needs a result.
    pub fn ok(&mut self, record: &Record, lines: &[u8], keys: &BTreeMap<&str, String>) -> Result<(), BudgetExceeded> {
        // Checked first: encoding megabytes only to discard them would double the work.
        if lines.len() > self.remaining_bytes(record) {
            return Err(BudgetExceeded);
        }
        let start = self.bytes.len();
        let reserved_for_others = self.reserved - failed_len(record);
        self.open(record);
        self.bytes.extend_from_slice(if record.is_kafka() { OK_KAFKA } else { OK_DATA });
        STANDARD.encode_append(lines, &mut self.bytes);
        self.bytes.push(b'"');
        if !keys.is_empty() {
            self.bytes.extend_from_slice(METADATA);
            self.append_keys(keys);
            self.bytes.push(b'}');
        }
        self.bytes.push(b'}');
        if self.bytes.len() + reserved_for_others > self.budget {
            self.bytes.truncate(start);
            return Err(BudgetExceeded);
        }
        self.reserved = reserved_for_others;
        Ok(())
    }

    /// Adds `Dropped` for `record`: Firehose discards it.
    pub fn dropped(&mut self, record: &Record) {
        self.close(record, DROPPED);
    }

    /// Adds `ProcessingFailed` for `record`: Firehose keeps its original bytes in the error output.
    pub fn failed(&mut self, record: &Record) {
        self.close(record, FAILED);
    }

    /// The finished JSON.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(CLOSE);
        self.bytes
    }

    fn open(&mut self, record: &Record) {
        if self.bytes.len() > OPEN.len() {
            self.bytes.push(b',');
        }
        self.bytes.push(b'{');
        if let Some(id) = record.record_id {
            self.bytes.extend_from_slice(RECORD_ID);
            self.bytes.extend_from_slice(id.get().as_bytes());
            self.bytes.push(b',');
        }
    }

    fn close(&mut self, record: &Record, result: &[u8]) {
        self.reserved -= failed_len(record);
        self.open(record);
        self.bytes.extend_from_slice(result);
    }

    fn append_keys(&mut self, keys: &BTreeMap<&str, String>) {
        let mut separator = b'{';
        for (name, value) in keys {
            self.bytes.push(separator);
            json::write_text(*name, &mut self.bytes);
            self.bytes.push(b':');
            json::write_text(value.as_str(), &mut self.bytes);
            separator = b',';
        }
        self.bytes.push(b'}');
    }
}

/// The length of a `ProcessingFailed` result with a comma: the shortest that is always allowed.
fn failed_len(record: &Record) -> usize {
    let id = record.record_id.map_or(0, |id| RECORD_ID.len() + id.get().len() + 1);
    1 + 1 + id + FAILED.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"records":[{"recordId":"a","data":""},{"kafkaRecordValue":""},{"recordId":"c"}]}"#;

    fn none() -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }

    fn text(response: Response) -> String {
        String::from_utf8(response.finish()).unwrap()
    }

    #[test]
    fn results_have_the_form_of_their_source() {
        let event = Event::parse(EVENT).unwrap();
        let [direct, kafka, last] = event.records.as_slice() else { panic!("three records") };
        let mut response = Response::to(&event, RESPONSE_BUDGET_BYTES).unwrap();
        response.ok(direct, b"hi\n", &none()).unwrap();
        response.ok(kafka, b"", &[("k", "v\"".to_owned())].into()).unwrap();
        response.dropped(last);
        assert_eq!(
            text(response),
            concat!(
                r#"{"records":[{"recordId":"a","result":"Ok","data":"aGkK"},"#,
                r#"{"result":"Ok","kafkaRecordValue":"","metadata":{"partitionKeys":{"k":"v\""}}},"#,
                r#"{"recordId":"c","result":"Dropped"}]}"#,
            )
        );
    }

    #[test]
    fn the_budget_is_exact_to_the_byte() {
        let event = Event::parse(EVENT).unwrap();
        let build = |budget| {
            let mut response = Response::to(&event, budget).unwrap();
            let fitted = response.ok(&event.records[0], b"hi\n", &[("k", "v".to_owned())].into()).is_ok();
            if !fitted {
                response.failed(&event.records[0]);
            }
            response.failed(&event.records[1]);
            response.failed(&event.records[2]);
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
        let event = Event::parse(r#"{"records":[{"recordId":"a"},{"recordId":"b"}]}"#).unwrap();
        let build = |budget| {
            let mut response = Response::to(&event, budget).unwrap();
            response.ok(&event.records[0], b"", &none())?;
            response.ok(&event.records[1], &[b'x'; 30], &none()).map(|()| text(response).len())
        };
        let needed = build(RESPONSE_BUDGET_BYTES).unwrap();
        assert_eq!(build(needed), Ok(needed));
        assert_eq!(build(needed - 1), Err(BudgetExceeded));
    }

    #[test]
    fn too_many_records_for_any_response_are_refused() {
        let event = Event::parse(EVENT).unwrap();
        let mut shortest = Response::to(&event, RESPONSE_BUDGET_BYTES).unwrap();
        event.records.iter().for_each(|record| shortest.failed(record));
        let needed = text(shortest).len() + 1;
        assert!(Response::to(&event, needed).is_ok());
        let refused = Response::to(&event, needed - 1).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("found 3 records, whose results do not fit into a response of {} bytes", needed - 1)
        );
    }
}
