//! Firehose's error objects, and whatever else is in a file.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clicks::fuzzing::{Replayed, error_lines, gzip, redriven, replayed};

use crate::json::{Members, text};

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// - What the local Firehose writes comes back as the same bytes, from plain objects and from gzipped ones.
/// - A foreign line is read exactly where it is an object with a text as `rawData`, by every reader alike.
/// - What stands before a line that can't be read was read, and what follows one that can be is, too.
/// - Whatever is in a file, it is the same gzipped.
pub fn check(data: &[u8]) {
    check_round_trip(data);
    for line in data.split(|byte| *byte == b'\n').take(8) {
        // Each that reads error objects reads a line alike.
        let raw_data = raw_data(line);
        assert_replayed(line, raw_data.as_deref());
    }
    check_redriven(data);
    let plain = replayed(data.to_vec());
    assert!(plain.items.len() <= lines(data).count() || data.starts_with(GZIP), "{plain:?}");
    if !data.starts_with(GZIP) {
        assert_eq!(replayed(gzip(data)), plain);
    }
}

fn check_round_trip(data: &[u8]) {
    let chunks = data.split(|byte| *byte == b'\n');
    // An event of a file may have anything in the place of base64.
    let anything = String::from_utf8_lossy(data).into_owned();
    let raw_data: Vec<String> = chunks.clone().map(|chunk| STANDARD.encode(chunk)).chain([anything]).collect();
    let object = error_lines(&raw_data).join("\n").into_bytes();
    // Gzipped parts that were put one after the other are one file, wherever it was cut.
    let (start, end) = object.split_at(data.len() % object.len());
    for object in [gzip(&object), [gzip(start), gzip(end)].concat(), object] {
        let read = replayed(object);
        assert_eq!(read, Replayed { items: raw_data.clone(), error: None });
        for (chunk, item) in chunks.clone().zip(&read.items) {
            assert_eq!(STANDARD.decode(item).unwrap(), chunk);
        }
    }
    let lines = error_lines(&raw_data[..raw_data.len() - 1]).join("\n");
    assert!(redriven(lines.as_bytes()).records.iter().eq(chunks));
}

/// Each line is a record or corrupt, and none harms another; what is cut off is a beginning, and says so.
fn check_redriven(data: &[u8]) {
    if data.starts_with(GZIP) {
        // Whatever it is.
        let _read = redriven(data);
        return;
    }
    let record = |line: &[u8]| STANDARD.decode(raw_data(line)?).ok();
    let expected: Vec<Vec<u8>> = lines(data).filter_map(record).collect();
    let plain = redriven(data);
    assert_eq!(plain.records, expected);
    assert_eq!((plain.records.len() + plain.corrupt, plain.is_whole), (lines(data).count(), true));
    let distinct: BTreeSet<&u128> = plain.keys.iter().collect();
    assert_eq!(distinct.len(), plain.keys.len());

    let zipped = gzip(data);
    assert_eq!(redriven(&zipped), plain);
    let cut = redriven(&zipped[..zipped.len() - 1 - data.len() % (zipped.len() - GZIP.len())]);
    assert!(!cut.is_whole && plain.records.starts_with(&cut.records) && plain.keys.starts_with(&cut.keys), "{cut:?}");
    // What is in front of a line is no part of what it is known by.
    let moved = redriven(&[b"\nin front\n", data].concat());
    assert_eq!((moved.records, moved.keys, moved.corrupt), (plain.records, plain.keys, plain.corrupt + 1));
}

/// Replays a line between two others.
fn assert_replayed(line: &[u8], raw_data: Option<&str>) {
    let [before, after] = ["b2s=", "YWZ0ZXI="];
    let written = error_lines(&[before.to_owned(), after.to_owned()]);
    let read = replayed([written[0].as_bytes(), line, written[1].as_bytes()].join(&b'\n'));
    let items: Vec<&str> = read.items.iter().map(String::as_str).collect();
    match (raw_data, read.error) {
        (Some(raw_data), None) => assert_eq!(items, [before, raw_data, after]),
        // What is no record is either nothing at all, or ends the replay where it stands.
        (None, None) if line.trim_ascii().is_empty() => assert_eq!(items, [before, after]),
        (None, Some(error)) => {
            assert_eq!(items, [before]);
            assert!(error.starts_with("the file, line 2: "), "{error}");
        }
        (_, error) => panic!("{items:?} and {error:?}, and not {raw_data:?}"),
    }
}

/// What a line has as `rawData`.
fn raw_data(line: &[u8]) -> Option<String> {
    let line = str::from_utf8(line.trim_ascii_end()).ok()?;
    text(Members::of(line)?.get("rawData")?)
}

fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
}
