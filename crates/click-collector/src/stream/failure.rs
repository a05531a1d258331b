//! Why Kinesis has not stored a record, and whether another attempt may help.

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ConnectorError, ProvideErrorMetadata, SdkError};

/// The longest code that is told; Kinesis' longest has 38 characters.
const MAX_CODE_CHARS: usize = 64;

/// Why Kinesis has not stored a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Kinesis' code, or what became of the call. It tells nothing of the record, as Kinesis' message might.
    pub code: String,
    /// Another attempt would fail the same way: a missing stream, a missing permission.
    pub lasts: bool,
}

/// The codes of refusals with a status of 4xx that pass ("PutRecords", "Errors", Amazon Kinesis Data Streams API Reference, and
/// "Common Errors" there).
const PASSING: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottlingException",
];

impl Failure {
    /// A call that failed as a whole.
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::TimeoutError(_) => Self::new("timeout", false),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if is_of_our_own(error) => Self::of_our_own(),
                _ => Self::new("connection", false),
            },
            SdkError::ServiceError(error) => {
                let code = error.err().code().unwrap_or("unknown");
                let status = error.raw().status().as_u16();
                Self::new(code, status < 500 && status != 429 && !PASSING.contains(&code))
            }
            SdkError::ConstructionFailure(_) => Self::of_our_own(),
            // What is no answer of Kinesis: a proxy's page, or half of an answer.
            _ => Self::no_answer(),
        }
    }

    /// One record of a call that was answered. Its code is one of two, and both pass: throughput, and Kinesis' own trouble
    /// ("PutRecordsResultEntry", Amazon Kinesis Data Streams API Reference).
    pub(super) fn of_record(code: &str) -> Self {
        Self::new(code, false)
    }

    /// The invocation is about to end.
    pub(super) fn out_of_time() -> Self {
        Self::new("deadline", false)
    }

    /// What came back is no answer of Kinesis.
    pub(super) fn no_answer() -> Self {
        Self::new("answer", false)
    }

    /// The call was never sent: no credentials, for one.
    pub(super) fn of_our_own() -> Self {
        Self::new("request", true)
    }

    fn new(code: &str, lasts: bool) -> Self {
        Self { code: code.chars().take(MAX_CODE_CHARS).collect(), lasts }
    }
}

/// The SDK files under "other" what never came to a connection, such as missing credentials; what broke off has a kind there.
fn is_of_our_own(error: &ConnectorError) -> bool {
    error.is_user() || (error.is_other() && error.as_other().is_none())
}
