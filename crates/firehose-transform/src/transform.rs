//! A function per record, and the outcomes of the records.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::event::{DataError, Event, Record};
use crate::response::Response;

/// How many failed records a [`Summary`] names; its counts include all.
const MAX_FAILURES: usize = 20;
/// The longest id in a log. The longest that was seen has 160 characters.
const MAX_ID_CHARS: usize = 256;

/// What a transformation makes of a record.
///
/// ```
/// use firehose_transform::{Outcome, Record, RecordError};
///
/// /// Drops empty records, and partitions the others by their first byte.
/// fn partition(record: &Record) -> Result<Outcome, RecordError> {
///     let Some(first) = record.data().first() else { return Ok(Outcome::Dropped) };
///     let keys = [("initial".to_owned(), char::from(*first).to_string())];
///     Ok(Outcome::Partitioned { data: record.data().to_vec(), keys: keys.into() })
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Firehose delivers this data instead of the record's. Data that is lines ends in a newline, because Firehose concatenates records.
    Ok(Vec<u8>),
    /// As `Ok`, with keys by name for dynamic partitioning. Firehose refuses keys that are empty.
    Partitioned {
        /// The data.
        data: Vec<u8>,
        /// The keys by name.
        keys: BTreeMap<String, String>,
    },
    /// Firehose discards the record.
    Dropped,
}

/// Why a record fails. Firehose keeps the original bytes of such a record in the error output.
///
/// Any error converts into it by `?`, with the reason `error`. Therefore this is no [`Error`] itself.
///
/// ```
/// use firehose_transform::{Outcome, Record, RecordError};
///
/// fn first_line(record: &Record) -> Result<Outcome, RecordError> {
///     let text = str::from_utf8(record.data())?;
///     let line = text.lines().next().ok_or_else(|| RecordError::new("empty", "no line"))?;
///     Ok(Outcome::Ok(format!("{line}\n").into()))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// A short name, which logs and metrics count.
    pub reason: &'static str,
    /// May quote the record, so [`run`](crate::run) logs it at the level `DEBUG` only.
    pub message: String,
}

impl RecordError {
    /// An error with a reason to count it by, and a message.
    pub fn new(reason: &'static str, message: impl fmt::Display) -> Self {
        Self { reason, message: message.to_string() }
    }
}

impl<E: Error> From<E> for RecordError {
    fn from(error: E) -> Self {
        Self::new("error", error)
    }
}

/// A response, and the outcomes of its records. Returned by [`Event::transform`].
///
/// ```
/// use firehose_transform::{Event, RecordError};
///
/// let event = Event::parse(br#"{"records":[{"recordId":"a","data":""},{"recordId":"b"}]}"#)?;
/// let transformed = event.transform(|_| Err(RecordError::new("not_today", "as an example")));
/// let summary = transformed.summary;
/// assert_eq!((summary.failed_count(), summary.failed["not_today"], summary.failed["missing_data"]), (2, 1, 1));
/// assert_eq!(summary.failures[1].record_id.as_deref(), Some("b"));
/// # Ok::<(), firehose_transform::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transformed {
    /// The response as JSON.
    pub response: Vec<u8>,
    /// The outcomes.
    pub summary: Summary,
}

/// The outcomes of the records of one event: see [`Transformed`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Records with the result `Ok`.
    pub ok: usize,
    /// Records with the result `Dropped`.
    pub dropped: usize,
    /// Records with the result `ProcessingFailed`, by reason: that of the [`RecordError`], or `missing_data`, `invalid_base64`,
    /// `response_budget` or `panic`.
    pub failed: BTreeMap<&'static str, usize>,
    /// The first 20 of them.
    pub failures: Vec<Failure>,
}

/// A record with the result `ProcessingFailed`: see [`Transformed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The first 256 characters of the record's id, if it has one.
    pub record_id: Option<String>,
    /// Why it failed.
    pub error: RecordError,
}

impl Event<'_> {
    /// Transforms each record by `transform`, and writes the response.
    ///
    /// A record is `ProcessingFailed` if it has no data, if `transform` returns an error or panics, or if its data does not fit into the
    /// response. The other records are not affected, and each id is in the response exactly once, in order.
    ///
    /// ```
    /// use firehose_transform::{Event, Outcome};
    ///
    /// let event = Event::parse(br#"{"records":[{"recordId":"a","data":"aGkK"}]}"#)?;
    /// let transformed = event.transform(|record| Ok(Outcome::Ok(record.data().to_ascii_uppercase())));
    /// assert_eq!(transformed.response, br#"{"records":[{"recordId":"a","result":"Ok","data":"SEkK"}]}"#);
    /// assert_eq!(transformed.summary.ok, 1);
    /// # Ok::<(), firehose_transform::EventError>(())
    /// ```
    #[must_use]
    pub fn transform(&self, mut transform: impl FnMut(&Record<'_>) -> Result<Outcome, RecordError>) -> Transformed {
        let mut response = Response::new(self);
        let mut summary = Summary::default();
        for (index, record) in self.records().enumerate() {
            let outcome = record.map_err(no_data).and_then(|record| {
                // The closure can't leave anything of this crate in a broken state; what it shares between records is its own.
                catch_unwind(AssertUnwindSafe(|| transform(&record)))
                    .unwrap_or_else(|_| Err(RecordError::new("panic", "the transformation panicked")))
            });
            let result = match outcome {
                Ok(Outcome::Ok(data)) => response.push_ok(&data, [("", ""); 0]),
                Ok(Outcome::Partitioned { data, keys }) => response.push_ok(&data, &keys),
                Ok(Outcome::Dropped) => {
                    summary.dropped += 1;
                    response.push_dropped();
                    continue;
                }
                Err(error) => {
                    summary.fail(self.record_id(index), error);
                    response.push_failed();
                    continue;
                }
            };
            match result {
                Ok(()) => summary.ok += 1,
                Err(error) => {
                    summary.fail(self.record_id(index), RecordError::new("response_budget", error));
                    response.push_failed();
                }
            }
        }
        Transformed { response: response.finish(), summary }
    }
}

fn no_data(error: DataError) -> RecordError {
    let reason = match error {
        DataError::Missing => "missing_data",
        DataError::InvalidBase64 => "invalid_base64",
    };
    RecordError::new(reason, error)
}

/// An id for a log.
pub(crate) fn shortened(id: &str) -> String {
    id.chars().take(MAX_ID_CHARS).collect()
}

impl Summary {
    /// The number of records with the result `ProcessingFailed`.
    #[must_use]
    pub fn failed_count(&self) -> usize {
        self.failed.values().sum()
    }

    fn fail(&mut self, id: Option<Cow<'_, str>>, error: RecordError) {
        *self.failed.entry(error.reason).or_default() += 1;
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(Failure { record_id: id.map(|id| shortened(&id)), error });
        }
    }
}
