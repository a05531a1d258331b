//! ListDeliveryStreams.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::constraints::{Constraints, MAX_DELIVERY_STREAM_NAME};
use crate::api::error::ApiError;
use crate::api::json::parse;
use crate::stream::{Source, StreamSettings};

/// The type of a stream that is put into by this API.
pub(super) const DIRECT_PUT: &str = "DirectPut";

/// The type of a stream that reads a data stream.
const KINESIS: &str = "KinesisStreamAsSource";

/// All types (the service model).
const TYPES: [&str; 4] = [DIRECT_PUT, KINESIS, "MSKAsSource", "DatabaseAsSource"];

/// The default `Limit` (API reference).
const DEFAULT_LIMIT: i64 = 10;

pub(super) fn type_of(settings: &StreamSettings) -> &'static str {
    match settings.source {
        Source::DirectPut => DIRECT_PUT,
        Source::Kinesis(_) => KINESIS,
    }
}

/// `streams` are names in alphabetical order with their types.
pub(super) fn list<'a>(body: &[u8], streams: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        limit: Option<i64>,
        delivery_stream_type: Option<String>,
        exclusive_start_delivery_stream_name: Option<String>,
    }

    let input: Input = parse(body)?;
    let mut constraints = Constraints::default();
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    constraints.number(limit, "limit", &(1..=10_000));
    let wanted_type = input.delivery_stream_type.as_deref();
    if let Some(wanted) = wanted_type {
        constraints.one_of(wanted, "deliveryStreamType", &TYPES);
    }
    let after = input.exclusive_start_delivery_stream_name.as_deref();
    if let Some(name) = after {
        constraints.name(name, "exclusiveStartDeliveryStreamName", MAX_DELIVERY_STREAM_NAME);
    }
    constraints.validate()?;

    let of_type = streams.filter(|(_, of)| wanted_type.is_none_or(|wanted| wanted == *of));
    let mut names = of_type.map(|(name, _)| name).filter(|name| after.is_none_or(|after| *name > after));
    // The range was validated.
    let listed: Vec<&str> = names.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
    Ok(json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": names.next().is_some() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_by_page() {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        for (body, listed, more) in [
            ("{}", &names[..10], true),
            (r#"{"Limit":11}"#, &names, false),
            (r#"{"Limit":2}"#, &names[..2], true),
            (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"b"}"#, &names[2..4], true),
            (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"bb"}"#, &names[2..4], true),
            (r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"i"}"#, &names[9..], false),
            (r#"{"ExclusiveStartDeliveryStreamName":"k"}"#, &[], false),
            (r#"{"Limit":10000,"DeliveryStreamType":"DirectPut"}"#, &names, false),
            (r#"{"DeliveryStreamType":"KinesisStreamAsSource"}"#, &[], false),
        ] {
            let streams = names.into_iter().map(|name| (name, DIRECT_PUT));
            let expected = json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": more });
            assert_eq!(list(body.as_bytes(), streams), Ok(expected), "{body}");
        }
    }

    #[test]
    fn a_violation_is_an_error() {
        for (body, message) in [
            (
                r#"{"Limit":0}"#,
                "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: \
                 Member must have value greater than or equal to 1",
            ),
            (
                r#"{"Limit":10001,"DeliveryStreamType":"Direct"}"#,
                "2 validation errors detected: Value '10001' at 'limit' failed to satisfy constraint: \
                 Member must have value less than or equal to 10000; \
                 Value 'Direct' at 'deliveryStreamType' failed to satisfy constraint: \
                 Member must satisfy enum value set: [DirectPut, KinesisStreamAsSource, MSKAsSource, DatabaseAsSource]",
            ),
            (
                r#"{"ExclusiveStartDeliveryStreamName":"ä"}"#,
                "1 validation error detected: Value 'ä' at 'exclusiveStartDeliveryStreamName' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
            ),
        ] {
            assert_eq!(list(body.as_bytes(), [].into_iter()), Err(ApiError::validation(message)), "{body}");
        }
    }
}
