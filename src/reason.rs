//! Why records fail.

use std::str::Utf8Error;

use firehose_transform::DataError;

/// Why a record's result is `ProcessingFailed`.
///
/// The list is closed, so that it can be a metric's dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record has neither `data` nor `kafkaRecordValue`.
    MissingData,
    /// The data is not a base64 string.
    InvalidBase64,
    /// The data is not UTF-8.
    InvalidUtf8,
    /// The data is empty, or only white space.
    Empty,
    /// The data is not JSON, or a kept field has a string with a lone surrogate.
    InvalidJson,
    /// A JSON value in the data is not an object.
    NotAnObject,
    /// A kept field nests deeper than 128 levels.
    TooDeep,
    /// A kept field has a number that exceeds a 64-bit float.
    NumberTooLarge,
    /// The key or a required field is missing.
    MissingField,
    /// A required field is not a string, or the key neither a string nor an integer.
    WrongType,
    /// A required field has more than 256 bytes, or the key more than 128 characters or 20 digits.
    TooLong,
    /// The key is empty or has a character outside `[A-Za-z0-9_-]`.
    InvalidKey,
    /// The key is unknown to the service.
    UnknownKey,
    /// The service is available, but failed for this key, or its item lacks an attribute.
    ServiceError,
    /// The service responded for no key of this batch.
    ServiceUnavailable,
    /// A partition key is missing, `null`, empty, longer than 256 bytes, an object or an array, or differs between the events of one
    /// record.
    PartitionKey,
    /// The record's lines, or the attributes of the batch's keys, exceed the size of a response.
    ResponseBudget,
}

impl From<Utf8Error> for Reason {
    fn from(_: Utf8Error) -> Self {
        Self::InvalidUtf8
    }
}

impl From<DataError> for Reason {
    fn from(error: DataError) -> Self {
        match error {
            DataError::InvalidBase64 => Self::InvalidBase64,
            _ => Self::MissingData,
        }
    }
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: [Reason; 17] = [
        Reason::MissingData,
        Reason::InvalidBase64,
        Reason::InvalidUtf8,
        Reason::Empty,
        Reason::InvalidJson,
        Reason::NotAnObject,
        Reason::TooDeep,
        Reason::NumberTooLarge,
        Reason::MissingField,
        Reason::WrongType,
        Reason::TooLong,
        Reason::InvalidKey,
        Reason::UnknownKey,
        Reason::ServiceError,
        Reason::ServiceUnavailable,
        Reason::PartitionKey,
        Reason::ResponseBudget,
    ];

    /// The reason in logs and metrics, for example `invalid_json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::MissingData => "missing_data",
            Reason::InvalidBase64 => "invalid_base64",
            Reason::InvalidUtf8 => "invalid_utf8",
            Reason::Empty => "empty",
            Reason::InvalidJson => "invalid_json",
            Reason::NotAnObject => "not_an_object",
            Reason::TooDeep => "too_deep",
            Reason::NumberTooLarge => "number_too_large",
            Reason::MissingField => "missing_field",
            Reason::WrongType => "wrong_type",
            Reason::TooLong => "too_long",
            Reason::InvalidKey => "invalid_key",
            Reason::UnknownKey => "unknown_key",
            Reason::ServiceError => "service_error",
            Reason::ServiceUnavailable => "service_unavailable",
            Reason::PartitionKey => "partition_key",
            Reason::ResponseBudget => "response_budget",
        }
    }
}
