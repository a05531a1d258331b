//! Why a record is not delivered: the closed list that logs and metrics use.

/// The reason a record is answered with `ProcessingFailed`.
///
/// The list is closed so that it can be a metric's dimension. [`Reason::as_str`] is what logs and metrics show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The record has neither `data` nor `kafkaRecordValue`.
    MissingData,
    /// The data is not a base64 string.
    InvalidBase64,
    /// The data is not UTF-8.
    InvalidUtf8,
    /// The data is empty, or white space alone.
    Empty,
    /// The data is not JSON, or a field that is kept holds a string that no UTF-8 text can hold (a lone surrogate).
    InvalidJson,
    /// A JSON value in the data is no object.
    NotAnObject,
    /// The values of a field that is kept nest deeper than 128 levels.
    TooDeep,
    /// A number in a field that is kept is beyond what a 64-bit float can hold.
    NumberTooLarge,
    /// `userId` or `mysfitId` is missing.
    MissingField,
    /// `userId` or `mysfitId` is not a string.
    WrongType,
    /// `userId` has more than 256 bytes, or `mysfitId` more than 128 characters.
    TooLong,
    /// `mysfitId` is empty or has a character outside `[A-Za-z0-9_-]`.
    InvalidMysfitId,
    /// The service knows no such mysfit.
    UnknownMysfit,
    /// The service failed for this mysfit, or this mysfit lacks an attribute; the service answered all the same.
    ServiceError,
    /// The service answered for no mysfit of this batch.
    ServiceUnavailable,
    /// A partition key is missing, `null`, empty, longer than 256 bytes or no plain value, or differs between the clicks of
    /// one record.
    PartitionKey,
    /// The reply has no room left for this record's line, or the mysfits of the batch have more attributes than a reply holds.
    ResponseBudget,
}

impl Reason {
    /// Every reason, in the order in which a record meets them.
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
        Reason::InvalidMysfitId,
        Reason::UnknownMysfit,
        Reason::ServiceError,
        Reason::ServiceUnavailable,
        Reason::PartitionKey,
        Reason::ResponseBudget,
    ];

    /// The reason as logs and metrics show it, for example `invalid_json`.
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
            Reason::InvalidMysfitId => "invalid_mysfit_id",
            Reason::UnknownMysfit => "unknown_mysfit",
            Reason::ServiceError => "service_error",
            Reason::ServiceUnavailable => "service_unavailable",
            Reason::PartitionKey => "partition_key",
            Reason::ResponseBudget => "response_budget",
        }
    }
}
