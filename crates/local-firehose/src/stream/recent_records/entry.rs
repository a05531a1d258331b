//! One kept record.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::stream::batch::Batch;
use crate::stream::event::ObjectSummary;
use firehose_model::delivery::ErrorCode;
use firehose_model::event::Record;
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::decoded_bytes;

/// The most bytes of a record, and of what the function made of it, that are kept.
pub(super) const PAYLOAD_BYTES: usize = 64 * 1024;

/// About what a record takes besides: allocations are rounded up, queues have space for more, and a batch may have one record only. With it,
/// the memory of a process with 50 streams grows by about the limit (`benches/memory.rs` of `clicks`).
const OVERHEAD: usize = 320;

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) id: Arc<str>,
    pub(super) arrival_ms: i64,
    /// Of a record of a data stream.
    pub(super) key: Option<Arc<str>>,
    pub(super) shard: Option<ShardId>,
    /// The id of the aggregated or compressed record that it is from.
    pub(super) part_of: Option<Arc<str>>,
    pub(super) original: Payload,
    pub(super) output: Option<Payload>,
    /// With its position in the batch.
    pub(super) batch: Option<(Arc<Batch>, usize)>,
    pub(super) state: RecordState,
    /// When it failed, was dropped, split or stored.
    pub(super) changed_ms: Option<i64>,
    pub(super) stored: Option<StoredPart>,
}

#[derive(Debug, Clone)]
pub(super) enum RecordState {
    Buffered,
    InFunction,
    /// In the buffer of the destination.
    Waiting,
    Delivered,
    Dropped,
    Failed(Failure),
    Split,
}

/// Where a record is, or its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordStatus {
    /// In the buffer of the function.
    Buffered,
    /// In a batch that the function has.
    InFunction,
    /// In the buffer of the destination.
    Waiting,
    /// In an object of the destination.
    Delivered,
    /// The function returned `Dropped`.
    Dropped,
    /// It goes to the error output.
    Failed,
    /// It was aggregated or compressed: its parts are records of their own.
    Split,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) code: ErrorCode,
    /// What the function has logged of it.
    pub(super) reason: Option<Arc<str>>,
    /// Why its invocation failed.
    pub(super) error: Option<Arc<str>>,
}

/// Where a record is in an object, before compression.
#[derive(Debug, Clone)]
pub(super) struct StoredPart {
    pub(super) object: Arc<ObjectSummary>,
    pub(super) offset: usize,
    pub(super) bytes: usize,
}

impl Entry {
    pub(super) fn new(record: &Record, part_of: Option<Arc<str>>) -> Self {
        let key = record.partition_key();
        Self {
            number: 0,
            id: record.record_id.as_str().into(),
            arrival_ms: record.arrival_ms,
            key: (!key.is_empty()).then(|| key.into()),
            shard: record.shard(),
            part_of,
            original: Payload::of_base64(&record.data),
            output: None,
            batch: None,
            state: RecordState::Buffered,
            changed_ms: None,
            stored: None,
        }
    }

    pub(super) fn end(&mut self, state: RecordState) {
        self.state = state;
        self.changed_ms = Some(Timestamp::now().as_millisecond());
    }

    pub(super) fn store(&mut self, part: StoredPart) {
        self.changed_ms = Some(part.object.at_ms);
        self.stored = Some(part);
        if matches!(self.state, RecordState::Waiting) {
            self.state = RecordState::Delivered;
        }
    }

    /// Besides its own size. What records share counts for each: it may be of one record only.
    pub(super) fn heap_bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.len());
        let output = self.output.as_ref().map_or(0, |output| output.start.len());
        let texts = self.failure().into_iter().flat_map(|failure| [&failure.reason, &failure.error]).flatten();
        let object = self.stored.as_ref().map_or(0, |part| part.object.path.len());
        let shared: usize = texts.map(|text| text.len()).sum::<usize>() + object;
        OVERHEAD + self.id.len() + key + self.original.start.len() + output + shared
    }

    pub(super) fn status(&self) -> RecordStatus {
        match self.state {
            RecordState::Buffered => RecordStatus::Buffered,
            RecordState::InFunction => RecordStatus::InFunction,
            RecordState::Waiting => RecordStatus::Waiting,
            RecordState::Delivered => RecordStatus::Delivered,
            RecordState::Dropped => RecordStatus::Dropped,
            RecordState::Failed(_) => RecordStatus::Failed,
            RecordState::Split => RecordStatus::Split,
        }
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            RecordState::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// The first bytes of a payload. It is serialized as `text` if it is UTF-8, or as `base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub(super) start: Bytes,
    /// Of all of it.
    pub(super) bytes: usize,
}

impl Payload {
    pub(super) fn of(data: &[u8]) -> Self {
        Self { start: Bytes::copy_from_slice(&data[..data.len().min(PAYLOAD_BYTES)]), bytes: data.len() }
    }

    /// Of valid base64.
    fn of_base64(data: &str) -> Self {
        let start = &data.as_bytes()[..data.len().min(PAYLOAD_BYTES / 3 * 4)];
        Self { start: STANDARD.decode(start).unwrap_or_default().into(), bytes: decoded_bytes(data) }
    }

    fn is_truncated(&self) -> bool {
        self.start.len() < self.bytes
    }

    /// Without a character that is cut.
    pub(super) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.start) {
            Ok(text) => Some(text),
            Err(error) if self.is_truncated() && error.error_len().is_none() => {
                std::str::from_utf8(&self.start[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Payload", 3)?;
        match self.text() {
            Some(text) => fields.serialize_field("text", text)?,
            None => fields.serialize_field("base64", &STANDARD.encode(&self.start))?,
        }
        fields.serialize_field("bytes", &self.bytes)?;
        fields.serialize_field("truncated", &self.is_truncated())?;
        fields.end()
    }
}
