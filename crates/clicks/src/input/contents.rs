//! A file's records and events, one after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use runtime_api::MAX_EVENT_BYTES;
use uuid::Uuid;

use super::kind::{self, First, Kind};
use super::{InputError, MAX_LINE_BYTES, Source};
use crate::bucket::GZIP_MAGIC;
use crate::fields::Fields;
use crate::firehose::batch::{MAX_RECORD_BYTES, decoded_bytes};
use crate::firehose::error_object::raw_data;
use crate::firehose::event::{Event, encode};

/// The UTF-8 byte order mark, with which some editors start a file.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// What is put into Firehose, or goes to the function at once.
#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    /// The bytes of a record as base64.
    Record(String),
    /// An event as it is.
    Event(Event),
}

/// An open file of a known kind.
pub(crate) struct Contents {
    name: String,
    kind: Kind,
    lines: Lines,
    /// Read already, to know the kind: a line, or an event over all lines.
    first: Option<Vec<u8>>,
    ended: bool,
}

impl Contents {
    /// Opens a source and finds out its kind. `count` is told of the bytes that are read, before they are unzipped.
    pub(crate) fn open(source: &Source, count: impl FnMut(u64) + 'static) -> Result<Self, InputError> {
        let name = source.name();
        let unreadable = |source| InputError::Read { name: name.clone(), source };
        let reader: Box<dyn Read> = match source {
            Source::File(path) => Box::new(File::open(path).map_err(unreadable)?),
            Source::Stdin => Box::new(io::stdin()),
        };
        Self::of(name.clone(), Counted { reader, count })
    }

    /// Finds out the kind of what `reader` gives.
    pub(crate) fn of(name: String, reader: impl Read + 'static) -> Result<Self, InputError> {
        let unreadable = |source| InputError::Read { name: name.clone(), source };
        let mut reader = BufReader::new(reader);
        let zipped = reader.fill_buf().map_err(unreadable)?.starts_with(&GZIP_MAGIC);
        let reader: Box<dyn BufRead> =
            if zipped { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) };
        let mut lines = Lines { name: name.clone(), reader, number: 0 };

        let mut first = lines.next()?.unwrap_or_default();
        let kind = match kind::of_first_line(&first) {
            First::Line(kind) => Some(kind),
            First::Unfinished => {
                lines.rest(&mut first)?;
                kind::of_all_lines(&first)
            }
            First::Unknown => None,
        };
        let Some(kind) = kind else {
            let found = kind::describe(&first);
            return Err(InputError::Unknown { name, found });
        };
        Ok(Self { name, kind, lines, first: Some(first), ended: false })
    }

    fn item(&self, line: &[u8]) -> Result<Item, InputError> {
        let record = match self.kind {
            Kind::Events => return self.event(line).map(Item::Event),
            Kind::Errors => self.original(line)?,
            Kind::Clicks => encode(line),
        };
        if decoded_bytes(&record) > MAX_RECORD_BYTES {
            let (name, line) = self.place();
            return Err(InputError::RecordTooLarge { name, line });
        }
        Ok(Item::Record(record))
    }

    fn event(&self, line: &[u8]) -> Result<Event, InputError> {
        let fields: Fields<'_> = serde_json::from_slice(line).map_err(|_| self.other(line, "a Firehose event"))?;
        let event = Event::from_file(&fields, Timestamp::now()).map_err(|problem| {
            let (name, line) = self.place();
            InputError::Event { name, line, problem }
        })?;
        // As it is sent: without the spaces of its file, and with the ids that it lacks.
        let bytes = event.payload(Uuid::nil()).map_or(line.len(), |payload| payload.len());
        if bytes > MAX_EVENT_BYTES {
            let (name, line) = self.place();
            return Err(InputError::EventTooLarge { name, line, bytes });
        }
        Ok(event)
    }

    fn original(&self, line: &[u8]) -> Result<String, InputError> {
        let accepted = "an object with a failed record's bytes as base64 in `rawData`";
        raw_data(line).ok_or_else(|| self.other(line, accepted))
    }

    fn other(&self, content: &[u8], accepted: &'static str) -> InputError {
        let (name, line) = self.place();
        let found = kind::describe(content);
        InputError::Line { name, line, found, accepted }
    }

    fn place(&self) -> (String, usize) {
        (self.name.clone(), self.lines.number)
    }
}

impl Iterator for Contents {
    type Item = Result<Item, InputError>;

    /// Ends after the first error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.lines.next(),
        };
        let item = match line {
            Ok(line) => self.item(&line?),
            Err(error) => Err(error),
        };
        self.ended = item.is_err();
        Some(item)
    }
}

/// The lines that are not empty.
struct Lines {
    name: String,
    reader: Box<dyn BufRead>,
    /// Of the last line, counted from one.
    number: usize,
}

impl Lines {
    fn next(&mut self) -> Result<Option<Vec<u8>>, InputError> {
        loop {
            let mut line = Vec::new();
            if self.limited(0).read_until(b'\n', &mut line).map_err(|source| self.unreadable(source))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > MAX_LINE_BYTES {
                return Err(InputError::LineTooLong { name: self.name.clone(), line: self.number });
            }
            line.truncate(line.trim_ascii_end().len());
            if self.number == 1 && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Adds what is left to a first line.
    fn rest(&mut self, first: &mut Vec<u8>) -> Result<(), InputError> {
        let before = first.len();
        first.push(b'\n');
        self.limited(before).read_to_end(first).map_err(|source| self.unreadable(source))?;
        if first.len() > MAX_LINE_BYTES {
            return Err(InputError::JsonTooLong { name: self.name.clone() });
        }
        Ok(())
    }

    /// One byte more than what is accepted, to see that it is too much.
    fn limited(&mut self, read: usize) -> io::Take<&mut Box<dyn BufRead>> {
        let limit = MAX_LINE_BYTES.saturating_sub(read) + 1;
        self.reader.by_ref().take(u64::try_from(limit).unwrap_or(u64::MAX))
    }

    fn unreadable(&self, source: io::Error) -> InputError {
        InputError::Read { name: self.name.clone(), source }
    }
}

/// A reader that tells what it read.
struct Counted<F> {
    reader: Box<dyn Read>,
    count: F,
}

impl<F: FnMut(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        (self.count)(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
