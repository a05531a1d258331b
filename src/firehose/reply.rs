//! Replies to transformation events, written straight into one buffer and kept below the size that Firehose takes.

use std::collections::BTreeMap;

use base64_simd::STANDARD;

use super::event::{Event, Record};
use service_kit::json;

/// The most bytes a reply may have.
///
/// A synchronous Lambda call takes 6 MB ("Lambda quotas", AWS Lambda Developer Guide); a larger reply fails the whole batch.
/// Whether that is 6,000,000 or 6,291,556 bytes makes 5 % of room, which is not worth the risk.
pub const RESPONSE_BUDGET_BYTES: usize = 6_000_000;

/// So many records can't be answered, however short each answer is: it takes two bytes more than this counts.
pub(super) const MAX_RECORDS: usize = RESPONSE_BUDGET_BYTES / FAILED.len();

const OPEN: &[u8] = br#"{"records":["#;
const CLOSE: &[u8] = b"]}";
const RECORD_ID: &[u8] = br#""recordId":"#;
const FAILED: &[u8] = br#""result":"ProcessingFailed"}"#;
const DROPPED: &[u8] = br#""result":"Dropped"}"#;
const OK_DATA: &[u8] = br#""result":"Ok","data":""#;
const OK_KAFKA: &[u8] = br#""result":"Ok","kafkaRecordValue":""#;
const METADATA: &[u8] = br#","metadata":{"partitionKeys":"#;

/// A reply in the making. Answer every record of the event once, in the event's order.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    budget: usize,
    /// What the records that are not yet answered take at least, with the closing brackets.
    reserved: usize,
}

/// The line does not fit next to the answers that the other records need.
#[derive(Debug, PartialEq, Eq)]
pub struct BudgetExceeded;

/// Not even the shortest answer to each record fits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{records} records can't be answered within {budget} bytes")]
pub struct TooManyRecords {
    records: usize,
    budget: usize,
}

impl Reply {
    /// Starts the reply to `event`, which will have `budget` bytes at most.
    ///
    /// # Errors
    /// [`TooManyRecords`] where even failing every record would take more; Firehose sends no such event.
    pub fn to(event: &Event, budget: usize) -> Result<Self, TooManyRecords> {
        let records = event.record_count();
        let reserved = event.records.iter().map(failed_len).sum::<usize>() + CLOSE.len();
        if OPEN.len() + reserved > budget {
            return Err(TooManyRecords { records, budget });
        }
        // Room that is never written to costs no memory, and a buffer that grows is copied each time.
        let mut bytes = Vec::with_capacity(budget);
        bytes.extend_from_slice(OPEN);
        Ok(Self { bytes, budget, reserved })
    }

    /// How many bytes of data an answer to `record` can hold at most.
    ///
    /// Ask before making more: a record may turn into many times its size, and a function of 128 MB has no room for that.
    #[must_use]
    pub fn room(&self, record: &Record) -> usize {
        let used = self.bytes.len() + self.reserved - failed_len(record);
        (self.budget.saturating_sub(used)) / 4 * 3
    }

    /// Answers `record` with `Ok` and `lines` as its data; `keys` become `metadata.partitionKeys`, which is left out where
    /// there are none.
    ///
    /// # Errors
    /// [`BudgetExceeded`] where the budget does not hold it; the record is then still to be answered.
    pub fn ok(&mut self, record: &Record, lines: &[u8], keys: &BTreeMap<&str, String>) -> Result<(), BudgetExceeded> {
        // Checked before anything is written: encoding megabytes only to take them back would double the work.
        if lines.len() > self.room(record) {
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

    /// Answers `record` with `Dropped`: Firehose forgets it.
    pub fn dropped(&mut self, record: &Record) {
        self.close(record, DROPPED);
    }

    /// Answers `record` with `ProcessingFailed`: Firehose keeps its original bytes in the error output.
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

/// The length of a `ProcessingFailed` answer with the comma before it: the shortest that is always allowed.
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

    fn text(reply: Reply) -> String {
        String::from_utf8(reply.finish()).unwrap()
    }

    #[test]
    fn records_are_answered_in_the_form_of_their_source() {
        let event = Event::parse(EVENT).unwrap();
        let [direct, kafka, last] = event.records.as_slice() else { panic!("three records") };
        let mut reply = Reply::to(&event, RESPONSE_BUDGET_BYTES).unwrap();
        reply.ok(direct, b"hi\n", &none()).unwrap();
        reply.ok(kafka, b"", &[("k", "v\"".to_owned())].into()).unwrap();
        reply.dropped(last);
        assert_eq!(
            text(reply),
            concat!(
                r#"{"records":[{"recordId":"a","result":"Ok","data":"aGkK"},"#,
                r#"{"result":"Ok","kafkaRecordValue":"","metadata":{"partitionKeys":{"k":"v\""}}},"#,
                r#"{"recordId":"c","result":"Dropped"}]}"#,
            )
        );
    }

    #[test]
    fn the_budget_holds_to_the_byte() {
        let event = Event::parse(EVENT).unwrap();
        let answer = |budget| {
            let mut reply = Reply::to(&event, budget).unwrap();
            let fitted = reply.ok(&event.records[0], b"hi\n", &[("k", "v".to_owned())].into()).is_ok();
            if !fitted {
                reply.failed(&event.records[0]);
            }
            reply.failed(&event.records[1]);
            reply.failed(&event.records[2]);
            (fitted, text(reply))
        };
        let (fitted, whole) = answer(RESPONSE_BUDGET_BYTES);
        assert!(fitted);
        let needed = whole.len();
        assert_eq!(answer(needed), (true, whole));
        let (fitted, shorter) = answer(needed - 1);
        assert!(!fitted && shorter.len() < needed, "{shorter}");
        assert!(shorter.starts_with(r#"{"records":[{"recordId":"a","result":"ProcessingFailed"},"#), "{shorter}");
    }

    #[test]
    fn the_last_record_may_fill_the_budget() {
        let event = Event::parse(r#"{"records":[{"recordId":"a"},{"recordId":"b"}]}"#).unwrap();
        let answer = |budget| {
            let mut reply = Reply::to(&event, budget).unwrap();
            reply.ok(&event.records[0], b"", &none())?;
            reply.ok(&event.records[1], &[b'x'; 30], &none()).map(|()| text(reply).len())
        };
        let needed = answer(RESPONSE_BUDGET_BYTES).unwrap();
        assert_eq!(answer(needed), Ok(needed));
        assert_eq!(answer(needed - 1), Err(BudgetExceeded));
    }

    #[test]
    fn an_event_that_can_not_even_be_failed_is_refused() {
        let event = Event::parse(EVENT).unwrap();
        let mut shortest = Reply::to(&event, RESPONSE_BUDGET_BYTES).unwrap();
        event.records.iter().for_each(|record| shortest.failed(record));
        let needed = text(shortest).len() + 1;
        assert!(Reply::to(&event, needed).is_ok());
        let refused = Reply::to(&event, needed - 1).unwrap_err();
        assert_eq!(refused.to_string(), format!("3 records can't be answered within {} bytes", needed - 1));
    }
}
