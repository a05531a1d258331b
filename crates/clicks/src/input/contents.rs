//! A file's records and events, one after the other.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;
use runtime_api::MAX_EVENT_BYTES;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::kind::{self, First, Kind};
use super::{InputError, Source};
use crate::batch::MAX_RECORD_BYTES;
use crate::error_object::ErrorLine;
use crate::event::Event;

/// The longest line, and the largest event over several lines: more than Lambda takes, in whatever way it is written.
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// The first bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What is put into Firehose, or goes to the function at once.
#[derive(Debug, PartialEq)]
pub enum Item {
    /// The bytes of a record.
    Record(Vec<u8>),
    /// An event as it is.
    Event(Event),
}

/// An open file of a known kind.
pub struct Contents {
    name: String,
    kind: Kind,
    lines: Lines,
    /// Read already, to know the kind: a line, or an event over all lines.
    first: Option<Vec<u8>>,
    ended: bool,
}

impl Contents {
    /// Opens a source and finds out its kind. `count` is told of the bytes that are read, before they are unzipped.
    pub fn open(source: &Source, count: impl FnMut(usize) + Send + 'static) -> Result<Self, InputError> {
        let name = source.name();
        let unreadable = |source| InputError::Read { name: name.clone(), source };
        let reader: Box<dyn Read + Send> = match source {
            Source::File(path) => Box::new(File::open(path).map_err(unreadable)?),
            Source::Stdin => Box::new(io::stdin()),
        };
        Self::of(name.clone(), Counted { reader, count })
    }

    fn of(name: String, reader: impl Read + Send + 'static) -> Result<Self, InputError> {
        let unreadable = |source| InputError::Read { name: name.clone(), source };
        let mut reader = BufReader::new(reader);
        let zipped = reader.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        let reader: Box<dyn BufRead + Send> =
            if zipped { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) };
        let mut lines = Lines { reader, number: 0 };

        let mut first = lines.next().map_err(unreadable)?.unwrap_or_default();
        let kind = match kind::of_first_line(&first) {
            First::Line(kind) => Some(kind),
            First::Unfinished => {
                lines.rest(&mut first).map_err(unreadable)?;
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

    fn item(&self, line: Vec<u8>) -> Result<Item, InputError> {
        let record = match self.kind {
            Kind::Events => return self.event(&line).map(Item::Event),
            Kind::Errors => self.original(&line)?,
            Kind::Clicks => line,
        };
        if record.len() > MAX_RECORD_BYTES {
            let (name, line) = self.place();
            return Err(InputError::RecordTooLarge { name, line });
        }
        Ok(Item::Record(record))
    }

    fn event(&self, line: &[u8]) -> Result<Event, InputError> {
        let accepted = "a Firehose event";
        let fields: Map<String, Value> = serde_json::from_slice(line).map_err(|_| self.other(line, accepted))?;
        let event = Event::from_file(fields, Timestamp::now()).map_err(|problem| {
            let (name, line) = self.place();
            InputError::Event { name, line, problem }
        })?;
        if line.len() > MAX_EVENT_BYTES {
            // It may still fit without the spaces of its file.
            let payload = event.payload(&Uuid::nil().to_string());
            let bytes = payload.map_or(line.len(), |payload| payload.len());
            if bytes > MAX_EVENT_BYTES {
                let (name, line) = self.place();
                return Err(InputError::EventTooLarge { name, line, bytes });
            }
        }
        Ok(event)
    }

    fn original(&self, line: &[u8]) -> Result<Vec<u8>, InputError> {
        let accepted = "an object with a failed record's bytes as base64 in `rawData`";
        let error: ErrorLine = serde_json::from_slice(line).map_err(|_| self.other(line, accepted))?;
        error.data().map_err(|_| self.other(line, accepted))
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
            Ok(Some(line)) => self.item(line),
            Ok(None) => return None,
            Err(source) => Err(InputError::Read { name: self.name.clone(), source }),
        };
        self.ended = item.is_err();
        Some(item)
    }
}

/// The lines that are not empty.
struct Lines {
    reader: Box<dyn BufRead + Send>,
    /// Of the last line, counted from one.
    number: usize,
}

impl Lines {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            if self.limited(0).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if line.len() > MAX_LINE_BYTES {
                return Err(too_long(self.number));
            }
            line.truncate(line.trim_ascii_end().len());
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Adds what is left to a first line.
    fn rest(&mut self, first: &mut Vec<u8>) -> io::Result<()> {
        let before = first.len();
        first.push(b'\n');
        self.limited(before).read_to_end(first)?;
        if first.len() > MAX_LINE_BYTES { Err(too_long(self.number)) } else { Ok(()) }
    }

    /// One byte more than what is accepted, to see that it is too much.
    fn limited(&mut self, read: usize) -> io::Take<&mut Box<dyn BufRead + Send>> {
        let limit = MAX_LINE_BYTES.saturating_sub(read) + 1;
        self.reader.by_ref().take(u64::try_from(limit).unwrap_or(u64::MAX))
    }
}

fn too_long(line: usize) -> io::Error {
    let message = format!("line {line} has more than {MAX_LINE_BYTES} bytes");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// A reader that tells what it read.
struct Counted<F> {
    reader: Box<dyn Read + Send>,
    count: F,
}

impl<F: FnMut(usize)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        (self.count)(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
