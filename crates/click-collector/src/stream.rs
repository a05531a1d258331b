//! Puts records into the data stream, with retries within the time limit.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{BuildError, ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use service_kit::backoff::{Backoff, Jitter};
use tokio::time::{Instant, sleep, timeout_at};

use crate::record::Record;

/// The most records of a call ("PutRecords", Amazon Kinesis Data Streams API Reference).
const MAX_RECORDS: usize = 500;
/// With partition keys. Kinesis accepts 10 MiB today. 5 MiB is the original limit, which emulators have, and a smaller call loses less.
const MAX_BYTES: usize = 5 << 20;
/// How many rounds in a row may store nothing. The delays between them take 1.55 to 3.1 s in total, and Kinesis measures a shard's
/// throughput per second. So a shard that is merely full has accepted a record by then.
const MAX_ROUNDS_WITHOUT_SUCCESS: u32 = 6;
/// Equal jitter: with full jitter, some delays would not exceed a second in total.
const BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), most: Duration::from_millis(1_600), jitter: Jitter::Equal };
/// The longest code in a log; the longest of Kinesis has 38 characters.
const MAX_CODE_CHARS: usize = 64;
const INVALID_RESPONSE: &str = "invalid_response";
/// Codes of a 4xx that are transient ("PutRecords", "Errors", Amazon Kinesis Data Streams API Reference, and "Common Errors" there).
const TRANSIENT: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottlingException",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PutError {
    /// Unlike the message of Kinesis, it has no content of the record.
    pub(crate) code: String,
    /// A retry would fail the same way, such as for a missing stream or permission.
    pub(crate) is_permanent: bool,
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) client: Client,
    pub(crate) name: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PutOutcome {
    /// Indices of records, in order.
    pub(crate) not_stored: Vec<usize>,
    /// The last; `None` if all records are stored.
    pub(crate) error: Option<PutError>,
    pub(crate) calls: usize,
}

impl Stream {
    /// Puts each record at least once. Retries only refused records: a full shard still accepts records every second, and giving up would
    /// make the client send all of them again. Refused records come after the others, even with the same partition key: `PutRecords`
    /// continues after a refused record ("PutRecords", Amazon Kinesis Data Streams API Reference). A call without a response may have been
    /// stored, and its records are then stored twice.
    pub(crate) async fn put(&self, records: &[Record], deadline: Instant) -> PutOutcome {
        let mut put = PutOutcome { not_stored: (0..records.len()).collect(), ..PutOutcome::default() };
        let mut rounds_without_success = 0;
        loop {
            let before = put.not_stored.len();
            self.round(records, &mut put, deadline).await;
            rounds_without_success = if put.not_stored.len() < before { 0 } else { rounds_without_success + 1 };
            let is_final = put.error.as_ref().is_none_or(|error| error.is_permanent);
            let delay = BACKOFF.delay(rounds_without_success);
            if is_final || rounds_without_success == MAX_ROUNDS_WITHOUT_SUCCESS || Instant::now() + delay >= deadline {
                return put;
            }
            sleep(delay).await;
        }
    }

    /// A call that fails as a whole ends the round, because the next one would fail, too.
    async fn round(&self, records: &[Record], put: &mut PutOutcome, deadline: Instant) {
        let left = std::mem::take(&mut put.not_stored);
        put.error = None;
        let mut calls = calls(records, &left).into_iter();
        for call in calls.by_ref() {
            put.calls += 1;
            // Boxed, because the SDK's deeply nested futures exceed the compiler's recursion limit.
            let response = timeout_at(deadline, Box::pin(self.call(records, call))).await;
            let response = response.unwrap_or_else(|_elapsed| Err(PutError::transient("deadline")));
            match response {
                Ok(refused) => {
                    for (index, error) in refused {
                        put.not_stored.push(index);
                        put.error = Some(error);
                    }
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

    /// Returns the refused records. Both codes of a record are transient: exceeded throughput, and an internal failure of Kinesis
    /// ("PutRecordsResultEntry", Amazon Kinesis Data Streams API Reference).
    async fn call(&self, records: &[Record], call: &[usize]) -> Result<Vec<(usize, PutError)>, PutError> {
        if let [index] = call {
            let Record { data, partition_key } = &records[*index];
            let request = self.client.put_record().stream_name(&self.name).partition_key(partition_key);
            request.data(Blob::new(data.clone())).send().await.map_err(|error| PutError::of_call(&error))?;
            return Ok(Vec::new());
        }
        let entries: Result<Vec<_>, _> = call.iter().map(|index| entry(&records[*index])).collect();
        let entries = entries.map_err(|_| PutError::not_sent())?;
        let request = self.client.put_records().stream_name(&self.name).set_records(Some(entries));
        let response = request.send().await.map_err(|error| PutError::of_call(&error))?;
        let results = response.records();
        // Kinesis returns one result for each record, in their order ("PutRecords", Amazon Kinesis Data Streams API Reference).
        if results.len() != call.len() {
            return Err(PutError::transient(INVALID_RESPONSE));
        }
        let refused = |(index, code)| Some((index, PutError::transient(code?)));
        let codes = results.iter().map(PutRecordsResultEntry::error_code);
        Ok(call.iter().copied().zip(codes).filter_map(refused).collect())
    }
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry, BuildError> {
    let data = Blob::new(record.data.clone());
    PutRecordsRequestEntry::builder().data(data).partition_key(&record.partition_key).build()
}

/// As few calls as possible, in order. Each has at least one record, of any size.
fn calls<'l>(records: &[Record], left: &'l [usize]) -> Vec<&'l [usize]> {
    let mut calls = Vec::new();
    let mut rest = left;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_RECORDS).take_while(|index| {
            bytes += records[**index].size();
            bytes <= MAX_BYTES
        });
        let (call, after) = rest.split_at(fits.count().max(1));
        calls.push(call);
        rest = after;
    }
    calls
}

impl PutError {
    fn of_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::TimeoutError(_) => Self::transient("timeout"),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if is_not_sent(error) => Self::not_sent(),
                _ => Self::transient("connection"),
            },
            SdkError::ServiceError(error) => {
                let code = error.err().code().unwrap_or("unknown");
                let status = error.raw().status().as_u16();
                Self::new(code, status < 500 && status != 429 && !TRANSIENT.contains(&code))
            }
            SdkError::ConstructionFailure(_) => Self::not_sent(),
            // Not a response of Kinesis: a proxy's page, or a partial response.
            _ => Self::transient(INVALID_RESPONSE),
        }
    }

    fn transient(code: &str) -> Self {
        Self::new(code, false)
    }

    fn not_sent() -> Self {
        Self::new("request", true)
    }

    fn new(code: &str, is_permanent: bool) -> Self {
        Self { code: code.chars().take(MAX_CODE_CHARS).collect(), is_permanent }
    }
}

/// The SDK reports them, such as missing credentials, as "other" without a kind.
fn is_not_sent(error: &ConnectorError) -> bool {
    error.is_user() || (error.is_other() && error.as_other().is_none())
}

#[cfg(test)]
mod tests;
