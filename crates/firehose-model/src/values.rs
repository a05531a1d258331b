//! A stream of JSON values with or without white space between them, such as records that Firehose concatenated without a delimiter.
//!
//! Other bytes in the stream are pieces of their own, with their place. Parsing continues behind them:
//!
//! - at the next line, or at the next `{` or `[` on the same line that begins a value;
//! - in a broken object, a `{` after `:`, `,` or `[` is a part of the object. Another `{` begins a value, and so does one in a line's
//!   first column, or the one at which the object breaks, or that before the quote at which it breaks;
//! - a broken value of several lines extends to such a `{`.
//!
//! A number, a text, `true`, `false` or `null` is a value if white space, the end or the start of another value follows.

#[cfg(test)]
mod tests;

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::mem;

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;

/// The first bytes of a gzip stream (RFC 1952, 2.3.1).
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const CHUNK_BYTES: usize = 64 * 1024;
/// From this size on, each read doubles the buffer, so that a large value is not parsed again after each small read.
const GROWS_FROM_BYTES: usize = 8 * 1024;
/// How many times the bytes of a broken value may be parsed to find values in it. After that, only whole lines are tried. This bounds
/// the work, because each attempt may read as far as the first one.
const MOST_PASSES: u64 = 16;
/// The UTF-8 byte order mark, which some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The kind of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// A JSON value, which is UTF-8.
    Value,
    /// Other bytes.
    Other,
    /// The start of a value or of other bytes that exceed the limit.
    TooLong,
}

/// A value, or bytes between two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its kind.
    pub kind: PieceKind,
    /// The offset of its first byte that is no white space, after decompression.
    pub offset: u64,
    /// The line of that byte, counted from one.
    pub line: u64,
    /// Its bytes. White space before it is included if it is the first piece of its line; white space behind it is not.
    pub bytes: Vec<u8>,
}

/// Behind it, parsing continues.
#[derive(Debug, Clone, Copy, Default)]
struct BrokenValue {
    /// A brace may be within it.
    in_object: bool,
    /// The next line may be within it.
    across_lines: bool,
}

/// The pieces of a stream, in order. Takes a few times the limit of memory.
pub struct Values<'a> {
    bytes: BufReader<Box<dyn Read + 'a>>,
    most_bytes: usize,
    /// The bytes that were read. Those before `start` are consumed.
    buffer: Vec<u8>,
    start: usize,
    /// The end of the stream, or the error of a read.
    end: Option<io::Result<()>>,
    offset: u64,
    /// Of the next byte.
    line: u64,
    line_start: u64,
    /// The line so far, as long as it is white space.
    indent: Option<Vec<u8>>,
    /// The last byte that is no white space.
    previous: u8,
    broken: Option<BrokenValue>,
    /// The furthest end of a broken value.
    broken_until: u64,
    /// How many bytes attempts before that may parse.
    budget: u64,
    /// The brace at which a broken value breaks.
    breaks_at: Option<u64>,
}

impl<'a> Values<'a> {
    /// Reads a stream, plain or gzipped. `most_bytes` limits the length of a value.
    pub fn open(mut bytes: impl Read + 'a, most_bytes: usize) -> io::Result<Self> {
        let mut magic = Vec::new();
        bytes.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut magic)?;
        let is_zipped = magic == GZIP_MAGIC;
        let bytes = Cursor::new(magic).chain(bytes);
        let bytes: Box<dyn Read + 'a> =
            if is_zipped { Box::new(MultiGzDecoder::new(BufReader::new(bytes))) } else { Box::new(bytes) };
        let mut values = Self {
            bytes: BufReader::with_capacity(CHUNK_BYTES, bytes),
            most_bytes,
            buffer: Vec::new(),
            start: 0,
            end: None,
            offset: 0,
            line: 1,
            line_start: 0,
            indent: Some(Vec::new()),
            previous: 0,
            broken: None,
            broken_until: 0,
            budget: 0,
            breaks_at: None,
        };
        while values.unread().len() < BYTE_ORDER_MARK.len() && values.fill() {}
        if values.unread().starts_with(BYTE_ORDER_MARK) {
            values.consume(BYTE_ORDER_MARK.len());
            values.line_start = values.offset;
        }
        Ok(values)
    }

    /// The number of line ends so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.line - 1
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads more bytes; false at the end.
    fn fill(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.buffer.drain(..mem::take(&mut self.start));
        let unread = self.buffer.len();
        let more = if unread < GROWS_FROM_BYTES { 1 } else { unread };
        match self.bytes.by_ref().take(more as u64).read_to_end(&mut self.buffer) {
            Ok(0) => self.end = Some(Ok(())),
            // And what is buffered.
            Ok(_) => {
                self.buffer.extend_from_slice(self.bytes.buffer());
                self.bytes.consume(self.bytes.buffer().len());
            }
            Err(error) => self.end = Some(Err(error)),
        }
        self.buffer.len() > unread
    }

    fn has_no_budget(&self) -> bool {
        self.offset < self.broken_until && self.budget == 0
    }

    /// Whether a value may begin with the next byte.
    fn may_begin(&self, byte: u8) -> bool {
        let Some(broken) = self.broken else { return true };
        if self.has_no_budget() {
            return byte == b'{' && self.offset == self.line_start;
        }
        if !broken.in_object {
            return matches!(byte, b'{' | b'[');
        }
        let is_outside = self.offset == self.line_start || self.breaks_at == Some(self.offset);
        byte == b'{' && (is_outside || !matches!(self.previous, b':' | b',' | b'['))
    }

    /// Parses a value; none after a failed read. It is unfinished if it is too long.
    fn attempt(&mut self) -> Option<Parsed> {
        loop {
            let unread = self.unread();
            let text = &unread[..unread.len().min(self.most_bytes + 1)];
            let line = if self.has_no_budget() { text.iter().position(|byte| *byte == b'\n') } else { None };
            let is_too_long = text.len() > self.most_bytes;
            let is_all = line.is_some() || (!is_too_long && matches!(self.end, Some(Ok(()))));
            let bytes = text.len();
            let text = &text[..line.unwrap_or(bytes)];
            let parsed = parse(text, is_all);
            #[cfg(test)]
            tests::count(&parsed, text.len());
            match parsed {
                Parsed::Value(bytes) if bytes <= self.most_bytes => return Some(parsed),
                Parsed::Invalid(_) | Parsed::Unfinished if line.is_some() => return Some(Parsed::Invalid(0)),
                Parsed::Invalid(_) => return Some(parsed),
                _ if is_too_long => return Some(Parsed::Unfinished),
                _ if is_all => return Some(Parsed::Invalid(bytes)),
                _ => {
                    if !self.fill() && matches!(self.end, Some(Err(_))) {
                        return None;
                    }
                }
            }
        }
    }

    /// Records that no value begins with the next byte. The last byte of this length is the invalid one.
    fn mark_broken(&mut self, byte: u8, bytes: usize, is_too_long: bool) {
        let valid = bytes.saturating_sub(1);
        let end = self.offset + valid as u64;
        if self.offset >= self.broken_until {
            (self.broken_until, self.budget) = (self.offset, 0);
        }
        self.budget += MOST_PASSES * end.saturating_sub(self.broken_until);
        self.budget = self.budget.saturating_sub(valid as u64);
        self.broken_until = self.broken_until.max(end);
        if let Some(brace) = brace_before(&self.unread()[..bytes]).filter(|_| !is_too_long) {
            self.breaks_at = Some(self.offset + brace as u64);
        }
        let across_lines = self.unread()[..valid].contains(&b'\n');
        let broken = self.broken.get_or_insert_default();
        broken.in_object |= byte == b'{' || is_too_long;
        broken.across_lines |= across_lines;
    }

    fn value(&mut self, bytes: usize) -> Piece {
        let (offset, line) = (self.offset, self.line);
        let mut content = self.indent.take().unwrap_or_default();
        content.extend_from_slice(&self.unread()[..bytes]);
        self.previous = content.last().copied().unwrap_or_default();
        for (at, byte) in self.buffer[self.start..self.start + bytes].iter().enumerate() {
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = offset + at as u64 + 1;
            }
        }
        self.consume(bytes);
        self.broken = None;
        // Its structure is valid, so no other value begins in it.
        let kind = if str::from_utf8(&content).is_ok() { PieceKind::Value } else { PieceKind::Other };
        Piece { kind, offset, line, bytes: content }
    }

    fn push(&self, other: &mut Piece, byte: u8) {
        if other.bytes.len() < self.most_bytes {
            other.bytes.push(byte);
        } else {
            other.kind = PieceKind::TooLong;
        }
    }
}

impl Iterator for Values<'_> {
    type Item = io::Result<Piece>;

    /// After a failed read, the last piece is returned only if it is a whole value: the missing bytes may change it.
    fn next(&mut self) -> Option<Self::Item> {
        let mut other = None;
        loop {
            let Some(byte) = self.unread().first().copied() else {
                if self.fill() {
                    continue;
                }
                return match self.end.replace(Ok(())) {
                    Some(Err(error)) => Some(Err(error)),
                    _ => other.map(trimmed).map(Ok),
                };
            };
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') && self.may_begin(byte) {
                match self.attempt() {
                    // The next call parses a value behind other bytes again.
                    Some(Parsed::Value(bytes)) => return Some(Ok(other.map_or_else(|| self.value(bytes), trimmed))),
                    Some(Parsed::Invalid(bytes)) => self.mark_broken(byte, bytes, false),
                    Some(Parsed::Unfinished) => self.mark_broken(byte, self.most_bytes + 1, true),
                    None => {
                        self.start = self.buffer.len();
                        continue;
                    }
                }
            }
            match byte {
                b'\n' => {
                    let ends_piece = !self.broken.is_some_and(|broken| broken.across_lines);
                    if let Some(other) = other.as_mut().filter(|_| !ends_piece) {
                        self.push(other, byte);
                    }
                    self.consume(1);
                    self.line += 1;
                    self.line_start = self.offset;
                    self.indent = Some(Vec::new());
                    if ends_piece {
                        self.broken = None;
                        if let Some(other) = other.take() {
                            return Some(Ok(trimmed(other)));
                        }
                    }
                    continue;
                }
                b' ' | b'\t' | b'\r' => match (&mut other, &mut self.indent) {
                    (Some(other), _) => self.push(other, byte),
                    (None, Some(indent)) if indent.len() < self.most_bytes => indent.push(byte),
                    _ => {}
                },
                _ => {
                    let other = other.get_or_insert_with(|| {
                        let bytes = self.indent.take().unwrap_or_default();
                        Piece { kind: PieceKind::Other, offset: self.offset, line: self.line, bytes }
                    });
                    self.push(other, byte);
                    self.previous = byte;
                }
            }
            self.consume(1);
        }
    }
}

enum Parsed {
    /// A value of this length.
    Value(usize),
    /// No value. The last byte of this length is the invalid one.
    Invalid(usize),
    /// The start of a value.
    Unfinished,
}

/// `is_all` means that no byte can follow.
fn parse(text: &[u8], is_all: bool) -> Parsed {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {
            let bytes = values.byte_offset();
            match (text.first(), text.get(bytes)) {
                (Some(b'{' | b'['), _) => Parsed::Value(bytes),
                (_, None) if !is_all => Parsed::Unfinished,
                (_, None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'{' | b'[')) => Parsed::Value(bytes),
                // Such as a quote that was added before an object: what follows is a part of the object.
                _ => Parsed::Invalid(bytes + 1),
            }
        }
        Some(Err(error)) => {
            let bytes = position(text, error.line(), error.column());
            // A number that is cut here is invalid for serde_json, but may continue.
            if error.is_eof() || (bytes >= text.len() && !is_all) { Parsed::Unfinished } else { Parsed::Invalid(bytes) }
        }
        None => Parsed::Unfinished,
    }
}

/// The length of the text up to a line and column of serde_json.
fn position(text: &[u8], line: usize, column: usize) -> usize {
    let mut newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = line.checked_sub(2).and_then(|before| newlines.nth(before)).unwrap_or_default();
    (start + column).min(text.len())
}

/// The brace at which text breaks: its last byte, as in `{"a":1,{`; or the last byte before a line end in an unterminated text, as in
/// `{"a":"b{ \n`; or the byte before the quote that ends such a text, as in `{"a":"b{"c`.
fn brace_before(text: &[u8]) -> Option<usize> {
    let (_, before) = text.split_last()?;
    let before_quote = before.strip_suffix(b"\"").unwrap_or_default();
    [text, before_quote].into_iter().find_map(|text| text.trim_ascii_end().strip_suffix(b"{")).map(<[u8]>::len)
}

fn trimmed(mut other: Piece) -> Piece {
    if other.kind == PieceKind::Other {
        let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let end = other.bytes.iter().rposition(|byte| !is_white(byte)).map_or(0, |last| last + 1);
        other.bytes.truncate(end);
    }
    other
}
