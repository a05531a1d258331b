//! The intake of a stream: numbers records, keeps them, and forwards them to the buffers. Direct PUT and data streams share it.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::backlog::Context;
use super::event::StreamEvent;
use super::receipt::{Accepted, cost};
use super::refusals::{RefusalReason, RefusedRecords};

use firehose_model::event::Record;
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::decoded_bytes;

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutError {
    /// The backlog is full. Of a data stream, producers are throttled: they know how to wait then.
    BacklogFull(Option<ShardId>),
    /// This shard takes no more records at the moment.
    Throttled(ShardId),
    /// The records of data streams take all of their memory (`--retention-mb`).
    RetentionFull,
    /// The stream is stopping, or its state cannot be written.
    Unavailable,
}

impl From<PutError> for RefusalReason {
    fn from(error: PutError) -> Self {
        match error {
            PutError::BacklogFull(_) => Self::Backlog,
            PutError::Throttled(_) => Self::Rate,
            PutError::RetentionFull => Self::Memory,
            PutError::Unavailable => Self::Unavailable,
        }
    }
}

#[derive(Debug)]
pub(super) struct IncomingRecord {
    /// Valid base64.
    pub(super) data: String,
    pub(super) shard: Option<(ShardId, String)>,
}

pub(super) type Buffers = mpsc::UnboundedSender<Vec<Accepted>>;

#[derive(Debug)]
pub(super) struct Intake {
    /// Of the first settings: an update changes neither the name nor the backlog nor the stats.
    pub(super) context: Arc<Context>,
    numbering: Mutex<Numbering>,
}

/// Locked while a call's records are numbered and handed over, so that the buffers get records in the order of their numbers.
#[derive(Debug)]
struct Numbering {
    next: u64,
    /// None after [`Intake::close`].
    buffers: Option<Buffers>,
}

impl Intake {
    /// `left` are the records of an earlier run, and `last` is its greatest number.
    pub(super) fn new(context: Arc<Context>, mut left: Vec<Accepted>, last: Option<u64>, buffers: Buffers) -> Self {
        // Numbers begin with the clock, so that those of a run without a state differ from those of the run before. Microseconds
        // allow a million records a second.
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let next = now.max(last.map_or(0, |last| last + 1));
        if !left.is_empty() {
            context.records.accept(&mut left);
            context.stats.record(accepted(&left));
            let _stopped = buffers.send(left);
        }
        Self { context, numbering: Mutex::new(Numbering { next, buffers: Some(buffers) }) }
    }

    /// Records are handed over before this returns, so a disconnect cancels nothing. With a state, they are on disk before the results.
    pub(super) fn put<A>(
        &self,
        entries: impl IntoIterator<Item = Result<IncomingRecord, PutError>>,
        result: impl Fn(&Record) -> A,
    ) -> impl Future<Output = Vec<Result<A, PutError>>> {
        let arrival_ms = Timestamp::now().as_millisecond();
        let mut records = Vec::new();
        let mut results = Vec::new();
        let (reply, kept) = oneshot::channel();
        let mut numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
        let buffers = numbering.buffers.clone();
        for entry in entries {
            let accepted = match &buffers {
                None => Err(PutError::Unavailable),
                Some(_) => entry.and_then(|entry| self.accept(entry, arrival_ms, &mut numbering.next)),
            };
            results.push(accepted.map(|accepted| {
                let result = result(&accepted.record);
                records.push(accepted);
                result
            }));
        }
        match buffers {
            Some(buffers) if !records.is_empty() => self.keep(records, buffers, reply, true),
            // Without records there is nothing to wait for.
            _ => drop(reply.send(true)),
        }
        drop(numbering);
        self.context.refuse(&RefusedRecords::of(&results));
        async move {
            if kept.await.unwrap_or(false) {
                return results;
            }
            results.into_iter().map(|result| result.and(Err(PutError::Unavailable))).collect()
        }
    }

    fn accept(
        &self,
        IncomingRecord { data, shard }: IncomingRecord,
        arrival_ms: i64,
        next: &mut u64,
    ) -> Result<Accepted, PutError> {
        let partition_key = shard.as_ref().map_or("", |(_, partition_key)| partition_key);
        if !self.context.backlog.reserve(cost(&data, partition_key)) {
            return Err(PutError::BacklogFull(shard.map(|(shard, _)| shard)));
        }
        let sequence = *next;
        *next += 1;
        let record = match shard {
            None => Record::direct_put(sequence, arrival_ms, data),
            Some((shard, partition_key)) => Record::from_shard(shard, sequence, partition_key, arrival_ms, data),
        };
        Ok(Accepted::new(sequence, record))
    }

    /// `is_put`: records that are not kept are refused. Others are read again.
    fn keep(&self, records: Vec<Accepted>, buffers: Buffers, reply: oneshot::Sender<bool>, is_put: bool) {
        let context = Arc::clone(&self.context);
        self.context.backlog.keep(records, move |mut records, written| {
            let (count, bytes) = (records.len(), records.iter().map(Accepted::bytes).sum());
            let kept = written && {
                context.records.accept(&mut records);
                context.stats.record(accepted(&records));
                buffers.send(records).is_ok()
            };
            if !kept {
                context.backlog.release(count, bytes);
            }
            if !kept && is_put {
                context.refuse(&RefusedRecords::new(count as u64, RefusalReason::Unavailable));
            }
            let _disconnected = reply.send(kept);
        });
    }

    /// Accepts the first of some records that a data stream has numbered, as many as fit into the backlog, and returns the number of the
    /// last of them. With a state, they are on disk then. If none fits, the error is that of a full backlog.
    pub(super) async fn accept_read(&self, read: impl IntoIterator<Item = (u64, Record)>) -> Result<u64, PutError> {
        let (reply, kept) = oneshot::channel();
        let last = {
            let numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
            let buffers = numbering.buffers.clone().ok_or(PutError::Unavailable)?;
            let fits =
                |(_, record): &(u64, Record)| self.context.backlog.reserve(cost(&record.data, record.partition_key()));
            let accepted = read.into_iter().take_while(fits);
            let records: Vec<Accepted> = accepted.map(|(number, record)| Accepted::new(number, record)).collect();
            let last = records.last().map(|accepted| accepted.receipt.sequence());
            let last = last.ok_or(PutError::BacklogFull(None))?;
            self.keep(records, buffers, reply, false);
            last
        };
        if kept.await.unwrap_or(false) { Ok(last) } else { Err(PutError::Unavailable) }
    }

    pub(super) fn next(&self) -> u64 {
        self.numbering.lock().unwrap_or_else(PoisonError::into_inner).next
    }

    /// Forwards the next records to other buffers. The channel of those before closes once all earlier records are in it. After
    /// [`Intake::close`] it changes nothing.
    pub(super) fn forward_to(&self, buffers: Buffers) {
        let mut numbering = self.numbering.lock().unwrap_or_else(PoisonError::into_inner);
        if numbering.buffers.is_some() {
            numbering.buffers = Some(buffers);
        }
    }

    /// The buffers' channel closes once all accepted records are in it.
    pub(super) fn close(&self) {
        self.numbering.lock().unwrap_or_else(PoisonError::into_inner).buffers = None;
    }
}

fn accepted(records: &[Accepted]) -> StreamEvent {
    let bytes = records.iter().map(|accepted| decoded_bytes(&accepted.record.data)).sum();
    StreamEvent::Accepted { records: records.len(), bytes }
}

#[cfg(test)]
mod tests;
