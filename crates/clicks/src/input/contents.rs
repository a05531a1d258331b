//! The records and events of a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use indicatif::ProgressBar;
use jiff::Timestamp;
use runtime_api::MAX_EVENT_BYTES;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::{ACCEPTED, Input, MAX_VALUE_BYTES, Skipped, Unusable, unreadable};
use crate::error::UsageError;
use firehose_model::batch::fits_an_event;
use firehose_model::error_object::{Content, ErrorRecord, Head};
use firehose_model::event::{Event, OversizedRecord, encode};
use firehose_model::excerpt::excerpt;
use firehose_model::fields::Fields;
use firehose_model::source::{SourceType, decoded_bytes};
use firehose_model::values::{Piece, PieceKind, Values};

const PREVIEW_CHARS: usize = 40;

const MOST_NAMES: usize = 5;

#[derive(Debug, PartialEq)]
pub(crate) enum Item {
    Record(String),
    Event(Event),
    Skipped(Skipped),
}

pub(crate) struct Contents {
    name: String,
    content: Content,
    source_type: SourceType,
    values: Values<'static>,
    /// Read to detect the kind. The last of them is the first object.
    first: VecDeque<Piece>,
    items: VecDeque<Item>,
}

impl Contents {
    pub(crate) fn open(input: &Input, source_type: SourceType, progress: &ProgressBar) -> Result<Self, UsageError> {
        let name = input.name();
        let reader: Box<dyn Read> = match input {
            Input::File(path) => Box::new(File::open(path).map_err(|error| unreadable(&name, &error))?),
            Input::Stdin => Box::new(io::stdin()),
        };
        Self::of(name, source_type, progress.wrap_read(reader))
    }

    pub(crate) fn of(name: String, source_type: SourceType, reader: impl Read + 'static) -> Result<Self, UsageError> {
        let unreadable = |error: io::Error| unreadable(&name, &error);
        let mut values = Values::open(reader, MAX_VALUE_BYTES).map_err(unreadable)?;
        let Head { content, pieces } = Head::read(&mut values).map_err(unreadable)?;
        let Some(content) = content else {
            let found = match pieces.first() {
                None => return Err(UsageError(format!("{name} is empty; {ACCEPTED}"))),
                Some(Piece { kind: PieceKind::TooLong, .. }) => {
                    format!("a line or a value of more than {MAX_VALUE_BYTES} bytes")
                }
                Some(piece) => describe(&piece.bytes),
            };
            return Err(UsageError(format!("{name}: found {found}; {ACCEPTED}")));
        };
        Ok(Self { name, content, source_type, values, first: pieces.into(), items: VecDeque::new() })
    }

    fn add(&mut self, piece: &Piece, is_first_object: bool) -> Result<(), UsageError> {
        let json = piece.bytes.trim_ascii_start();
        let usable = match (piece.kind, self.content) {
            (PieceKind::Other, _) => Err(Unusable::NotJson),
            (PieceKind::TooLong, _) => Err(Unusable::TooLong),
            (PieceKind::Value, Content::Records) => self.record(encode(json)),
            (PieceKind::Value, Content::ErrorRecords) => match ErrorRecord::parse(json) {
                Ok(record) => self.record(record.raw_data.into_owned()),
                Err(_) => Err(Unusable::NoErrorRecord),
            },
            (PieceKind::Value, Content::Events) => self.event(piece),
        };
        match usable {
            Ok(Some(item)) => self.items.push_back(item),
            Ok(None) => {}
            Err(Unusable::Event(problem)) if is_first_object => {
                return Err(UsageError(format!("{}, line {}: found {problem}", self.name, piece.line)));
            }
            Err(problem) => self.skip(problem, piece, piece.bytes.clone()),
        }
        Ok(())
    }

    fn record(&self, data: String) -> Result<Option<Item>, Unusable> {
        let (bytes, source_type) = (decoded_bytes(&data), self.source_type);
        if bytes > source_type.max_record_bytes() {
            return Err(Unusable::RecordTooLarge { bytes, source_type });
        }
        if !fits_an_event(&data) {
            return Err(Unusable::FitsNoEvent { bytes });
        }
        Ok(Some(Item::Record(data)))
    }

    /// An event without records that are too large for its source; none if no other record is left.
    fn event(&mut self, piece: &Piece) -> Result<Option<Item>, Unusable> {
        let fields: Fields<'_> = serde_json::from_slice(&piece.bytes).map_err(|_| Unusable::NotAnEvent)?;
        if fields.get("records").is_none() {
            return Err(Unusable::NotAnEvent);
        }
        let (event, too_large) = Event::from_file(&fields, Timestamp::now()).map_err(Unusable::Event)?;
        // The size as sent: without the file's white space, and with missing ids.
        let bytes = event.payload(Uuid::nil()).map_or(piece.bytes.len(), |payload| payload.len());
        if bytes > MAX_EVENT_BYTES {
            return Err(Unusable::EventTooLarge { bytes });
        }
        let is_empty = event.records.is_empty() && !too_large.is_empty();
        for OversizedRecord { index, bytes, source, text } in too_large {
            let problem = Unusable::RecordOfEventTooLarge { index, bytes, source_type: source };
            self.skip(problem, piece, text.into_bytes());
        }
        Ok(Some(Item::Event(event)).filter(|_| !is_empty))
    }

    fn skip(&mut self, problem: Unusable, piece: &Piece, content: Vec<u8>) {
        let (name, line, offset) = (self.name.clone(), piece.line, piece.offset);
        self.items.push_back(Item::Skipped(Skipped { name, line, offset, problem, content }));
    }
}

impl Iterator for Contents {
    type Item = Result<Item, UsageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.items.is_empty() {
            let first = self.first.pop_front();
            let is_first_object = first.is_some() && self.first.is_empty();
            let piece = match first {
                Some(first) => Ok(first),
                None => self.values.next()?.map_err(|error| unreadable(&self.name, &error)),
            };
            if let Err(error) = piece.and_then(|piece| self.add(&piece, is_first_object)) {
                return Some(Err(error));
            }
        }
        self.items.pop_front().map(Ok)
    }
}

fn describe(content: &[u8]) -> String {
    let content = content.trim_ascii();
    if let Ok(fields) = serde_json::from_slice::<Fields<'_>>(content) {
        let names: Vec<String> =
            fields.names().take(MOST_NAMES).map(|name| format!("`{}`", excerpt(&name, PREVIEW_CHARS))).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return format!("a JSON object with {names}");
    }
    match content.first().filter(|_| serde_json::from_slice::<IgnoredAny>(content).is_ok()) {
        Some(b'{') => "a JSON object that is not UTF-8".to_owned(),
        Some(b'[') => "a JSON array".to_owned(),
        Some(_) => "a JSON value that is not an object".to_owned(),
        None => format!("what is not JSON: `{}`", excerpt(&String::from_utf8_lossy(content), PREVIEW_CHARS)),
    }
}

#[cfg(test)]
mod tests;
