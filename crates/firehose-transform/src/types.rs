//! Conversions to the types of the crate `aws_lambda_events`, for functions and tests that have them.

use std::collections::HashMap;

use aws_lambda_events::firehose::{KinesisFirehoseResponse, KinesisFirehoseResponseRecord};
use base64_simd::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::text;
use crate::transform::Transformed;

/// A response has records of Amazon MSK, which `aws_lambda_events` has no type for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a response with records of Amazon MSK has no type in aws_lambda_events")]
pub struct ConversionError;

/// What a [`Response`](crate::Response) consists of.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    /// Any JSON, because an id is written as it came.
    #[serde(borrow)]
    record_id: Option<&'a RawValue>,
    result: String,
    data: Option<&'a str>,
    kafka_record_value: Option<&'a str>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    partition_keys: HashMap<String, String>,
}

/// The payload of a typed event is its JSON.
///
/// ```
/// use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse};
/// use firehose_transform::{Event, Outcome};
///
/// let event: KinesisFirehoseEvent = serde_json::from_str(
///     r#"{"records":[{"recordId":"a","approximateArrivalTimestamp":1495072949453,"data":"aGk="}]}"#,
/// )?;
/// let payload = serde_json::to_vec(&event)?;
/// let transformed = Event::parse(&payload)?.transform(|record| Ok(Outcome::Ok(record.data().to_ascii_uppercase())));
/// let response = KinesisFirehoseResponse::try_from(transformed)?;
/// assert_eq!(response.records[0].data.0, b"HI");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `aws_lambda_events` writes `data` and `metadata` for each record, also for those that failed, so a response that is nearly as long as
/// the budget exceeds it after the conversion.
impl TryFrom<Transformed> for KinesisFirehoseResponse {
    type Error = ConversionError;

    fn try_from(transformed: Transformed) -> Result<Self, ConversionError> {
        let written: Written = serde_json::from_slice(&transformed.response).map_err(|_| ConversionError)?;
        let mut response = Self::default();
        response.records = written.records.into_iter().map(Record::convert).collect::<Result<_, _>>()?;
        Ok(response)
    }
}

impl Record<'_> {
    fn convert(self) -> Result<KinesisFirehoseResponseRecord, ConversionError> {
        if self.kafka_record_value.is_some() {
            return Err(ConversionError);
        }
        let mut record = KinesisFirehoseResponseRecord::default();
        let id = self.record_id.map(RawValue::get);
        record.record_id = id.map(|id| text(id).map_or_else(|| id.to_owned(), Into::into));
        record.result = Some(self.result);
        record.data.0 = self.data.and_then(|data| STANDARD.decode_to_vec(data).ok()).unwrap_or_default();
        record.metadata.partition_keys = self.metadata.map(|metadata| metadata.partition_keys).unwrap_or_default();
        Ok(record)
    }
}
