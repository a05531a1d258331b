//! Which data stream a call is for: by its name, by its ARN, or by both.

use crate::api::constraint::Constraints;
use crate::api::refusal::Refusal;
use crate::stream::DataStream;

/// The most characters of a name (Kinesis API reference, "CreateStream"); streams here have fewer.
pub(super) const MAX_NAME_CHARACTERS: usize = 128;

/// The most characters of an ARN (the service model).
const MAX_ARN_CHARACTERS: usize = 2048;

/// A stream that is asked for, which may not be there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Which {
    pub(super) name: String,
    arn: Option<String>,
}

impl Which {
    /// Checks both ways of naming a stream, as a call has them.
    pub(super) fn checked(name: Option<String>, arn: Option<String>, constraints: &mut Constraints) -> Asked {
        if let Some(name) = &name {
            constraints.name(name, "streamName", MAX_NAME_CHARACTERS);
        }
        if let Some(arn) = &arn {
            if name_of(arn).is_none() {
                let pattern = r"Member must satisfy regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:stream/\S+";
                constraints.broken(arn, "streamARN", pattern);
            }
            constraints.at_most(arn.chars().count(), MAX_ARN_CHARACTERS, || arn, "streamARN");
        }
        Asked { name, arn }
    }

    /// The stream of a name.
    pub(super) fn by_name(name: String) -> Self {
        Self { name, arn: None }
    }

    /// Whether a stream of the name is the one.
    pub(super) fn is(&self, stream: &DataStream) -> bool {
        self.arn.as_ref().is_none_or(|arn| *arn == stream.arn())
    }
}

/// What a call says of its stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    name: Option<String>,
    arn: Option<String>,
}

impl Asked {
    /// By which member it says anything.
    pub(super) fn member(&self) -> Option<&'static str> {
        let name = self.name.as_ref().map(|_| "StreamName");
        name.or(self.arn.as_ref().map(|_| "StreamARN"))
    }

    /// The one stream that is asked for. The words are an assumption: nobody has told those of Kinesis.
    pub(super) fn which(self) -> Result<Which, Refusal> {
        let Self { name, arn } = self;
        let refused = |message: &str| Err(Refusal::InvalidArgument(message.to_owned()));
        match (name, arn.as_deref().and_then(name_of)) {
            (None, None) => refused("Either StreamName or StreamARN must be specified."),
            (Some(name), Some(other)) if name != other => refused("StreamName and StreamARN name different streams."),
            (Some(name), _) => Ok(Which { name, arn }),
            (None, Some(name)) => Ok(Which { name: name.to_owned(), arn }),
        }
    }
}

/// The name in an ARN of a data stream.
fn name_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_one = arn == "arn" && partition.starts_with("aws") && service == "kinesis";
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let name = resource.strip_prefix("stream/")?;
    (is_one && is_account && !name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(name: Option<&str>, arn: Option<&str>) -> Result<Which, Refusal> {
        let mut constraints = Constraints::default();
        let asked = Which::checked(name.map(str::to_owned), arn.map(str::to_owned), &mut constraints);
        constraints.judge()?;
        asked.which()
    }

    #[test]
    fn a_stream_is_named_by_its_name_or_its_arn() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        for (name, arn) in [(Some("orders"), None), (None, Some(arn)), (Some("orders"), Some(arn))] {
            let expected = Which { name: "orders".to_owned(), arn: arn.map(str::to_owned) };
            assert_eq!(which(name, arn), Ok(expected));
        }
    }

    #[test]
    fn what_names_none_or_two_is_refused() {
        let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders";
        for (name, arn, message) in [
            (None, None, "Either StreamName or StreamARN must be specified."),
            (Some("others"), Some(arn), "StreamName and StreamARN name different streams."),
        ] {
            assert_eq!(which(name, arn), Err(Refusal::InvalidArgument(message.to_owned())));
        }
        for (name, arn, path) in [
            (Some("a b"), None, "streamName"),
            (Some(&*"n".repeat(129)), None, "streamName"),
            (None, Some("orders"), "streamARN"),
            (None, Some("arn:aws:firehose:us-east-1:000000000000:deliverystream/orders"), "streamARN"),
            (None, Some("arn:aws:kinesis:us-east-1:0:stream/orders"), "streamARN"),
            (None, Some("arn:aws:kinesis:us-east-1:000000000000:stream/"), "streamARN"),
        ] {
            let Err(Refusal::Validation(message)) = which(name, arn) else { panic!("{name:?} {arn:?}") };
            assert!(message.contains(&format!("at '{path}' failed to satisfy constraint: ")), "{message}");
        }
    }
}
