use std::cell::Cell;
use std::io::Write as _;
use std::{io, iter};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

const MOST_BYTES: usize = 1_000;

/// Returns one byte per read.
struct Slowly<R>(R);

impl<R: Read> Read for Slowly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

struct Fails;

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("gone"))
    }
}

#[track_caller]
fn pieces(text: &[u8]) -> Vec<Piece> {
    let read = |bytes: &mut dyn Read| Values::open(bytes, MOST_BYTES).unwrap().collect::<io::Result<Vec<_>>>().unwrap();
    let pieces = read(&mut &text[..]);
    // The size of reads does not matter.
    if text.len() < 10 * MOST_BYTES {
        assert_eq!(read(&mut Slowly(text)), pieces);
    }
    assert_eq!(read(&mut &gzip(text).unwrap()[..]), pieces);
    pieces
}

/// Each piece as `OFFSET VALUE`, with `<>` around other bytes.
#[track_caller]
fn shown(text: &str) -> Vec<String> {
    let shown = |piece: Piece| {
        let bytes = String::from_utf8(piece.bytes).unwrap();
        match piece.kind {
            PieceKind::Value => format!("{} {bytes}", piece.offset),
            PieceKind::Other => format!("{} <{bytes}>", piece.offset),
            PieceKind::TooLong => format!("{} <{}…>", piece.offset, &bytes[..bytes.len().min(20)]),
        }
    };
    pieces(text.as_bytes()).into_iter().map(shown).collect()
}

#[test]
fn values_follow_each_other_with_or_without_white_space() {
    for (text, expected) in [
        ("", &[][..]),
        (" \r\n\t", &[]),
        (r#"{"a":1}{"b":2}"#, &[r#"0 {"a":1}"#, r#"7 {"b":2}"#]),
        ("{}\n{}\r\n\n{} {}\t[]{}", &["0 {}", "3 {}", "8 {}", "11 {}", "14 []", "16 {}"]),
        ("{\n  \"a\": [\n{}\n]\n}\n{\"b\":\n2}", &["0 {\n  \"a\": [\n{}\n]\n}", "18 {\"b\":\n2}"]),
        // The first piece of a line has the white space before it.
        ("  {}  \n\t{}{}", &["2   {}", "8 \t{}", "10 {}"]),
        (
            "1 2.5e3\n\"a\"\"b\"{}true null[1]",
            &["0 1", "2 2.5e3", "8 \"a\"", "11 \"b\"", "14 {}", "16 true", "21 null", "25 [1]"],
        ),
        ("\u{feff}{}", &["3 {}"]),
        (r#"{"a":"\ud800","b":1e400}"#, &[r#"0 {"a":"\ud800","b":1e400}"#]),
    ] {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn other_bytes_are_a_piece_and_parsing_continues_behind_it() {
    for (text, expected) in [
        // To the next line.
        ("no JSON\n{}", &["0 <no JSON>", "8 {}"][..]),
        ("{}\n  x \n[{\"a\":{}}]\n", &["0 {}", "5 <  x>", "8 [{\"a\":{}}]"]),
        ("{}\nx{y\n7", &["0 {}", "3 <x{y>", "7 7"]),
        // To the next value on the line.
        (r#"{"a":1}, {"b":2}"#, &[r#"0 {"a":1}"#, "7 <,>", r#"9 {"b":2}"#]),
        (r#"x[{"a":1}] {}"#, &["0 <x>", r#"1 [{"a":1}]"#, "11 {}"]),
        (r#"{"a":1}} {"b":2}"#, &[r#"0 {"a":1}"#, "7 <}>", r#"9 {"b":2}"#]),
        ("\u{feff}{}\u{feff}{}", &["3 {}", "5 <\u{feff}>", "8 {}"]),
        // A truncated value before another one.
        (r#"{"a":"tru{"b":2}"#, &[r#"0 <{"a":"tru>"#, r#"9 {"b":2}"#]),
        (r#"{"a":1,"b{"b":2}{"c":3}"#, &[r#"0 <{"a":1,"b>"#, r#"9 {"b":2}"#, r#"16 {"c":3}"#]),
        (r#"{"a":"b:{"b":2}{"c":3}"#, &[r#"0 <{"a":"b:>"#, r#"8 {"b":2}"#, r#"15 {"c":3}"#]),
        (r#"{"a":"x{y","b:{"c":3}"#, &[r#"0 <{"a":"x{y","b:>"#, r#"14 {"c":3}"#]),
        (r#"{"a":1,"b[{ "b":2}"#, &[r#"0 <{"a":1,"b[>"#, r#"10 { "b":2}"#]),
        (r#"{"a":1,{"b":2}"#, &[r#"0 <{"a":1,>"#, r#"7 {"b":2}"#]),
        ("{\"a\":\"x,{\n \"b\":2}", &["0 <{\"a\":\"x,>", "8 {\n \"b\":2}"]),
        ("{\"a\":\"x:{ \r\n \"b\":2}", &["0 <{\"a\":\"x:>", "8 { \r\n \"b\":2}"]),
        ("{\"a\":\"x[{\t\"b\":2}", &["0 <{\"a\":\"x[>", "8 {\t\"b\":2}"]),
        ("{\"a\":\"tru\n{\"b\":2}", &["0 <{\"a\":\"tru>", "10 {\"b\":2}"]),
        ("{\"a\":1,\n{\"b\":2}\n", &["0 <{\"a\":1,>", "8 {\"b\":2}"]),
        ("{\"a\":\n{\"b\":2}\n{\"c\":3}", &["0 <{\"a\":>", "6 {\"b\":2}", "14 {\"c\":3}"]),
        ("[{\"a\":1},{\"b\"", &["0 <[>", "1 {\"a\":1}", "8 <,{\"b\">"]),
        // Parts of a broken value are no values.
        (r#"{"a":{"b":1},"c":x}{"d":[{"e":1}]}"#, &[r#"0 <{"a":{"b":1},"c":x}>"#, r#"19 {"d":[{"e":1}]}"#]),
        (
            "{\n \"a\": {\"b\": 1},\n \"c\": [\n  {\"d\": x},\n  {\"e\": 1}\n ]\n}\n{\"f\": 1}",
            &["0 <{\n \"a\": {\"b\": 1},\n \"c\": [\n  {\"d\": x},\n  {\"e\": 1}\n ]\n}>", "54 {\"f\": 1}"],
        ),
        ("{\"a\":\n1", &["0 <{\"a\":\n1>"]),
        ("1,2,{}", &["0 <1,2,>", "4 {}"]),
        ("nul", &["0 <nul>"]),
    ] {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn no_byte_between_two_objects_loses_one() {
    for byte in 0..=u8::MAX {
        for [one, two] in [["{}", "{}"], [r#"{"a":{"b":"{"}}"#, r#"{ "c":[{}] }"#], [r#"{"rawData":"e30="}"#; 2]] {
            let text = [one.as_bytes(), &[byte], two.as_bytes()].concat();
            let values =
                pieces(&text).into_iter().filter(|piece| piece.kind == PieceKind::Value).map(|piece| piece.bytes);
            let objects: Vec<Vec<u8>> =
                values.map(|value| value.trim_ascii().to_vec()).filter(|value| value[0] == b'{').collect();
            assert_eq!(objects, [one.as_bytes(), two.as_bytes()], "{}", text.escape_ascii());
        }
    }
}

/// Only a value behind a colon can be a part of it, as the member's value.
#[test]
fn a_truncated_object_does_not_affect_the_next() {
    let error =
        r#"{"attemptsMade":4,"errorCode":"Lambda.FunctionError","rawData":"e30=","lambdaARN":"arn:aws:lambda:[x],"}"#;
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<Value>(error).unwrap()).unwrap();
    for (error, cut) in [error, &pretty].into_iter().flat_map(|error| (1..error.len()).map(move |cut| (error, cut))) {
        let broken = &error[..cut];
        for separator in ["", "\n"] {
            let objects: Vec<Vec<u8>> = pieces(format!("{error}{broken}{separator}{error}{error}").as_bytes())
                .into_iter()
                .filter(|piece| piece.kind == PieceKind::Value)
                .map(|piece| piece.bytes)
                .collect();
            let follows_colon = separator.is_empty() && broken.trim_end().ends_with("\":");
            assert_eq!(objects.len(), if follows_colon { 2 } else { 3 }, "{broken:?}");
            assert!(objects.iter().all(|object| object == error.as_bytes()));
        }
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_a_piece() {
    let found: Vec<_> = pieces(b"{\"a\":\"\xff\"}{}").into_iter().map(|piece| (piece.kind, piece.offset)).collect();
    assert_eq!(found, [(PieceKind::Other, 0), (PieceKind::Value, 9)]);
    assert_eq!(pieces(b"\x00\xff\xfe{}").len(), 2);
}

#[test]
fn lines_are_counted_from_one() {
    let lines: Vec<u64> = pieces(b"\n{\n}{}\nx\n {}").into_iter().map(|piece| piece.line).collect();
    assert_eq!(lines, [2, 3, 4, 5]);
}

#[test]
fn a_value_that_is_too_long_does_not_affect_the_next() {
    let string = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - r#"{"a":""}"#.len()));
    assert_eq!(shown(&string(MOST_BYTES)).len(), 1);
    let lines = |bytes: usize| format!("{{\n\"a\":\n{}{{}}\n}}", " ".repeat(bytes));
    for (value, separator) in [
        (string(MOST_BYTES + 1), ""),
        (string(MOST_BYTES + 1), "\n"),
        (string(200_000), ""),
        (lines(MOST_BYTES), ""),
        (lines(200_000), "\n"),
        ("x".repeat(MOST_BYTES + 1), "\n"),
        ("x".repeat(200_000), ""),
        (format!("[{}1]", "1,".repeat(200_000)), ""),
        (format!("[{}1]", "{},".repeat(200_000)), "\n"),
    ] {
        let found = pieces(format!("{{}}{value}{separator}{{\"b\":1}}").as_bytes());
        let start = &value[..value.len().min(MOST_BYTES)];
        let [first, long, last] = &found[..] else { panic!("{} pieces for {}", found.len(), &value[..20]) };
        assert_eq!((first.bytes.as_slice(), last.bytes.as_slice()), (&b"{}"[..], &b"{\"b\":1}"[..]));
        assert_eq!((long.kind, long.offset), (PieceKind::TooLong, 2), "{}", &value[..20]);
        assert!(long.bytes == start.as_bytes());
    }
}

thread_local! {
    /// How many bytes attempts have parsed.
    static WORK: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn count(parsed: &Parsed, bytes: usize) {
    let bytes = match parsed {
        Parsed::Value(bytes) | Parsed::Invalid(bytes) => *bytes,
        Parsed::Unfinished => bytes,
    };
    WORK.set(WORK.get() + bytes);
}

#[test]
fn hostile_streams_take_no_more_than_a_few_passes() {
    const BYTES: usize = 40_000;
    let repeated = |start: &str, piece: &str, end: &str| format!("{start}{}{end}", piece.repeat(BYTES / piece.len()));
    let streams = [
        "{\n\"a\":\n",
        "[",
        "{\"a\":[",
        "x{",
        "{\"",
        "{\"a{\":1,",
        "x[\n",
        "\"",
        "{{}",
        "[[],",
        "x[\"\"\n,",
        "{}",
        // Each ends far behind the break of the one around it.
        "[\",[\"!",
        "{\":{\"!",
    ]
    .map(|piece| repeated("", piece, ""))
    .into_iter()
    .chain([
        // Each breaks shortly before the one around it.
        repeated("[\"", ",[\",\"", ",[z\"!"),
    ]);
    for stream in streams {
        WORK.set(0);
        let values = Values::open(stream.as_bytes(), 1024 * 1024).unwrap();
        assert!(values.map(|piece| piece.unwrap().bytes.len()).sum::<usize>() > 0);
        let passes = (WORK.get() / stream.len()) as u64;
        assert!(passes <= 4 * MOST_PASSES, "{passes} passes of {}…{}", &stream[..20], &stream[BYTES - 20..]);
    }
}

#[test]
fn an_object_on_a_line_of_its_own_is_found_behind_any_number_of_broken_ones() {
    for broken in ["{\"a\":\n", "[", "[\n", "{\"a\":[", "{\"a\":[{\n"] {
        for times in [1, 2, 3, 16, 17, 100] {
            let text = format!("{}\n{{\"b\":2}}\n{{\"c\":3}}", broken.repeat(times));
            let found = shown(&text);
            let [.., b, c] = &found[..] else { panic!("{text}: {found:?}") };
            assert!(b.ends_with(r#" {"b":2}"#) && c.ends_with(r#" {"c":3}"#), "{text}: {found:?}");
        }
    }
}

#[test]
fn a_failed_read_yields_no_partial_piece() {
    for (text, expected) in [("{}\n{}", 2), ("{}\n{\"a\"", 1), ("{}\nx", 1), ("{}\n7", 1), ("x\n", 1)] {
        let mut values = Values::open(text.as_bytes().chain(Fails), MOST_BYTES).unwrap();
        let pieces: Vec<_> = iter::from_fn(|| values.next()).collect();
        let (last, before) = pieces.split_last().unwrap();
        assert_eq!(last.as_ref().unwrap_err().to_string(), "gone");
        assert_eq!(before.len(), expected, "{text:?}");
    }
    assert!(Values::open(Fails, MOST_BYTES).is_err());
    let zipped = gzip("{\"a\":1}\n".repeat(10_000).as_bytes()).unwrap();
    let cut = Values::open(&zipped[..zipped.len() / 2], MOST_BYTES).unwrap();
    assert!(cut.last().unwrap().is_err());
}

proptest! {
    #[test]
    fn only_white_space_is_left_out(text in r#"([{}\[\],:"x1 \n]|"a"|\{"a":1\}){0,40}"#) {
        let found = pieces(text.as_bytes());
        let is_white = |byte: &u8| byte.is_ascii_whitespace();
        let kept: Vec<u8> = found.iter().flat_map(|piece| piece.bytes.clone()).filter(|byte| !is_white(byte)).collect();
        let expected: Vec<u8> = text.bytes().filter(|byte| !is_white(byte)).collect();
        prop_assert_eq!(kept, expected);
        for piece in found {
            prop_assert!(text.as_bytes()[usize::try_from(piece.offset).unwrap()..].starts_with(piece.bytes.trim_ascii_start()));
            prop_assert!(piece.kind != PieceKind::Value || serde_json::from_slice::<Value>(&piece.bytes).is_ok());
        }
    }
}
