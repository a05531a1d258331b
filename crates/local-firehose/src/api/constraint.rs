//! The constraints of the service model, and what is said of those that are broken.
//!
//! The texts are those that Firehose was seen to give for records and batches; for other fields, those of Kinesis, which has
//! the same framework (probed by the kinesalite project).

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::refusal::Refusal;

/// How many are told at most: probed on Kinesis.
const MOST_TOLD: usize = 10;

/// How much of a value is told. AWS tells all; this is enough for the records of a batch that has twice too many.
const MOST_SHOWN_BYTES: usize = 64 * 1024;

/// The most characters of a delivery stream's name (Firehose API reference, "CreateDeliveryStream").
pub(super) const MAX_DELIVERY_STREAM_NAME: usize = 64;

/// What an input breaks.
#[derive(Debug, Default)]
pub(super) struct Constraints {
    broken: Vec<String>,
}

impl Constraints {
    /// A value that must be there.
    pub(super) fn required<T>(&mut self, value: Option<T>, path: &str) -> Option<T> {
        if value.is_none() && !self.is_full() {
            self.add(&format!("Value null at '{path}'"), "Member must not be null");
        }
        value
    }

    /// The name of the delivery stream that a call is for.
    pub(super) fn delivery_stream_name(&mut self, name: Option<String>) -> String {
        let path = "deliveryStreamName";
        if let Some(name) = self.required(name.as_deref(), path) {
            self.name(name, path, MAX_DELIVERY_STREAM_NAME);
        }
        name.unwrap_or_default()
    }

    /// A name, or an id that has the form of one: letters, digits, and `_`, `.`, `-`.
    pub(super) fn name(&mut self, name: &str, path: &str, most: usize) {
        self.text(name, path, most, |char| matches!(char, '_' | '.' | '-'), "[a-zA-Z0-9_.-]+");
    }

    /// A text of letters, digits and some more, told as a regular expression.
    pub(super) fn text(&mut self, text: &str, path: &str, most: usize, more: impl Fn(char) -> bool, pattern: &str) {
        if text.is_empty() || !text.chars().all(|char| char.is_ascii_alphanumeric() || more(char)) {
            self.broken(text, path, &format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        if text.is_empty() {
            self.broken(text, path, "Member must have length greater than or equal to 1");
        }
        self.at_most(text.chars().count(), most, || text, path);
    }

    /// One of a few values.
    pub(super) fn one_of(&mut self, value: &str, path: &str, values: &[&str]) {
        if !values.contains(&value) {
            self.broken(value, path, &format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
    }

    /// A length that must not be over a limit; `value` is what has it.
    pub(super) fn at_most<V: Display>(&mut self, length: usize, most: usize, value: impl FnOnce() -> V, path: &str) {
        if length > most {
            self.broken(value(), path, &format!("Member must have length less than or equal to {most}"));
        }
    }

    /// A number.
    pub(super) fn number(&mut self, number: i64, path: &str, range: &RangeInclusive<i64>) {
        if number < *range.start() {
            self.broken(number, path, &format!("Member must have value greater than or equal to {}", range.start()));
        }
        if number > *range.end() {
            self.broken(number, path, &format!("Member must have value less than or equal to {}", range.end()));
        }
    }

    /// One value, and what it should have been.
    pub(super) fn broken(&mut self, value: impl Display, path: &str, constraint: &str) {
        if !self.is_full() {
            self.add(&format!("Value '{}' at '{path}'", shown(&value.to_string())), constraint);
        }
    }

    /// Whether nothing more is told.
    pub(super) fn is_full(&self) -> bool {
        self.broken.len() == MOST_TOLD
    }

    fn add(&mut self, value: &str, constraint: &str) {
        self.broken.push(format!("{value} failed to satisfy constraint: {constraint}"));
    }

    /// Refuses the input that broke any.
    pub(super) fn judge(self) -> Result<(), Refusal> {
        let count = self.broken.len();
        let errors = match count {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        Err(Refusal::Validation(format!("{count} validation {errors} detected: {}", self.broken.join("; "))))
    }
}

/// As much of a value as is told of it.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_SHOWN_BYTES {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(MOST_SHOWN_BYTES)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_broken(check: impl FnOnce(&mut Constraints), message: &str) {
        let mut constraints = Constraints::default();
        check(&mut constraints);
        assert_eq!(constraints.judge(), Err(Refusal::Validation(message.to_owned())));
    }

    #[test]
    fn a_name_has_1_to_64_characters_of_a_few() {
        let longest = "n".repeat(64);
        for name in ["a", "Mysfits-clicks_2.0", &longest] {
            let mut constraints = Constraints::default();
            constraints.name(name, "deliveryStreamName", 64);
            assert_eq!(constraints.judge(), Ok(()), "{name}");
        }
        assert_broken(
            |constraints| assert_eq!(constraints.required(None::<&str>, "deliveryStreamName"), None),
            "1 validation error detected: Value null at 'deliveryStreamName' failed to satisfy constraint: \
             Member must not be null",
        );
        assert_broken(
            |constraints| constraints.name("my clicks", "deliveryStreamName", 64),
            "1 validation error detected: Value 'my clicks' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        );
        assert_broken(
            |constraints| constraints.name("", "deliveryStreamName", 64),
            "2 validation errors detected: Value '' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; \
             Value '' at 'deliveryStreamName' failed to satisfy constraint: \
             Member must have length greater than or equal to 1",
        );
        assert_broken(
            |constraints| constraints.name(&(longest.clone() + "n"), "deliveryStreamName", 64),
            &format!(
                "1 validation error detected: Value '{longest}n' at 'deliveryStreamName' failed to satisfy constraint: \
                 Member must have length less than or equal to 64"
            ),
        );
    }

    #[test]
    fn a_number_is_within_its_range() {
        for number in [1, 10] {
            let mut constraints = Constraints::default();
            constraints.number(number, "limit", &(1..=10));
            assert_eq!(constraints.judge(), Ok(()));
        }
        assert_broken(
            |constraints| constraints.number(0, "limit", &(1..=10)),
            "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: \
             Member must have value greater than or equal to 1",
        );
        assert_broken(
            |constraints| constraints.number(11, "limit", &(1..=10)),
            "1 validation error detected: Value '11' at 'limit' failed to satisfy constraint: \
             Member must have value less than or equal to 10",
        );
    }

    #[test]
    fn not_all_is_told_of_what_is_all_wrong() {
        let mut constraints = Constraints::default();
        for _ in 0..30 {
            constraints.broken("é".repeat(40_000), "a", "…");
        }
        let Err(Refusal::Validation(message)) = constraints.judge() else { panic!("valid") };
        assert!(message.starts_with("10 validation errors detected: Value 'é"));
        assert!(message.len() < 10 * (MOST_SHOWN_BYTES + 100));
    }
}
