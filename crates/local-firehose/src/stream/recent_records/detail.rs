//! One record with its batch, its attempts, and its place in an object.

use std::sync::Arc;

use serde::Serialize;

use super::entry::{Entry, Payload};
use super::search::RecordRow;
use super::store::RecentRecords;
use crate::stream::attempt::Attempt;
use crate::stream::batch::Batch;
use crate::stream::event::{Kind, ObjectSummary};
use firehose_model::kinesis::shard::ShardId;

/// A record with everything that has happened to it.
#[derive(Debug, Serialize)]
pub struct RecordDetail {
    #[serde(flatten)]
    row: RecordRow,
    shard: Option<ShardId>,
    part_of: Option<Arc<str>>,
    /// When it failed, was dropped or stored.
    changed_ms: Option<i64>,
    message: Option<String>,
    data: Payload,
    output: Option<Payload>,
    batch: Option<BatchDetail>,
    /// The function's log lines that name the record.
    log: Vec<String>,
    object: Option<ObjectPart>,
}

#[derive(Debug, Serialize)]
struct BatchDetail {
    batch: u64,
    at_ms: i64,
    records: usize,
    /// From 0.
    position: usize,
    function: Option<String>,
    attempts: Vec<Arc<Attempt>>,
    /// Whether newer batches have displaced the attempts.
    log_forgotten: bool,
}

/// Of the object before compression.
#[derive(Debug, Serialize)]
struct ObjectPart {
    path: String,
    kind: Kind,
    offset: usize,
    bytes: usize,
    at_ms: i64,
}

impl RecordDetail {
    fn of(entry: &Entry) -> Self {
        let batch = entry.batch.as_ref();
        Self {
            row: RecordRow { batch: None, ..RecordRow::of(entry) },
            shard: entry.shard,
            part_of: entry.part_of.clone(),
            changed_ms: entry.changed_ms,
            message: entry.failure().map(|failure| failure.code.to_string()),
            data: entry.original.clone(),
            output: entry.output.clone(),
            batch: batch.map(|(batch, position)| BatchDetail::of(batch, *position)),
            log: batch.map(|(batch, _)| batch.lines_about(&entry.id)).unwrap_or_default(),
            object: entry.stored.as_ref().map(|part| ObjectPart {
                path: part.object.path.clone(),
                kind: part.object.kind,
                offset: part.offset,
                bytes: part.bytes,
                at_ms: part.object.at_ms,
            }),
        }
    }
}

impl BatchDetail {
    fn of(batch: &Batch, position: usize) -> Self {
        let Batch { number, started_ms, records, function, .. } = batch;
        Self {
            batch: *number,
            at_ms: *started_ms,
            records: *records,
            position,
            function: function.clone(),
            attempts: batch.attempts(),
            log_forgotten: batch.is_forgotten(),
        }
    }
}

impl RecentRecords {
    /// The record with this id, if it is still kept.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<RecordDetail> {
        let entry = self.kept().entries().find(|entry| *entry.id == *id).cloned();
        entry.as_ref().map(RecordDetail::of)
    }

    /// The object of this path, if one of its records is kept.
    #[must_use]
    pub fn object(&self, path: &str) -> Option<ObjectSummary> {
        let buffer = self.kept();
        let objects = buffer.entries().filter_map(|entry| entry.stored.as_ref()).map(|part| &part.object);
        objects.map(|object| &**object).find(|object| object.path == path).cloned()
    }
}
