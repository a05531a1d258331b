//! Reads an object's values in a thread of its own, so that decompression and a slow storage delay no call.

use std::io::{self, Read};

use firehose_model::error_object::{Content, Head, NoErrorRecord};
use firehose_model::values::{Piece, PieceKind, Values};
use tokio::sync::mpsc;

use crate::journal::Identity;
use crate::record::{Corrupt, FailedRecord};

/// The longest value or line: the largest record of a data stream (10 MiB) as base64, and some more.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_PIECES: usize = 500;

const CHUNKS: usize = 2;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Pieces(Vec<Piece>),
    /// The last chunk.
    End(End),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    /// It is no error object, by the rule of [`firehose_model::error_object`].
    Foreign,
    Unreadable(String),
}

/// Stops when the receiver is dropped. A channel that closes without a last chunk means a panic.
pub(super) fn read(bytes: impl Read + Send + 'static) -> mpsc::Receiver<Chunk> {
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || each(bytes, |chunk| chunks.blocking_send(chunk).is_ok()));
    received
}

pub(super) fn each(bytes: impl Read, mut send: impl FnMut(Chunk) -> bool) {
    if let Some(end) = pieces(bytes, |pieces| send(Chunk::Pieces(pieces))) {
        send(Chunk::End(end));
    }
}

/// None if `send` returns false.
fn pieces(bytes: impl Read, mut send: impl FnMut(Vec<Piece>) -> bool) -> Option<End> {
    let unreadable = |error: io::Error, lines: u64| match lines {
        0 => Some(End::Unreadable(error.to_string())),
        _ => Some(End::Unreadable(format!("after line {lines}: {error}"))),
    };
    let mut values = match Values::open(bytes, MAX_LINE_BYTES) {
        Ok(values) => values,
        Err(error) => return unreadable(error, 0),
    };
    let mut chunk = match Head::read(&mut values) {
        Ok(Head { content: Some(Content::ErrorRecords), pieces }) => pieces,
        Ok(Head { pieces, .. }) => return Some(if pieces.is_empty() { End::Complete } else { End::Foreign }),
        Err(error) => return unreadable(error, values.lines()),
    };
    let mut bytes: usize = chunk.iter().map(|piece| piece.bytes.len()).sum();
    loop {
        let end = match values.next() {
            Some(Ok(piece)) => {
                bytes += piece.bytes.len();
                chunk.push(piece);
                None
            }
            Some(Err(error)) => unreadable(error, values.lines()),
            None => Some(End::Complete),
        };
        if bytes >= CHUNK_BYTES || chunk.len() >= CHUNK_PIECES || end.is_some() {
            bytes = 0;
            if !send(std::mem::take(&mut chunk)) {
                return None;
            }
        }
        if end.is_some() {
            return end;
        }
    }
}

pub(super) struct CorruptPiece {
    pub(super) key: u128,
    pub(super) line: u64,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) problem: Corrupt,
}

/// The pieces that the stream accepts according to `check`, each with its key in the journal, and the others.
pub(super) fn classify(
    pieces: Vec<Piece>,
    identity: &mut Identity,
    check: impl Fn(&[u8]) -> Result<(), Corrupt>,
) -> (Vec<(u128, FailedRecord)>, Vec<CorruptPiece>) {
    let (mut records, mut corrupt) = (Vec::new(), Vec::new());
    for Piece { kind, offset, line, bytes } in pieces {
        let key = identity.line_key(&bytes);
        let record = match kind {
            PieceKind::Value => FailedRecord::parse(&bytes).and_then(|record| check(&record.data).map(|()| record)),
            PieceKind::Other => Err(NoErrorRecord::Json.into()),
            PieceKind::TooLong => Err(Corrupt::TooLong(MAX_LINE_BYTES)),
        };
        match record {
            Ok(record) => records.push((key, record)),
            Err(problem) => corrupt.push(CorruptPiece { key, line, offset, bytes, problem }),
        }
    }
    (records, corrupt)
}

#[cfg(test)]
mod tests {
    use std::io;

    use object_storage::gzip;

    use super::*;

    /// The first value, without which it is no error object.
    const FIRST: &str = r#"{"rawData":""}"#;

    async fn read_all(bytes: impl Read + Send + 'static) -> (Vec<Piece>, Option<String>) {
        let (mut chunks, mut all) = (read(bytes), Vec::new());
        loop {
            match chunks.recv().await.unwrap() {
                Chunk::Pieces(pieces) => all.extend(pieces),
                Chunk::End(End::Complete) => return (all, None),
                Chunk::End(End::Foreign) => return (all, Some("foreign".to_owned())),
                Chunk::End(End::Unreadable(cause)) => return (all, Some(cause)),
            }
        }
    }

    fn value(offset: u64, line: u64, bytes: &str) -> Piece {
        Piece { kind: PieceKind::Value, offset, line, bytes: bytes.as_bytes().to_vec() }
    }

    #[tokio::test]
    async fn an_object_is_read_plain_or_zipped() {
        let text = format!("{FIRST}\n\n  {{}} \r\n{{}}[2]");
        let expected = [value(0, 1, FIRST), value(18, 3, "  {}"), value(23, 4, "{}"), value(25, 4, "[2]")];
        assert_eq!(read_all(io::Cursor::new(text.clone())).await, (expected.to_vec(), None));
        let zipped = gzip(text.as_bytes()).unwrap();
        assert_eq!(read_all(io::Cursor::new(zipped.clone())).await, (expected.to_vec(), None));
        // Several streams one after the other are one.
        let twice = io::Cursor::new([&zipped[..], &zipped[..]].concat());
        let lines: Vec<u64> = read_all(twice).await.0.iter().map(|piece| piece.line).collect();
        assert_eq!(lines, [1, 3, 4, 4, 4, 6, 7, 7]);
        assert_eq!(read_all(&b""[..]).await, (vec![], None));
    }

    #[tokio::test]
    async fn more_than_a_chunk_comes_in_order() {
        for separator in ["\n", ""] {
            let numbers = 0..3 * CHUNK_PIECES;
            let text = numbers.clone().map(|number| format!("[{number}]{separator}")).collect::<Vec<_>>().concat();
            let (pieces, _) = read_all(io::Cursor::new(FIRST.to_owned() + &text)).await;
            assert!(
                pieces[1..]
                    .iter()
                    .map(|piece| piece.bytes.as_slice())
                    .eq(numbers.map(|n| format!("[{n}]").into_bytes()))
            );
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_does_not_affect_the_next() {
        for (length, kind) in [
            (MAX_LINE_BYTES, PieceKind::Other),
            (MAX_LINE_BYTES + 1, PieceKind::TooLong),
            (2 * MAX_LINE_BYTES, PieceKind::TooLong),
        ] {
            let text = [FIRST.as_bytes(), b"\n", &vec![b'x'; length][..], b"\n{}\n"].concat();
            let (pieces, _) = read_all(io::Cursor::new(text)).await;
            assert_eq!((pieces[1].bytes.len(), pieces[1].kind), (MAX_LINE_BYTES, kind), "{length}");
            assert_eq!(pieces[2..], [value((FIRST.len() + length) as u64 + 2, 3, "{}")], "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_before_a_broken_stream_is_read() {
        let line = |number: u32| format!("[\"line {number} {}\"]\n", number * 7919 % 10_007);
        let text = format!("{FIRST}\n{}", (0..20_000).map(line).collect::<Vec<_>>().concat());
        let zipped = gzip(text.as_bytes()).unwrap();
        // Cut off, and with what is no gzip between two streams.
        for stored in [zipped[..zipped.len() / 2].to_vec(), [&zipped[..], b"\xff\xff\xff\xff", &zipped[..]].concat()] {
            let (pieces, failure) = read_all(io::Cursor::new(stored)).await;
            let failure = failure.unwrap();
            assert!(failure.starts_with(&format!("after line {}: ", pieces.len())), "{failure}");
            assert!(pieces.len() > 5_000);
            assert!(pieces.iter().zip(text.lines()).all(|(read, line)| read.bytes == line.as_bytes()));
        }
    }

    #[tokio::test]
    async fn a_storage_that_fails_is_no_end() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let zipped = gzip(format!("{FIRST}\n[]\n").repeat(10_000).as_bytes()).unwrap();
        for start in [FIRST.as_bytes(), b"", &zipped[..zipped.len() / 2]] {
            let (_, failure) = read_all(io::Cursor::new(start.to_vec()).chain(Fails)).await;
            assert!(failure.unwrap().ends_with("gone"));
        }
        let half = format!("{FIRST}\n{{\"half\"");
        let (pieces, failure) = read_all(io::Cursor::new(half).chain(Fails)).await;
        assert_eq!((pieces, failure.as_deref()), (vec![value(0, 1, FIRST)], Some("after line 1: gone")));
    }

    #[tokio::test]
    async fn an_object_without_an_error_record_at_its_start_is_foreign() {
        let foreign = Some("foreign".to_owned());
        for (text, expected) in [
            (format!("{{}}\n{FIRST}"), foreign.clone()),
            ("some\ntext".to_owned(), foreign.clone()),
            ("x\n".repeat(101) + FIRST, foreign),
            (String::new(), None),
            (" \n\n".to_owned(), None),
        ] {
            assert_eq!(read_all(io::Cursor::new(text.clone())).await, (vec![], expected), "{text}");
        }
        let (pieces, end) = read_all(io::Cursor::new(format!("no JSON\n7\n{FIRST}"))).await;
        assert_eq!((pieces.len(), end), (3, None));
    }

    fn piece(line: u64, text: &str, kind: PieceKind) -> Piece {
        Piece { kind, offset: 10 * line, line, bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn pieces_are_records_or_corrupt() {
        let record = r#"{"rawData":"e30="}"#;
        let (records, corrupt) = classify(
            vec![
                piece(1, record, PieceKind::Value),
                piece(2, "7", PieceKind::Value),
                piece(3, record, PieceKind::TooLong),
                piece(4, record, PieceKind::Value),
                piece(5, record, PieceKind::Other),
            ],
            &mut Identity::of("a"),
            |_| Ok(()),
        );
        let keys = records.iter().map(|(key, _)| *key).chain(corrupt.iter().map(|piece| piece.key));
        let mut keys: Vec<u128> = keys.collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((records.len(), keys.len()), (2, 5));
        let problems: Vec<(u64, u64, &Corrupt)> =
            corrupt.iter().map(|piece| (piece.line, piece.offset, &piece.problem)).collect();
        assert_eq!(
            problems,
            [
                (2, 20, &NoErrorRecord::Json.into()),
                (3, 30, &Corrupt::TooLong(MAX_LINE_BYTES)),
                (5, 50, &NoErrorRecord::Json.into())
            ]
        );
    }
}
