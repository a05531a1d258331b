//! The data stream: records go in, and what it refuses is tried again while there is time.

mod failure;
mod limits;
mod patience;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::{Instant, sleep, timeout_at};

use crate::record::Record;
pub use failure::Failure;
use patience::Patience;

/// A data stream.
#[derive(Debug)]
pub struct Stream {
    client: Client,
    name: String,
}

/// What became of records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// The indices of those that are not stored, in order.
    pub left: Vec<usize>,
    /// Why they are not, as Kinesis said last; `None` where all are stored.
    pub failure: Option<Failure>,
    /// The calls of Kinesis.
    pub calls: usize,
}

impl Stream {
    /// The stream called `name`, as `client` reaches it.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Puts `records` into the stream, at least once each: those that it refuses are tried again, alone, until six rounds on
    /// end have stored nothing, and not beyond `ends`.
    ///
    /// A full shard takes what it can each second: to give up while it does would have the sender send, and the stream store,
    /// all of it again.
    ///
    /// Their order is that of the slice where nothing is refused. What is refused comes after the others, those with the same
    /// partition key too: `PutRecords` goes on after a record that it refuses, and so promises no order ("PutRecords", Amazon
    /// Kinesis Data Streams API Reference). A call that fails without an answer may have been stored, and its records are then
    /// stored again.
    pub async fn put(&self, records: &[Record], ends: Instant) -> Put {
        let mut put = Put { left: (0..records.len()).collect(), ..Put::default() };
        let mut patience = Patience::default();
        loop {
            let before = put.left.len();
            self.round(records, &mut put, ends).await;
            if put.failure.as_ref().is_none_or(|failure| failure.lasts) {
                break;
            }
            let Some(pause) = patience.pause(put.left.len() < before, fastrand::f64()) else { break };
            // No use in a pause after which there is no time.
            if Instant::now() + pause >= ends {
                break;
            }
            sleep(pause).await;
        }
        put
    }

    /// Tries what is left once. A call that fails as a whole ends the round: so would the next one.
    async fn round(&self, records: &[Record], put: &mut Put, ends: Instant) {
        let left = std::mem::take(&mut put.left);
        put.failure = None;
        let mut calls = limits::calls(records, &left).into_iter();
        for call in calls.by_ref() {
            put.calls += 1;
            // Boxed, because the SDK's futures nest so deep that the compiler would give up on those around them.
            let answer = timeout_at(ends, Box::pin(self.call(records, call))).await;
            let answer = answer.unwrap_or_else(|_elapsed| Err(Failure::out_of_time()));
            match answer {
                Ok(None) => {}
                Ok(Some(Refused { indices, failure })) => {
                    put.left.extend(indices);
                    put.failure = Some(failure);
                }
                Err(failure) => {
                    put.left.extend(call);
                    put.failure = Some(failure);
                    break;
                }
            }
        }
        put.left.extend(calls.flatten());
    }

    /// One call of Kinesis; gives what it has refused of the records.
    async fn call(&self, records: &[Record], call: &[usize]) -> Result<Option<Refused>, Failure> {
        if let [index] = call {
            let Record { data, partition_key } = &records[*index];
            let request = self.client.put_record().stream_name(&self.name).partition_key(partition_key);
            request.data(Blob::new(data.clone())).send().await.map_err(|error| Failure::of(&error))?;
            return Ok(None);
        }
        let entries: Result<Vec<_>, _> = call.iter().map(|index| entry(&records[*index])).collect();
        let entries = entries.map_err(|_| Failure::of_our_own())?;
        let request = self.client.put_records().stream_name(&self.name).set_records(Some(entries));
        let answer = request.send().await.map_err(|error| Failure::of(&error))?;
        refused(call, &answer)
    }
}

/// What a call has refused of its records.
struct Refused {
    indices: Vec<usize>,
    failure: Failure,
}

fn refused(call: &[usize], answer: &PutRecordsOutput) -> Result<Option<Refused>, Failure> {
    let results = answer.records();
    // Kinesis answers each record, in their order ("PutRecords", Amazon Kinesis Data Streams API Reference).
    if results.len() != call.len() {
        return Err(Failure::no_answer());
    }
    let refused = call.iter().zip(results).filter_map(|(index, result)| Some((*index, result.error_code()?)));
    let (indices, codes): (Vec<usize>, Vec<&str>) = refused.unzip();
    Ok(codes.last().map(|code| Refused { indices, failure: Failure::of_record(code) }))
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry, aws_sdk_kinesis::error::BuildError> {
    let data = Blob::new(record.data.clone());
    PutRecordsRequestEntry::builder().data(data).partition_key(&record.partition_key).build()
}
