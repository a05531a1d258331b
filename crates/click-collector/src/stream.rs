//! Puts records into the data stream, with retries within the time limit.

mod limits;
mod put_error;
mod retries;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use tokio::time::{Instant, sleep, timeout_at};

use crate::record::Record;
pub use put_error::PutError;
use retries::Retries;

/// A data stream.
#[derive(Debug)]
pub struct Stream {
    client: Client,
    name: String,
}

/// The outcome of records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PutOutcome {
    /// The indices of records that are not stored, in order.
    pub not_stored: Vec<usize>,
    /// The last error; `None` if all records are stored.
    pub error: Option<PutError>,
    /// Calls of Kinesis.
    pub calls: usize,
}

impl Stream {
    /// The stream `name`.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Puts each record into the stream at least once. Retries only refused records, until six rounds in a row store nothing, and not beyond
    /// `deadline`.
    ///
    /// A full shard still accepts records every second. Giving up then would make the client send, and the stream store, all of them again.
    ///
    /// The order of `records` is kept only if none is refused. Refused records come after the others, even with the same partition key:
    /// `PutRecords` continues after a refused record ("PutRecords", Amazon Kinesis Data Streams API Reference). A call without a response may
    /// have been stored, and its records are then stored twice.
    pub async fn put(&self, records: &[Record], deadline: Instant) -> PutOutcome {
        let mut put = PutOutcome { not_stored: (0..records.len()).collect(), ..PutOutcome::default() };
        let mut retries = Retries::default();
        loop {
            let before = put.not_stored.len();
            self.round(records, &mut put, deadline).await;
            if put.error.as_ref().is_none_or(|error| error.is_permanent) {
                break;
            }
            let Some(delay) = retries.delay(put.not_stored.len() < before, fastrand::f64()) else { break };
            if Instant::now() + delay >= deadline {
                break;
            }
            sleep(delay).await;
        }
        put
    }

    /// Puts the remaining records once. A call that fails as a whole ends the round, because the next one would fail, too.
    async fn round(&self, records: &[Record], put: &mut PutOutcome, deadline: Instant) {
        let left = std::mem::take(&mut put.not_stored);
        put.error = None;
        let mut calls = limits::calls(records, &left).into_iter();
        for call in calls.by_ref() {
            put.calls += 1;
            // Boxed, because the SDK's deeply nested futures exceed the compiler's recursion limit.
            let response = timeout_at(deadline, Box::pin(self.call(records, call))).await;
            let response = response.unwrap_or_else(|_elapsed| Err(PutError::out_of_time()));
            match response {
                Ok(None) => {}
                Ok(Some(RefusedRecords { indices, error })) => {
                    put.not_stored.extend(indices);
                    put.error = Some(error);
                }
                Err(error) => {
                    put.not_stored.extend(call);
                    put.error = Some(error);
                    break;
                }
            }
        }
        put.not_stored.extend(calls.flatten());
    }

    /// One call of Kinesis; returns the refused records.
    async fn call(&self, records: &[Record], call: &[usize]) -> Result<Option<RefusedRecords>, PutError> {
        if let [index] = call {
            let Record { data, partition_key } = &records[*index];
            let request = self.client.put_record().stream_name(&self.name).partition_key(partition_key);
            request.data(Blob::new(data.clone())).send().await.map_err(|error| PutError::of_call(&error))?;
            return Ok(None);
        }
        let entries: Result<Vec<_>, _> = call.iter().map(|index| entry(&records[*index])).collect();
        let entries = entries.map_err(|_| PutError::not_sent())?;
        let request = self.client.put_records().stream_name(&self.name).set_records(Some(entries));
        let response = request.send().await.map_err(|error| PutError::of_call(&error))?;
        refused(call, &response)
    }
}

struct RefusedRecords {
    indices: Vec<usize>,
    error: PutError,
}

fn refused(call: &[usize], response: &PutRecordsOutput) -> Result<Option<RefusedRecords>, PutError> {
    let results = response.records();
    // Kinesis returns one result for each record, in their order ("PutRecords", Amazon Kinesis Data Streams API Reference).
    if results.len() != call.len() {
        return Err(PutError::invalid_response());
    }
    let refused = call.iter().zip(results).filter_map(|(index, result)| Some((*index, result.error_code()?)));
    let (indices, codes): (Vec<usize>, Vec<&str>) = refused.unzip();
    Ok(codes.last().map(|code| RefusedRecords { indices, error: PutError::of_record(code) }))
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry, aws_sdk_kinesis::error::BuildError> {
    let data = Blob::new(record.data.clone());
    PutRecordsRequestEntry::builder().data(data).partition_key(&record.partition_key).build()
}
