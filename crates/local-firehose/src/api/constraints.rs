//! The constraints of the service models. The messages are those of Kinesis and Firehose, which share a framework (seen of Firehose; probed
//! on Kinesis by the kinesalite project).

use std::fmt::Display;
use std::ops::RangeInclusive;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};

use super::request::ApiError;
use firehose_model::excerpt::excerpt;
use firehose_model::limits::is_stream_name_char;

/// The most violations of a message (probed on Kinesis).
const MAX_VIOLATIONS: usize = 10;
const MAX_VALUE_CHARS: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Constraints {
    violations: Vec<String>,
    /// Reported instead of the violations.
    not_base64: Option<DecodeError>,
    decoded: Vec<u8>,
}

impl Constraints {
    pub(super) fn required<T>(&mut self, value: Option<T>, path: &str) -> Option<T> {
        if value.is_none() && !self.is_full() {
            self.add(&format!("Value null at '{path}'"), "Member must not be null");
        }
        value
    }

    pub(super) fn name(&mut self, name: &str, path: &str, most: usize) {
        if name.is_empty() || !name.chars().all(is_stream_name_char) {
            self.violated(name, path, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
        }
        self.bounds("length", name.chars().count(), 1..=most, name, path);
    }

    /// `what` has the bounds: a length, or a value.
    pub(super) fn bounds<N: Copy + PartialOrd + Display>(
        &mut self,
        what: &str,
        number: N,
        bounds: RangeInclusive<N>,
        value: impl Display,
        path: &str,
    ) {
        let (least, most) = bounds.into_inner();
        if number < least {
            self.violated(&value, path, &format!("Member must have {what} greater than or equal to {least}"));
        }
        if number > most {
            self.violated(&value, path, &format!("Member must have {what} less than or equal to {most}"));
        }
    }

    /// The size is that before base64.
    pub(super) fn data(&mut self, data: Option<&str>, path: &str, most: usize) {
        let Some(data) = self.required(data, path) else { return };
        self.decoded.clear();
        if let Err(error) = STANDARD.decode_vec(data, &mut self.decoded) {
            self.not_base64.get_or_insert(error);
        }
        let size = self.decoded.len();
        self.bounds("length", size, 0..=most, format_args!("{size} bytes"), path);
    }

    pub(super) fn records<R>(
        &mut self,
        records: Option<Vec<Option<R>>>,
        most: usize,
        validate: impl Fn(&R, &mut Self, &str),
    ) -> Vec<R> {
        let Some(records) = self.required(records, "records") else { return Vec::new() };
        let count = records.len();
        let found = if count == 0 { "[]".to_owned() } else { format!("{count} records") };
        self.bounds("length", count, 1..=most, found, "records");
        for (index, record) in records.iter().enumerate() {
            if self.is_full() {
                break;
            }
            let path = format!("records.{}.member", index + 1);
            if let Some(record) = self.required(record.as_ref(), &path) {
                validate(record, self, &format!("{path}."));
            }
        }
        records.into_iter().flatten().collect()
    }

    pub(super) fn violated(&mut self, value: impl Display, path: &str, constraint: &str) {
        if !self.is_full() {
            self.add(&format!("Value '{}' at '{path}'", excerpt(&value.to_string(), MAX_VALUE_CHARS)), constraint);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.violations.len() == MAX_VIOLATIONS
    }

    fn add(&mut self, value: &str, constraint: &str) {
        self.violations.push(format!("{value} failed to satisfy constraint: {constraint}"));
    }

    pub(super) fn validate(self) -> Result<(), ApiError> {
        if let Some(error) = self.not_base64 {
            return Err(ApiError::serialization(format!("Data is not base64: {error}")));
        }
        let count = self.violations.len();
        let errors = match count {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        Err(ApiError::validation(format!("{count} validation {errors} detected: {}", self.violations.join("; "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_violated(check: impl FnOnce(&mut Constraints), message: &str) {
        let mut constraints = Constraints::default();
        check(&mut constraints);
        assert_eq!(constraints.validate(), Err(ApiError::validation(message)));
    }

    #[test]
    fn a_name_has_1_to_64_characters_of_a_few() {
        let longest = "n".repeat(64);
        for name in ["a", "Mysfits-clicks_2.0", &longest] {
            let mut constraints = Constraints::default();
            constraints.name(name, "deliveryStreamName", 64);
            assert_eq!(constraints.validate(), Ok(()), "{name}");
        }
        assert_violated(
            |constraints| assert_eq!(constraints.required(None::<&str>, "deliveryStreamName"), None),
            "1 validation error detected: Value null at 'deliveryStreamName' failed to satisfy constraint: \
             Member must not be null",
        );
        assert_violated(
            |constraints| constraints.name("my clicks", "deliveryStreamName", 64),
            "1 validation error detected: Value 'my clicks' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        );
        assert_violated(
            |constraints| constraints.name("", "deliveryStreamName", 64),
            "2 validation errors detected: Value '' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
             Value '' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must have length greater than or equal to 1",
        );
        assert_violated(
            |constraints| constraints.name(&(longest.clone() + "n"), "deliveryStreamName", 64),
            &format!(
                "1 validation error detected: Value '{longest}n' at 'deliveryStreamName' failed to satisfy constraint: \
                 Member must have length less than or equal to 64"
            ),
        );
    }

    #[test]
    fn base64_is_measured() {
        for (text, expected) in [
            ("aGVsbG8=", Some(5)),
            ("", Some(0)),
            ("AAA=", Some(2)),
            ("aGk", None),
            ("ab-_", None),
            ("aGk\n", None),
            ("+/+=", None),
            ("éé", None),
        ] {
            let mut constraints = Constraints { decoded: vec![0; 100], ..Constraints::default() };
            constraints.data(Some(text), "data", 5);
            let size = constraints.not_base64.is_none().then_some(constraints.decoded.len());
            assert_eq!(size, expected, "{text}");
        }
    }

    #[test]
    fn the_message_is_bounded() {
        let mut constraints = Constraints::default();
        for _ in 0..30 {
            constraints.violated("é".repeat(40_000), "a", "…");
        }
        let message = constraints.validate().unwrap_err().message;
        assert!(message.starts_with("10 validation errors detected: Value 'é"));
        assert!(message.len() < 10 * (2 * MAX_VALUE_CHARS + 100));
    }
}
