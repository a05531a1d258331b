//! The size limit of a response, and the least that its parts take.

/// The most bytes of a response.
///
/// A synchronous invocation is limited to 6 MB ("Lambda quotas", AWS Lambda Developer Guide); a larger response fails the whole batch.
/// Whether that is 6,000,000 or 6,291,556 bytes is a difference of 5 %, which is not worth the risk.
pub const RESPONSE_BUDGET_BYTES: usize = 6_000_000;

/// An upper bound of the records of a response: each result is at least `FAILED` with a brace and a comma.
pub(crate) const MAX_RECORDS: usize = RESPONSE_BUDGET_BYTES / FAILED.len();

pub(crate) const OPEN: &[u8] = br#"{"records":["#;
pub(crate) const CLOSE: &[u8] = b"]}";
pub(crate) const RECORD_ID: &[u8] = br#""recordId":"#;
pub(crate) const FAILED: &[u8] = br#""result":"ProcessingFailed"}"#;

/// The length of the response that fails all records with these ids, each as JSON. It counts a comma before the first record, too.
pub(crate) fn least_len<'a>(ids: impl Iterator<Item = Option<&'a str>>) -> usize {
    OPEN.len() + ids.map(failed_len).sum::<usize>() + CLOSE.len()
}

/// The length of a `ProcessingFailed` result with a comma: the shortest that is always allowed.
pub(crate) fn failed_len(id: Option<&str>) -> usize {
    let id = id.map_or(0, |id| RECORD_ID.len() + id.len() + 1);
    1 + 1 + id + FAILED.len()
}
