//! Why a body is not stored: the closed list that answers, logs and metrics use.

use service_kit::json::Unusable;

/// Why nothing of a body is stored. Sending it again changes nothing.
///
/// Shown to whoever sent it, so it tells what is wrong and repeats nothing of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The event says that its body is base64, which it is not.
    #[error("the body is not base64, as its event says")]
    NotBase64,
    /// The body is not JSON.
    #[error("the body is not JSON in UTF-8")]
    NotJson,
    /// The body, or an element of its array, is no object.
    #[error("the body is neither a JSON object nor an array of JSON objects")]
    NotAnObject,
    /// A value can't be stored as it is.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The body is too large.
    #[error("the body has more than 1 MiB")]
    BodyTooLarge,
    /// The array has too many objects.
    #[error("the array has more than 10000 objects")]
    TooManyObjects,
    /// The body fits and the record doesn't, which has a `null` for each missing field, and the partition key.
    #[error("a record has more than 1 MiB, its partition key included")]
    RecordTooLarge,
}

impl Refusal {
    /// The HTTP status that answers it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotBase64 | Self::NotJson | Self::NotAnObject | Self::Unusable(_) => 400,
            Self::BodyTooLarge | Self::TooManyObjects | Self::RecordTooLarge => 413,
        }
    }

    /// The reason as logs show it, for example `not_json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotBase64 => "not_base64",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::Unusable(Unusable::Escape) => "no_text",
            Self::Unusable(Unusable::TooDeep) => "too_deep",
            Self::Unusable(Unusable::NumberTooLarge) => "number_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyObjects => "too_many_objects",
            Self::RecordTooLarge => "record_too_large",
        }
    }
}
