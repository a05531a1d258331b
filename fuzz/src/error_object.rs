//! Firehose's error objects, and whatever else is in a file: streams of JSON values.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clicks::fuzzing::{Piece, Replayed, error_lines, gzip, pieces, redriven, replayed};
use firehose_model::error_object::MAX_HEAD_PIECES;
use serde::de::IgnoredAny;

use crate::json::{Members, text};

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What an editor may put in front of a text.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// - What the local Firehose writes comes back as the same bytes, from plain objects and from gzipped ones, whatever is between the
///   values.
/// - A stream of JSON values is what serde_json takes it for. Of any other stream nothing is left out, each value is one, and a line
///   that is an object is one.
/// - A value is a record exactly where it is an object with a text as `rawData`, to every reader alike.
/// - What stands before something that is no record was read, and what follows it is, too.
/// - Whatever is in a file, it is the same gzipped.
pub fn check(data: &[u8]) {
    check_round_trip(data);
    if data.starts_with(GZIP) {
        // Whatever it is.
        let _read = (pieces(data), redriven(data), replayed(data.to_vec()));
        return;
    }
    check_pieces(data);
    check_redriven(data);
    check_replayed(data);
}

fn check_round_trip(data: &[u8]) {
    let chunks = data.split(|byte| *byte == b'\n');
    // An event of a file may have anything in the place of base64.
    let anything = String::from_utf8_lossy(data).into_owned();
    let raw_data: Vec<String> = chunks.clone().map(|chunk| STANDARD.encode(chunk)).chain([anything]).collect();
    for separator in ["\n", "", "\t "] {
        let object = error_lines(&raw_data).join(separator).into_bytes();
        // Gzipped parts that were put one after the other are one file, wherever it was cut.
        let (start, end) = object.split_at(data.len() % object.len());
        for object in [gzip(&object), [gzip(start), gzip(end)].concat(), object] {
            let read = replayed(object);
            assert_eq!(read, Replayed { items: raw_data.clone(), skipped: vec![], error: None });
            for (chunk, item) in chunks.clone().zip(&read.items) {
                assert_eq!(STANDARD.decode(item).unwrap(), chunk);
            }
        }
        let object = error_lines(&raw_data[..raw_data.len() - 1]).join(separator);
        assert!(redriven(object.as_bytes()).records.iter().eq(chunks.clone()));
    }
}

fn check_pieces(data: &[u8]) {
    let found = pieces(data).unwrap();
    assert_eq!(pieces(&gzip(data)).as_ref(), Some(&found));
    if let Some(values) = values(data) {
        let found: Vec<(usize, &[u8])> = found.iter().map(|piece| (piece.offset, trimmed(&piece.bytes))).collect();
        assert_eq!(found, values);
    }
    let mut end = if data.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut outside = Vec::new();
    for Piece { offset, bytes, is_value } in &found {
        assert!(trimmed(&data[end..*offset]).is_empty(), "{end} to {offset}");
        let content = trimmed(bytes);
        end = offset + content.len();
        assert_eq!(&data[*offset..end], content);
        if *is_value {
            let json = str::from_utf8(content).unwrap();
            serde_json::from_str::<IgnoredAny>(json).unwrap();
        } else {
            outside.push(*offset..end);
        }
    }
    assert!(trimmed(&data[end..]).is_empty(), "{end}");
    // An object that is alone on its line is never taken for a part of something else, unless that is a value.
    let mut start = 0;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let is_object = line.starts_with(b"{") && str::from_utf8(line).is_ok_and(|line| Members::of(line).is_some());
        assert!(!is_object || !outside.iter().any(|range| range.contains(&start)), "{start}");
        start += line.len();
    }
}

/// A stream of nothing but JSON values in UTF-8, with the offset of each. What is no object or array has white space, the end or
/// the start of an object, an array or a text behind it.
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

/// Each piece is a record or corrupt, and none affects another. A truncated object is a beginning, and is reported as such.
fn check_redriven(data: &[u8]) {
    // The first JSON object decides whether it is an error object.
    let values = pieces(data).unwrap();
    let first = values.iter().take(MAX_HEAD_PIECES + 1).find(|piece| is_object(piece));
    let record = |piece: &Piece| STANDARD.decode(raw_data(piece)?).ok();
    let expected: Vec<Vec<u8>> = if first.is_some_and(|first| raw_data(first).is_some()) {
        values.iter().filter_map(record).collect()
    } else {
        vec![]
    };
    assert_eq!(redriven(data).records, expected);

    let data = &[error_lines(&[String::new()])[0].as_bytes(), data].join(&b'\n')[..];
    let found = pieces(data).unwrap();
    let expected: Vec<Vec<u8>> = found.iter().filter_map(record).collect();
    let plain = redriven(data);
    assert_eq!(plain.records, expected);
    assert_eq!((plain.records.len() + plain.corrupt, plain.is_whole), (found.len(), true));
    let distinct: BTreeSet<&u128> = plain.keys.iter().collect();
    assert_eq!(distinct.len(), plain.keys.len());

    let zipped = gzip(data);
    assert_eq!(redriven(&zipped), plain);
    let cut = redriven(&zipped[..zipped.len() - 1 - data.len() % (zipped.len() - GZIP.len())]);
    assert!(!cut.is_whole && plain.records.starts_with(&cut.records) && plain.keys.starts_with(&cut.keys), "{cut:?}");
    // A value's key does not depend on what precedes it.
    let moved = redriven(&[b"\nin front\n", data].concat());
    assert_eq!((moved.records, moved.keys, moved.corrupt), (plain.records, plain.keys, plain.corrupt + 1));
}

fn is_object(piece: &Piece) -> bool {
    piece.is_value && str::from_utf8(&piece.bytes).is_ok_and(|json| Members::of(json).is_some())
}

/// Replays a file, and what is in it between two records.
fn check_replayed(data: &[u8]) {
    let plain = replayed(data.to_vec());
    assert_eq!(replayed(gzip(data)), plain);
    assert!(plain.items.len() <= pieces(data).unwrap().iter().filter(|piece| piece.is_value).count(), "{plain:?}");

    let [before, after] = ["b2s=", "YWZ0ZXI="];
    let written = error_lines(&[before.to_owned(), after.to_owned()]);
    let file = [written[0].as_bytes(), data, written[1].as_bytes()].join(&b'\n');
    let read = replayed(file.clone());
    let (records, others): (Vec<Piece>, _) =
        pieces(&file).unwrap().into_iter().partition(|piece| raw_data(piece).is_some());
    assert_eq!(read.items, records.iter().filter_map(raw_data).collect::<Vec<_>>());
    assert_eq!(read.skipped, others.iter().map(|piece| piece.offset as u64).collect::<Vec<_>>());
    assert_eq!(read.error, None);
    let items: Vec<&str> = read.items.iter().map(String::as_str).collect();
    assert!(items.len() > 1 && items.starts_with(&[before]) && items.ends_with(&[after]), "{items:?}");
}

/// What a value has as `rawData`.
fn raw_data(piece: &Piece) -> Option<String> {
    let json = str::from_utf8(&piece.bytes).ok().filter(|_| piece.is_value)?;
    text(Members::of(json)?.get("rawData")?)
}

/// Without what JSON takes for white space.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !is_white(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_white(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}
