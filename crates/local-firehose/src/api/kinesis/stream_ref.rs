//! The data stream of a request, by its name, its ARN, or both.

use crate::api::constraints::Constraints;
use crate::api::request::ApiError;
use firehose_model::scope::Scope;

/// The most characters of a name (Kinesis API reference, "CreateStream").
pub(super) const MAX_NAME_CHARACTERS: usize = 128;
/// The most characters of an ARN (the service model).
pub(super) const MAX_ARN_CHARACTERS: usize = 2048;

/// Checks those of a put, which are not read by the service model.
pub(super) fn validate(constraints: &mut Constraints, name: Option<&str>, arn: Option<&str>) {
    if let Some(name) = name {
        constraints.name(name, "streamName", MAX_NAME_CHARACTERS);
    }
    if let Some(arn) = arn {
        if name_of(arn).is_none() {
            let pattern = r"Member must satisfy regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:stream/\S+";
            constraints.violated(arn, "streamARN", pattern);
        }
        constraints.bounds("length", arn.chars().count(), 0..=MAX_ARN_CHARACTERS, arn, "streamARN");
    }
}

/// The name of the stream of an input that was validated. The messages are an assumption: Kinesis's are not documented.
pub(super) fn name(name: Option<String>, arn: Option<&str>, caller: &Scope) -> Result<String, ApiError> {
    let invalid = |message: String| Err(ApiError::invalid_argument(message));
    // The pattern of the service model allows more colons: no stream has such an ARN.
    let name = match (name, arn.map(|arn| name_of(arn).unwrap_or(arn))) {
        (None, None) => invalid("Either StreamName or StreamARN must be specified.".to_owned()),
        (Some(name), Some(other)) if name != other => {
            invalid(format!("StreamARN names the stream {other}, and the rest of the request {name}."))
        }
        (Some(name), _) => Ok(name),
        (None, Some(name)) => Ok(name.to_owned()),
    }?;
    // It may be of another region or account.
    if arn.is_some_and(|arn| arn != caller.data_stream_arn(&name)) {
        return Err(ApiError::not_found("Stream", &name, caller));
    }
    Ok(name)
}

fn name_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "kinesis", _region, account, resource] = parts[..] else { return None };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = resource.strip_prefix("stream/")?;
    (partition.starts_with("aws") && is_account && !name.is_empty() && !name.contains(char::is_whitespace))
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(stream: Option<&str>, arn: Option<&str>) -> Result<String, ApiError> {
        let mut constraints = Constraints::default();
        validate(&mut constraints, stream, arn);
        constraints.validate()?;
        name(stream.map(str::to_owned), arn, &Scope::default())
    }

    #[test]
    fn a_stream_is_named_by_its_name_or_its_arn() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        for (name, arn) in [(Some("orders"), None), (None, Some(arn)), (Some("orders"), Some(arn))] {
            assert_eq!(which(name, arn), Ok("orders".to_owned()));
        }
    }

    #[test]
    fn an_arn_is_that_of_the_caller() {
        let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders";
        for (region, account, is_same) in [
            ("eu-west-1", "123456789012", true),
            ("us-east-1", "123456789012", false),
            ("eu-west-1", "000000000000", false),
        ] {
            let caller = Scope { region: region.to_owned(), account: account.to_owned() };
            let not_found = Err(ApiError::not_found("Stream", "orders", &caller));
            let expected = if is_same { Ok("orders".to_owned()) } else { not_found };
            assert_eq!(name(None, Some(arn), &caller), expected, "{region} {account}");
        }
    }

    #[test]
    fn none_or_two_streams_are_an_error() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        for (name, arn, message) in [
            (None, None, "Either StreamName or StreamARN must be specified."),
            (Some("others"), Some(arn), "StreamARN names the stream orders, and the rest of the request others."),
        ] {
            assert_eq!(which(name, arn), Err(ApiError::invalid_argument(message)));
        }
        for (name, arn, path) in [
            (Some("a b"), None, "streamName"),
            (Some(&*"n".repeat(129)), None, "streamName"),
            (None, Some("orders"), "streamARN"),
            (None, Some("arn:aws:firehose:us-east-1:000000000000:deliverystream/orders"), "streamARN"),
            (None, Some("arn:aws:kinesis:us-east-1:0:stream/orders"), "streamARN"),
            (None, Some("arn:aws:kinesis:us-east-1:000000000000:stream/"), "streamARN"),
        ] {
            let message = which(name, arn).unwrap_err().message;
            assert!(message.contains(&format!("at '{path}' failed to satisfy constraint: ")), "{message}");
        }
    }
}
