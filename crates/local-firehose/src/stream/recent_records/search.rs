//! Finds records, newest first.

use std::cell::RefCell;
use std::sync::Arc;

use serde::Serialize;

use super::entry::{Entry, Failure, Payload, RecordStatus};
use super::store::RecentRecords;

/// The records that are read at once. Others can be accepted between two such reads.
const CHUNK: usize = 256;
const EXCERPT_CHARS: usize = 200;

/// Which records to find: those that match everything that is given.
#[derive(Debug, Clone, Default)]
pub struct RecordQuery {
    /// A part of the id, of the original bytes, or of the output, without regard to ASCII case.
    pub text: Option<String>,
    /// The partition key.
    pub key: Option<String>,
    /// The status.
    pub status: Option<RecordStatus>,
    /// A part of the reason, of the invocation's error, or of Firehose's error code.
    pub reason: Option<String>,
    /// The number of the batch.
    pub batch: Option<u64>,
    /// Records that were in the pipeline at this time or later, in milliseconds since 1970. With [`RecordStatus::Failed`], those that have
    /// failed then, when their error line was stored.
    pub from_ms: Option<i64>,
    /// Records that were in the pipeline at this time or before, or have failed then.
    pub to_ms: Option<i64>,
    /// Records with a smaller number.
    pub before: Option<u64>,
    /// The most records of a page.
    pub limit: usize,
}

/// Records that a query has found.
#[derive(Debug, Serialize)]
pub struct RecordPage {
    /// Newest first.
    pub records: Vec<RecordRow>,
    /// Whether there are more.
    pub more: bool,
    /// How many records are kept.
    pub kept: usize,
    /// What they take.
    pub kept_bytes: usize,
    /// What they may take.
    pub limit_bytes: usize,
    /// When the oldest of the latest records was accepted. Older records have failed.
    pub oldest_ms: Option<i64>,
}

/// A record in a list.
#[derive(Debug, Serialize)]
pub struct RecordRow {
    /// Counts the records of the stream, from 1.
    pub number: u64,
    /// The record id.
    pub id: Arc<str>,
    /// When it was accepted, in milliseconds since 1970.
    pub at_ms: i64,
    /// The size of its data.
    pub bytes: usize,
    /// The partition key, which is empty for Direct PUT.
    pub key: String,
    /// The status.
    pub outcome: RecordStatus,
    /// Firehose's error code, if it failed.
    pub code: Option<&'static str>,
    /// What the function has logged of its failure.
    pub reason: Option<Arc<str>>,
    /// Why its invocation failed, such as a type and a message.
    pub error: Option<Arc<str>>,
    /// The number of its batch.
    pub batch: Option<u64>,
    /// The first 200 characters.
    pub excerpt: String,
}

impl RecordRow {
    pub(super) fn of(entry: &Entry) -> Self {
        let failure = entry.failure();
        Self {
            number: entry.number,
            id: Arc::clone(&entry.id),
            at_ms: entry.arrival_ms,
            bytes: entry.original.bytes,
            key: entry.key.as_deref().unwrap_or_default().to_owned(),
            outcome: entry.status(),
            code: failure.map(|failure| failure.code.code()),
            reason: failure.and_then(|failure| failure.reason.clone()),
            error: failure.and_then(|failure| failure.error.clone()),
            batch: entry.batch.as_ref().map(|(batch, _)| batch.number),
            excerpt: entry.original.excerpt(),
        }
    }
}

impl Payload {
    fn excerpt(&self) -> String {
        // A character has at most four bytes.
        let start = &self.start[..self.start.len().min(EXCERPT_CHARS * 4)];
        String::from_utf8_lossy(start).chars().take(EXCERPT_CHARS).collect()
    }
}

impl RecentRecords {
    /// Reads all records that are kept, if few of them match: some tens of megabytes.
    #[must_use]
    pub fn find(&self, query: &RecordQuery) -> RecordPage {
        let matcher = Matcher::new(query);
        let (mut records, mut more) = (Vec::new(), false);
        let mut before = query.before.unwrap_or(u64::MAX);
        'pages: loop {
            let entries = self.kept().before(before, CHUNK);
            let Some(last) = entries.last() else { break };
            before = last.number;
            for entry in entries.iter().filter(|entry| matcher.matches(entry)) {
                if records.len() == query.limit {
                    more = true;
                    break 'pages;
                }
                records.push(RecordRow::of(entry));
            }
        }
        let kept = self.kept();
        let (kept_bytes, limit_bytes, oldest_ms) = (kept.bytes(), kept.limit(), kept.oldest_ms());
        RecordPage { records, more, kept: kept.len(), kept_bytes, limit_bytes, oldest_ms }
    }
}

pub(super) struct Matcher<'a> {
    query: &'a RecordQuery,
    text: Option<Vec<u8>>,
    reason: Option<String>,
    /// For all texts, so that none needs an allocation.
    lower_case: RefCell<Vec<u8>>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(query: &'a RecordQuery) -> Self {
        let text = query.text.as_ref().map(|text| text.to_ascii_lowercase().into_bytes());
        let reason = query.reason.as_ref().map(|reason| reason.to_ascii_lowercase());
        Self { query, text, reason, lower_case: RefCell::default() }
    }

    pub(super) fn matches(&self, entry: &Entry) -> bool {
        let RecordQuery { key, status, batch, .. } = self.query;
        status.is_none_or(|status| status == entry.status())
            && batch.is_none_or(|number| entry.batch.as_ref().is_some_and(|(batch, _)| batch.number == number))
            && self.is_in_time(entry)
            && key.as_deref().is_none_or(|key| entry.key.as_deref().unwrap_or_default() == key)
            && self.reason.as_deref().is_none_or(|reason| has_reason(entry, reason))
            && self.text.as_deref().is_none_or(|text| self.has_text(entry, text))
    }

    fn is_in_time(&self, entry: &Entry) -> bool {
        let RecordQuery { status, from_ms, to_ms, .. } = self.query;
        let start_ms = if *status == Some(RecordStatus::Failed) { entry.changed_ms } else { Some(entry.arrival_ms) };
        to_ms.is_none_or(|to| start_ms.is_some_and(|start| start <= to))
            && from_ms.is_none_or(|from| entry.changed_ms.is_none_or(|changed| changed >= from))
    }

    /// `part` is in lower case.
    fn has_text(&self, entry: &Entry, part: &[u8]) -> bool {
        let output = entry.output.as_ref().map(|output| &output.start[..]);
        let texts = [Some(entry.id.as_bytes()), Some(&entry.original.start[..]), output];
        let mut lower_case = self.lower_case.borrow_mut();
        texts.into_iter().flatten().any(|text| {
            lower_case.clear();
            lower_case.extend_from_slice(text);
            lower_case.make_ascii_lowercase();
            memchr::memmem::find(&lower_case, part).is_some()
        })
    }
}

fn has_reason(entry: &Entry, part: &str) -> bool {
    entry.failure().is_some_and(|Failure { code, reason, error }| {
        let texts = [reason.as_deref(), error.as_deref(), Some(code.code())];
        texts.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(part))
    })
}
