//! Why a record was not stored, and whether a retry may help.

use aws_sdk_kinesis::config::http::HttpResponse;
use aws_sdk_kinesis::error::{ConnectorError, ProvideErrorMetadata, SdkError};

/// The longest code in a log; the longest of Kinesis has 38 characters.
const MAX_CODE_CHARS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PutError {
    /// The error code of Kinesis, or of the call. Unlike the message of Kinesis, it has no content of the record.
    pub(crate) code: String,
    /// A retry would fail the same way, such as for a missing stream or permission.
    pub(crate) is_permanent: bool,
}

/// The codes with a status of 4xx that are transient ("PutRecords", "Errors", Amazon Kinesis Data Streams API Reference, and
/// "Common Errors" there).
const TRANSIENT: [&str; 7] = [
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottlingException",
];

impl PutError {
    /// A call that failed as a whole.
    pub(super) fn of_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::TimeoutError(_) => Self::transient("timeout"),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(error) if is_not_sent(error) => Self::not_sent(),
                _ => Self::transient("connection"),
            },
            SdkError::ServiceError(error) => {
                let code = error.err().code().unwrap_or("unknown");
                let status = error.raw().status().as_u16();
                Self::new(code, status < 500 && status != 429 && !TRANSIENT.contains(&code))
            }
            SdkError::ConstructionFailure(_) => Self::not_sent(),
            // Not a response of Kinesis: a proxy's page, or a partial response.
            _ => Self::invalid_response(),
        }
    }

    pub(super) fn transient(code: &str) -> Self {
        Self::new(code, false)
    }

    /// The response is not one of Kinesis.
    pub(super) fn invalid_response() -> Self {
        Self::transient("answer")
    }

    /// The call was not sent, for example without credentials.
    pub(super) fn not_sent() -> Self {
        Self::new("request", true)
    }

    fn new(code: &str, is_permanent: bool) -> Self {
        Self { code: code.chars().take(MAX_CODE_CHARS).collect(), is_permanent }
    }
}

/// The SDK reports errors before a connection, such as missing credentials, as "other" without a kind.
fn is_not_sent(error: &ConnectorError) -> bool {
    error.is_user() || (error.is_other() && error.as_other().is_none())
}
