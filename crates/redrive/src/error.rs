//! Why a redrive stops early.

use std::error::Error;

use object_storage::BucketError;

/// Why a redrive stopped early. Each message names what to change.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// The options or the environment are wrong.
    #[error("{0}")]
    Usage(String),
    /// The service refuses records or does not respond, or the journal can't be used.
    #[error("{0}")]
    Failed(String),
    /// A file can't be read or written.
    #[error("{0}")]
    File(String, #[source] Box<dyn Error + Send + Sync>),
    /// The objects are unavailable.
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl RedriveError {
    /// Whether the options or the environment are wrong.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Bucket(BucketError::NoCredentials(_)))
    }
}
