//! Collects records into events by size and by count, as Firehose's Lambda buffer does.

use crate::MAX_PAYLOAD_BYTES;
use crate::event::{Event, Record, StreamIdentity};
use crate::source::decoded_bytes;

/// The most records of a `PutRecordBatch` (Amazon Data Firehose quotas).
pub const MAX_PUT_RECORDS: usize = 500;
/// The most data of a `PutRecordBatch`, before base64 (Amazon Data Firehose quotas: 4 MiB).
pub const MAX_PUT_BYTES: usize = 4 * 1024 * 1024;
/// Firehose's MB, which is a MiB.
pub const MB: usize = 1024 * 1024;
/// Firehose's smallest `BufferSizeInMBs`.
pub const SMALLEST_BUFFER_MB: f64 = 0.2;
/// Firehose's largest `BufferSizeInMBs`.
pub const LARGEST_BUFFER_MB: f64 = 3.0;
/// Firehose's default `BufferSizeInMBs`.
pub const DEFAULT_BUFFER_MB: f64 = 1.0;
/// About 1 MB of clicks.
pub const DEFAULT_BUFFER_RECORDS: u32 = 10_000;
/// The size of an event without its records, generously.
const ENVELOPE_BYTES: usize = 1024;
/// The size of a record without its data and id: three names with quotes, and a timestamp of 13 digits.
const RECORD_OVERHEAD_BYTES: usize = 80;
/// What a record of a data stream has in addition: six names with quotes, a shard id, 56 digits and a timestamp.
const FROM_SHARD_OVERHEAD_BYTES: usize = 300;
/// The longest record id, which is that of a record of a data stream.
const LONGEST_ID_BYTES: usize = 160;

/// Whether Lambda accepts an event of this record alone.
#[must_use]
pub fn fits_an_event(data: &str) -> bool {
    let overhead = ENVELOPE_BYTES + RECORD_OVERHEAD_BYTES + FROM_SHARD_OVERHEAD_BYTES + 2 * LONGEST_ID_BYTES;
    overhead + escaped_bytes(data) <= MAX_PAYLOAD_BYTES
}

/// When a buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most data of an event, before base64. A larger record is an event of its own.
    pub bytes: usize,
    /// The most records of an event.
    pub records: usize,
}

impl Limits {
    /// The limits of a buffer of this many MB.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a buffer has at most 3 MB")]
    #[must_use]
    pub fn new(megabytes: f64, records: usize) -> Self {
        Self { bytes: (megabytes * 1024.0 * 1024.0) as usize, records }
    }
}

/// The records of the next event, which all have the same source.
#[derive(Debug)]
pub struct Batcher {
    limits: Limits,
    stream: StreamIdentity,
    records: Vec<Record>,
    data_bytes: usize,
    payload_bytes: usize,
}

impl Batcher {
    /// An empty buffer.
    #[must_use]
    pub fn new(limits: Limits, stream: StreamIdentity) -> Self {
        Self { limits, stream, records: Vec::new(), data_bytes: 0, payload_bytes: ENVELOPE_BYTES }
    }

    /// Adds a record. Returns the event of the records before it if all of them exceed a limit, or that of Lambda.
    pub fn push(&mut self, record: Record) -> Option<Event> {
        let data_bytes = decoded_bytes(&record.data);
        let mut payload_bytes = RECORD_OVERHEAD_BYTES + record.record_id.len() + escaped_bytes(&record.data);
        if record.shard().is_some() {
            payload_bytes += FROM_SHARD_OVERHEAD_BYTES + escaped_bytes(record.partition_key());
        }
        let full = self.records.len() >= self.limits.records
            || self.data_bytes + data_bytes > self.limits.bytes
            || self.payload_bytes + payload_bytes > MAX_PAYLOAD_BYTES;
        let event = if full { self.take() } else { None };
        self.data_bytes += data_bytes;
        self.payload_bytes += payload_bytes;
        self.records.push(record);
        event
    }

    /// Whether a limit is reached.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.limits.records || self.data_bytes >= self.limits.bytes
    }

    /// The event of the records in the buffer.
    pub fn take(&mut self) -> Option<Event> {
        self.data_bytes = 0;
        self.payload_bytes = ENVELOPE_BYTES;
        let records = std::mem::take(&mut self.records);
        (!records.is_empty()).then(|| Event::new(self.stream.clone(), records))
    }
}

/// Base64 needs no escapes, but the `rawData` of an error object may be anything.
fn escaped_bytes(data: &str) -> usize {
    let escaped = |byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    data.bytes().map(escaped).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::event::{STREAM, encode};
    use crate::kinesis::shard::ShardId;

    fn batched(limits: Limits, data: &[Vec<u8>]) -> Vec<Event> {
        let mut batcher = Batcher::new(limits, STREAM.into());
        let records = data.iter().zip(0..).map(|(data, sequence)| Record::direct_put(sequence, 0, encode(data)));
        let mut events: Vec<Event> = records.filter_map(|record| batcher.push(record)).collect();
        events.extend(batcher.take());
        events
    }

    fn counts(limits: Limits, sizes: &[usize]) -> Vec<usize> {
        let data: Vec<Vec<u8>> = sizes.iter().map(|size| vec![b'x'; *size]).collect();
        batched(limits, &data).iter().map(|event| event.records.len()).collect()
    }

    #[test]
    fn a_buffer_is_full_by_size_or_by_count() {
        let limits = |bytes, records| Limits { bytes, records };
        for (limits, sizes, expected) in [
            (limits(10, 9), &[][..], &[][..]),
            (limits(10, 9), &[5, 5], &[2]),
            (limits(10, 9), &[5, 6], &[1, 1]),
            (limits(10, 9), &[50, 1, 50], &[1, 1, 1]),
            (limits(10, 2), &[1, 1, 1, 1, 1], &[2, 2, 1]),
            (limits(10, 2), &[0, 0, 0], &[2, 1]),
        ] {
            assert_eq!(counts(limits, sizes), expected, "{limits:?} {sizes:?}");
        }
    }

    #[test]
    fn megabytes_are_binary() {
        assert_eq!(Limits::new(1.0, 1).bytes, 1_048_576);
        assert_eq!(Limits::new(0.2, 1).bytes, 209_715);
    }

    #[test]
    fn the_largest_buffer_of_the_smallest_records_fits_lambdas_limit() {
        let events = batched(Limits::new(3.0, usize::MAX), &vec![b"{}".to_vec(); 50_000]);
        assert!(events.len() > 1);
        for event in events {
            assert!(event.payload(uuid::Uuid::nil()).unwrap().len() <= MAX_PAYLOAD_BYTES);
        }
    }

    #[test]
    fn no_event_of_a_shard_is_too_large() {
        let mut batcher = Batcher::new(Limits { bytes: usize::MAX, records: usize::MAX }, STREAM.into());
        for partition_key in ["k", &"\u{1}".repeat(256), &"🐉".repeat(256)] {
            let record = |sequence| {
                Record::from_shard(ShardId(u32::MAX), sequence, partition_key.to_owned(), i64::MAX, encode(b"{}"))
            };
            let mut events: Vec<Event> = (0..30_000).map(record).filter_map(|record| batcher.push(record)).collect();
            events.extend(batcher.take());
            for event in events {
                assert!(event.payload(uuid::Uuid::nil()).unwrap().len() <= MAX_PAYLOAD_BYTES);
            }
        }
    }

    #[test]
    fn no_event_of_data_that_is_not_base64_is_too_large() {
        let mut batcher = Batcher::new(Limits { bytes: usize::MAX, records: usize::MAX }, STREAM.into());
        let data = "\u{1}\"\\".repeat(100_000);
        let events = (0..10).filter_map(|sequence| batcher.push(Record::direct_put(sequence, 0, data.clone())));
        let sizes: Vec<usize> = events.map(|event| event.payload(uuid::Uuid::nil()).unwrap().len()).collect();
        assert!(
            !sizes.is_empty() && sizes.iter().all(|size| (5_000_000..=MAX_PAYLOAD_BYTES).contains(size)),
            "{sizes:?}"
        );
    }

    proptest! {
        #[test]
        fn the_size_before_base64_is_known(data in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(decoded_bytes(&encode(&data)), data.len());
        }

        #[test]
        fn nothing_is_lost_and_the_limits_are_kept(
            data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60),
            bytes in 1_usize..100,
            records in 1_usize..10,
        ) {
            let events = batched(Limits { bytes, records }, &data);
            let mut out = Vec::new();
            let mut ids = HashSet::new();
            for event in &events {
                let sizes: Vec<Vec<u8>> =
                    event.records.iter().map(|record| STANDARD.decode(&record.data).unwrap()).collect();
                let total: usize = sizes.iter().map(Vec::len).sum();
                prop_assert!(!sizes.is_empty() && sizes.len() <= records);
                prop_assert!(total <= bytes || sizes.len() == 1);
                prop_assert!(event.records.iter().all(|record| ids.insert(record.record_id.clone())));
                out.extend(sizes);
            }
            prop_assert_eq!(out, data);
        }
    }
}
