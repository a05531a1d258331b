//! ListDeliveryStreams.

use serde::{Deserialize, Serialize};

use crate::api::constraints::{Constraints, MAX_DELIVERY_STREAM_NAME};
use crate::api::error::ApiError;
use crate::api::json::{json, parse};
use crate::stream::{DeliveryStream, Source};

/// The type of a stream that is put into by this API.
pub(super) const DIRECT_PUT: &str = "DirectPut";

/// The type of a stream that reads a data stream.
pub(super) const KINESIS: &str = "KinesisStreamAsSource";

/// All types (the service model).
const TYPES: [&str; 4] = [DIRECT_PUT, KINESIS, "MSKAsSource", "DatabaseAsSource"];

/// The default `Limit` (API reference).
const DEFAULT_LIMIT: i64 = 10;

/// The request of ListDeliveryStreams.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListRequest {
    limit: usize,
    stream_type: Option<String>,
    after: Option<String>,
}

/// The `DeliveryStreamType`.
pub(super) fn type_of(stream: &DeliveryStream) -> &'static str {
    match stream.settings().source {
        Source::DirectPut => DIRECT_PUT,
        Source::Kinesis(_) => KINESIS,
    }
}

pub(super) fn request(body: &[u8]) -> Result<ListRequest, ApiError> {
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
    let stream_type = input.delivery_stream_type;
    if let Some(stream_type) = &stream_type {
        constraints.one_of(stream_type, "deliveryStreamType", &TYPES);
    }
    let after = input.exclusive_start_delivery_stream_name;
    if let Some(name) = &after {
        constraints.name(name, "exclusiveStartDeliveryStreamName", MAX_DELIVERY_STREAM_NAME);
    }
    constraints.validate()?;
    // The range was validated.
    Ok(ListRequest { limit: usize::try_from(limit).unwrap_or_default(), stream_type, after })
}

/// `streams` are names in alphabetical order with their types.
pub(super) fn response<'a>(
    request: &ListRequest,
    streams: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<u8>, ApiError> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Response<'a> {
        delivery_stream_names: Vec<&'a str>,
        has_more_delivery_streams: bool,
    }

    let of_type = streams.filter(|(_, of)| request.stream_type.as_deref().is_none_or(|wanted| wanted == *of));
    let mut names =
        of_type.map(|(name, _)| name).filter(|name| request.after.as_deref().is_none_or(|after| *name > after));
    let delivery_stream_names = names.by_ref().take(request.limit).collect();
    json(&Response { delivery_stream_names, has_more_delivery_streams: names.next().is_some() })
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
            let response = response(&request(body.as_bytes()).unwrap(), streams).unwrap();
            let expected = serde_json::json!({ "DeliveryStreamNames": listed, "HasMoreDeliveryStreams": more });
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&response).unwrap(), expected, "{body}");
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
            assert_eq!(request(body.as_bytes()), Err(ApiError::Validation(message.to_owned())), "{body}");
        }
    }
}
