//! Firehose's error objects, and any other stream of JSON values.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use firehose_model::delivery::ErrorCode;
use firehose_model::error_object::{ErrorLine, ErrorRecord, MAX_HEAD_PIECES};
use firehose_model::event::Record;
use firehose_model::values::{Piece, PieceKind, Values};
use serde::de::IgnoredAny;

use crate::json::{Members, text};

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The UTF-8 byte order mark, with which some editors start a file.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// - Records that the local Firehose writes are read as the same bytes, from plain and gzipped objects, with any separator.
/// - A stream of JSON values is read as by serde_json. In any other stream nothing is left out, each value is valid, and a line that is an
///   object is a value.
/// - A value is a record if and only if it is an object with a string as `rawData`, for every reader.
/// - Records before and after something that is not a record are read.
/// - A gzipped stream is read like a plain one.
pub fn check(data: &[u8]) {
    check_round_trip(data);
    if data.starts_with(GZIP) {
        // It may be anything, and must not panic.
        let _read = (pieces(data), redrive(data));
        return;
    }
    check_pieces(data);
    check_redrive(data);
    check_records(data);
}

fn check_round_trip(data: &[u8]) {
    let chunks = data.split(|byte| *byte == b'\n');
    // `rawData` of an error object may be anything instead of base64.
    let anything = String::from_utf8_lossy(data).into_owned();
    let raw_data: Vec<String> = chunks.clone().map(|chunk| STANDARD.encode(chunk)).chain([anything]).collect();
    for separator in ["\n", "", "\t "] {
        let object = error_lines(&raw_data).join(separator).into_bytes();
        // Concatenated gzip members are one stream, wherever it was split.
        let (start, end) = object.split_at(data.len() % object.len());
        for object in [gzip(&object), [gzip(start), gzip(end)].concat(), object] {
            let read = read_records(&object);
            assert_eq!(read, Records { raw_data: raw_data.clone(), skipped: vec![] });
            for (chunk, raw_data) in chunks.clone().zip(&read.raw_data) {
                assert_eq!(STANDARD.decode(raw_data).unwrap(), chunk);
            }
        }
        let object = error_lines(&raw_data[..raw_data.len() - 1]).join(separator);
        assert!(redrive(object.as_bytes()).1.iter().eq(chunks.clone()));
    }
}

fn check_pieces(data: &[u8]) {
    let found = pieces(data).unwrap();
    assert_eq!(pieces(&gzip(data)).as_ref(), Some(&found));
    if let Some(values) = values(data) {
        let found: Vec<(usize, &[u8])> = found.iter().map(|piece| (offset(piece), trimmed(&piece.bytes))).collect();
        assert_eq!(found, values);
    }
    let mut end = if data.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut outside = Vec::new();
    for piece in &found {
        let (offset, content) = (offset(piece), trimmed(&piece.bytes));
        assert!(trimmed(&data[end..offset]).is_empty(), "{end} to {offset}");
        end = offset + content.len();
        assert_eq!(&data[offset..end], content);
        if piece.kind == PieceKind::Value {
            let json = str::from_utf8(content).unwrap();
            serde_json::from_str::<IgnoredAny>(json).unwrap();
        } else {
            outside.push(offset..end);
        }
    }
    assert!(trimmed(&data[end..]).is_empty(), "{end}");
    // An object on its own line is never read as a part of something else, unless that is a value.
    let mut start = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let is_object = line.starts_with(b"{") && str::from_utf8(line).is_ok_and(|line| Members::of(line).is_some());
        assert!(!is_object || !outside.iter().any(|range| range.contains(&start)), "{start}");
        start += line.len();
    }
}

/// The values of a stream of only JSON values in UTF-8, each with its offset. A value that is not an object or array is followed by white
/// space, the end, or the start of an object, an array or a string.
fn values(data: &[u8]) -> Option<Vec<(usize, &[u8])>> {
    let text = str::from_utf8(data).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mark = data.len() - text.len();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let (mut values, mut from) = (Vec::new(), 0);
    while let Some(value) = stream.next() {
        value.ok()?;
        let end = stream.byte_offset();
        let value = trimmed(&text.as_bytes()[from..end]);
        let is_delimited = text[end..].is_empty() || text[end..].starts_with([' ', '\t', '\r', '\n', '"', '{', '[']);
        if !is_delimited && !value.starts_with(b"{") && !value.starts_with(b"[") {
            return None;
        }
        values.push((mark + end - value.len(), value));
        from = end;
    }
    Some(values)
}

/// Each piece is a record or invalid, and does not affect others. A truncated object yields its first records, and is not whole.
fn check_redrive(data: &[u8]) {
    // The first JSON object decides whether it is an error object.
    let values = pieces(data).unwrap();
    let first = values.iter().take(MAX_HEAD_PIECES + 1).find(|piece| is_object(piece));
    let record = |piece: &Piece| STANDARD.decode(raw_data(piece)?).ok();
    let expected: Vec<Vec<u8>> = if first.is_some_and(|first| raw_data(first).is_some()) {
        values.iter().filter_map(record).collect()
    } else {
        vec![]
    };
    assert_eq!(redrive(data).1, expected);

    let data = &[error_lines(&[String::new()])[0].as_bytes(), data].join(&b'\n')[..];
    let found = pieces(data).unwrap();
    let expected: Vec<Vec<u8>> = found.iter().filter_map(record).collect();
    let (read, records) = redrive(data);
    assert_eq!(records, expected);
    assert_eq!((records.len() + read.corrupt, read.is_complete), (found.len(), true));
    let keys = keys(&read);
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());

    let zipped = gzip(data);
    let (zipped_read, zipped_records) = redrive(&zipped);
    assert_eq!(
        (self::keys(&zipped_read), zipped_records, zipped_read.corrupt, zipped_read.is_complete),
        (keys.clone(), records.clone(), read.corrupt, true)
    );
    let (cut, cut_records) = redrive(&zipped[..zipped.len() - 1 - data.len() % (zipped.len() - GZIP.len())]);
    let is_start = records.starts_with(&cut_records) && keys.starts_with(&self::keys(&cut));
    assert!(!cut.is_complete && is_start, "{cut_records:?}");
    // What precedes a value does not change its key.
    let (moved, moved_records) = redrive(&[b"\nin front\n", data].concat());
    assert_eq!((self::keys(&moved), moved_records, moved.corrupt), (keys, records, read.corrupt + 1));
}

fn is_object(piece: &Piece) -> bool {
    piece.kind == PieceKind::Value && str::from_utf8(&piece.bytes).is_ok_and(|json| Members::of(json).is_some())
}

/// Reads an object whose first and last lines are records, with `data` between them.
fn check_records(data: &[u8]) {
    let plain = read_records(data);
    assert_eq!(read_records(&gzip(data)), plain);

    let [before, after] = ["b2s=", "YWZ0ZXI="];
    let written = error_lines(&[before.to_owned(), after.to_owned()]);
    let object = [written[0].as_bytes(), data, written[1].as_bytes()].join(&b'\n');
    let read = read_records(&object);
    let (records, others): (Vec<Piece>, _) =
        pieces(&object).unwrap().into_iter().partition(|piece| raw_data(piece).is_some());
    assert_eq!(read.raw_data, records.iter().filter_map(raw_data).collect::<Vec<_>>());
    assert_eq!(read.skipped, others.iter().map(|piece| piece.offset).collect::<Vec<_>>());
    let raw_data: Vec<&str> = read.raw_data.iter().map(String::as_str).collect();
    assert!(raw_data.len() > 1 && raw_data.starts_with(&[before]) && raw_data.ends_with(&[after]), "{raw_data:?}");
}

/// The `rawData` of a value.
fn raw_data(piece: &Piece) -> Option<String> {
    let json = str::from_utf8(&piece.bytes).ok().filter(|_| piece.kind == PieceKind::Value)?;
    text(Members::of(json)?.get("rawData")?)
}

/// Without JSON's white space.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_white(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_white(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn offset(piece: &Piece) -> usize {
    usize::try_from(piece.offset).unwrap()
}

/// The pieces of a stream, plain or gzip; `None` if it can't be read to its end.
fn pieces(stream: &[u8]) -> Option<Vec<Piece>> {
    Values::open(stream, usize::MAX - 1).ok()?.collect::<Result<_, _>>().ok()
}

/// The records of an error object, and the offsets of everything else in it.
#[derive(Debug, PartialEq)]
struct Records {
    raw_data: Vec<String>,
    skipped: Vec<u64>,
}

fn read_records(object: &[u8]) -> Records {
    let (mut raw_data, mut skipped) = (Vec::new(), Vec::new());
    for piece in pieces(object).unwrap() {
        match ErrorRecord::parse(piece.bytes.trim_ascii_start()) {
            Ok(record) if piece.kind == PieceKind::Value => raw_data.push(record.raw_data.into_owned()),
            _ => skipped.push(piece.offset),
        }
    }
    Records { raw_data, skipped }
}

/// What redrive reads from an object, and the records' original bytes.
fn redrive(object: &[u8]) -> (redrive::ErrorObjectContent, Vec<Vec<u8>>) {
    let read = redrive::read_error_object("the object", object);
    let records = read.records.iter().map(|(_, record)| record.clone()).collect();
    (read, records)
}

fn keys(read: &redrive::ErrorObjectContent) -> Vec<u128> {
    read.records.iter().map(|(key, _)| *key).collect()
}

/// The lines of an error object for records with this `rawData`, with all error codes in turn.
fn error_lines(raw_data: &[String]) -> Vec<String> {
    let lines = raw_data.iter().zip(0..).zip(ErrorCode::ALL.into_iter().cycle()).map(|((data, sequence), fault)| {
        let record = Record::direct_put(sequence, i64::MAX, data.clone());
        serde_json::to_string(&ErrorLine::new(&record, fault, u32::MAX, i64::MIN, "arn:f")).unwrap()
    });
    lines.collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    object_storage::gzip(bytes).unwrap().into()
}
