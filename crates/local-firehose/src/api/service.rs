//! What distinguishes the APIs of Firehose and Kinesis before an operation is known.

/// A service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) short_name: &'static str,
    /// The prefix of an operation's name in `X-Amz-Target`.
    pub(super) target_prefix: &'static str,
    /// The supported operations, as a list in a sentence.
    pub(super) operations: &'static str,
    /// An example of an operation.
    pub(super) operation: &'static str,
    pub(super) max_body_bytes: usize,
    /// The reason for the limit, after "larger than".
    pub(super) largest_body: &'static str,
    /// The endpoint for web pages.
    pub(super) page_endpoint: &'static str,
}
