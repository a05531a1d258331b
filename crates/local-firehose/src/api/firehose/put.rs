//! PutRecord and PutRecordBatch: which records may come in, and what is answered.

use serde::{Deserialize, Serialize};

use crate::api::blob::{Blob, buffer};
use crate::api::constraint::Constraints;
use crate::api::input::{Structure, parse};
use crate::api::refusal::{Refusal, json};
use crate::stream::Refused;
use firehose_model::batch::{MAX_PUT_BYTES, MAX_PUT_RECORDS, MAX_RECORD_BYTES};

/// How many records of a batch with too many are told.
const MOST_RECORDS_TOLD: usize = 2 * MAX_PUT_RECORDS;

/// Records that may come in, if there is such a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) stream: String,
    /// Base64, as it came.
    pub(super) data: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordInput {
    delivery_stream_name: Option<String>,
    record: Option<Structure<Record>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchInput {
    delivery_stream_name: Option<String>,
    records: Option<Vec<Option<Structure<Record>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    data: Option<Blob>,
}

impl Record {
    /// The size of its data, if that is base64.
    fn size(&self, scratch: &mut Vec<u8>) -> Result<usize, Refusal> {
        self.data.as_ref().map_or(Ok(0), |data| data.size(scratch))
    }

    /// Its data, if that is there and not too large.
    fn data(self, size: usize, constraints: &mut Constraints, path: impl Fn() -> String) -> Option<String> {
        if self.data.is_none() || size > MAX_RECORD_BYTES {
            let path = path() + ".data";
            constraints.required(self.data.as_ref(), &path);
            constraints.at_most(size, MAX_RECORD_BYTES, || buffer(size), &path);
        }
        self.data.map(|Blob(data)| data)
    }
}

/// Reads PutRecord.
pub(super) fn record(body: &[u8]) -> Result<Put, Refusal> {
    let RecordInput { delivery_stream_name, record } = parse(body)?;
    let record = record.map(|Structure(record)| record);
    let size = record.as_ref().map_or(Ok(0), |record| record.size(&mut Vec::new()))?;

    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(delivery_stream_name);
    let record = constraints.required(record, "record");
    let data = record.and_then(|record| record.data(size, &mut constraints, || "record".to_owned()));
    constraints.judge()?;
    Ok(Put { stream, data: Vec::from_iter(data) })
}

/// Reads PutRecordBatch. One record that may not come in keeps the others out, as in AWS.
pub(super) fn batch(body: &[u8]) -> Result<Put, Refusal> {
    let BatchInput { delivery_stream_name, records } = parse(body)?;
    let mut scratch = Vec::new();
    let sizes = records.iter().flatten().map(|record| match record {
        Some(Structure(record)) => record.size(&mut scratch),
        None => Ok(0),
    });
    let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;

    let mut constraints = Constraints::default();
    let stream = constraints.delivery_stream_name(delivery_stream_name);
    let data = match constraints.required(records, "records") {
        Some(records) => batch_data(records, &sizes, &mut constraints),
        None => Vec::new(),
    };
    constraints.judge()?;
    if sizes.iter().sum::<usize>() > MAX_PUT_BYTES {
        // Seen of Firehose, code and text.
        return Err(Refusal::InvalidArgument("Records size exceeds 4 MB limit".to_owned()));
    }
    Ok(Put { stream, data })
}

fn batch_data(records: Vec<Option<Structure<Record>>>, sizes: &[usize], constraints: &mut Constraints) -> Vec<String> {
    if records.is_empty() {
        constraints.broken("[]", "records", "Member must have length greater than or equal to 1");
    }
    constraints.at_most(records.len(), MAX_PUT_RECORDS, || told(sizes), "records");
    let mut data = Vec::with_capacity(records.len());
    for (index, (record, size)) in records.into_iter().zip(sizes).enumerate() {
        let path = || format!("records.{}.member", index + 1);
        match record {
            Some(Structure(record)) => data.extend(record.data(*size, constraints, path)),
            None => drop(constraints.required(None::<Record>, &path())),
        }
        if constraints.is_full() {
            break;
        }
    }
    data
}

/// Records as Firehose was seen to tell them: as Java does.
fn told(sizes: &[usize]) -> String {
    let records = sizes.iter().take(MOST_RECORDS_TOLD).map(|size| format!("Record(data={})", buffer(*size)));
    format!("[{}]", records.collect::<Vec<_>>().join(", "))
}

/// What PutRecord answers.
pub(super) fn record_answer(mut results: Vec<Result<String, Refused>>) -> Result<Vec<u8>, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        encrypted: bool,
        record_id: String,
    }

    match results.pop() {
        Some(Ok(record_id)) => json(&Answer { encrypted: false, record_id }),
        Some(Err(refused)) => Err(refused.into()),
        None => Err(Refusal::InternalFailure),
    }
}

/// What PutRecordBatch answers: records that the stream refuses are failures of their own. Of a stream that takes none at all
/// for a reason of its own the call fails, which an SDK tries again by itself.
pub(super) fn batch_answer(results: Vec<Result<String, Refused>>) -> Result<Vec<u8>, Refusal> {
    /// In the order in which Firehose was seen to answer.
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        encrypted: bool,
        failed_put_count: usize,
        request_responses: Vec<Entry>,
    }

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry {
        #[serde(rename_all = "PascalCase")]
        Accepted { record_id: String },
        #[serde(rename_all = "PascalCase")]
        Refused { error_code: &'static str, error_message: &'static str },
    }

    if results.iter().all(|result| matches!(result, Err(Refused::Unavailable))) {
        return Err(Refusal::InternalFailure);
    }
    let failed_put_count = results.iter().filter(|result| result.is_err()).count();
    let entry = |result| match result {
        Ok(record_id) => Entry::Accepted { record_id },
        // The only two codes that the API reference has for a record.
        Err(Refused::Busy) => Entry::Refused { error_code: "ServiceUnavailableException", error_message: "Slow down." },
        Err(Refused::Unavailable) => {
            Entry::Refused { error_code: "InternalFailure", error_message: "Internal service failure." }
        }
    };
    json(&Answer { encrypted: false, failed_put_count, request_responses: results.into_iter().map(entry).collect() })
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::Unavailable => Self::InternalFailure,
        }
    }
}

#[cfg(test)]
mod tests;
