//! Why a body is rejected.

use service_kit::json::UnsupportedValue;

/// Why nothing of a body is stored. A retry gets the same error. The client sees the message, which has no content of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The event says that its body is base64, but it is not.
    #[error("the body is not base64, as its event says")]
    NotBase64,
    /// The body is not JSON.
    #[error("the body is not JSON in UTF-8")]
    NotJson,
    /// The body, or an element of its array, is not an object.
    #[error("the body is neither a JSON object nor an array of JSON objects")]
    NotAnObject,
    /// A value can't be stored unchanged.
    #[error(transparent)]
    UnsupportedValue(#[from] UnsupportedValue),
    /// The body is too large.
    #[error("the body has more than 1 MiB")]
    BodyTooLarge,
    /// The array has too many objects.
    #[error("the array has more than 10000 objects")]
    TooManyObjects,
    /// A record is too large: it also has a `null` for each missing field, and the partition key.
    #[error("a record has more than 1 MiB, its partition key included")]
    RecordTooLarge,
}

impl BodyError {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::NotBase64 | Self::NotJson | Self::NotAnObject | Self::UnsupportedValue(_) => 400,
            Self::BodyTooLarge | Self::TooManyObjects | Self::RecordTooLarge => 413,
        }
    }

    /// The reason in logs, for example `not_json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotBase64 => "not_base64",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::UnsupportedValue(UnsupportedValue::Escape) => "no_text",
            Self::UnsupportedValue(UnsupportedValue::TooDeep) => "too_deep",
            Self::UnsupportedValue(UnsupportedValue::NumberTooLarge) => "number_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyObjects => "too_many_objects",
            Self::RecordTooLarge => "record_too_large",
        }
    }
}
