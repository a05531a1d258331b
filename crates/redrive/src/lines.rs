//! The values of an object, and what else is in it, in a thread of their own: decompression and a slow storage do not hold up the
//! calls.

use std::io::Read;

use tokio::sync::mpsc;

use firehose_model::values::{Piece, Values};

/// The longest value or line: what the largest record of a data stream (10 MiB) needs as base64, and some room.
pub(super) const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;

/// How much is handed over at once, and the most pieces of it.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_PIECES: usize = 500;

/// How many chunks may wait.
const CHUNKS: usize = 2;

/// Some pieces, or the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In their order.
    Pieces(Vec<Piece>),
    /// There are no more.
    End,
    /// There may be more, but the storage failed, or it can't be decompressed.
    Unreadable(String),
}

/// Reads an object in a thread of its own until the end, or until nobody wants more. Without an end, the thread has panicked.
pub(super) fn read(bytes: impl Read + Send + 'static) -> mpsc::Receiver<Chunk> {
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || each(bytes, |chunk| chunks.blocking_send(chunk).is_ok()));
    received
}

/// Hands pieces over, plain or gzipped, and the end, as long as `is_wanted` says so.
pub(super) fn each(bytes: impl Read, mut is_wanted: impl FnMut(Chunk) -> bool) {
    let mut values = match Values::open(bytes, MAX_LINE_BYTES) {
        Ok(values) => values,
        Err(error) => {
            is_wanted(Chunk::Unreadable(error.to_string()));
            return;
        }
    };
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    loop {
        let end = match values.next() {
            Some(Ok(piece)) => {
                bytes += piece.bytes.len();
                chunk.push(piece);
                None
            }
            Some(Err(error)) => Some(Chunk::Unreadable(format!("after line {}: {error}", values.lines()))),
            None => Some(Chunk::End),
        };
        if bytes >= CHUNK_BYTES || chunk.len() >= CHUNK_PIECES || end.is_some() {
            bytes = 0;
            if !is_wanted(Chunk::Pieces(std::mem::take(&mut chunk))) {
                return;
            }
        }
        if let Some(end) = end {
            is_wanted(end);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use firehose_model::values::Found;
    use object_storage::gzip;

    async fn read_all(bytes: impl Read + Send + 'static) -> (Vec<Piece>, Option<String>) {
        let (mut chunks, mut all) = (read(bytes), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Pieces(pieces) => all.extend(pieces),
                Chunk::End => return (all, None),
                Chunk::Unreadable(cause) => return (all, Some(cause)),
            }
        }
        panic!("there is no end")
    }

    fn value(offset: u64, line: u64, bytes: &str) -> Piece {
        Piece { found: Found::Value, offset, line, bytes: bytes.as_bytes().to_vec() }
    }

    #[tokio::test]
    async fn an_object_is_read_plain_or_zipped() {
        let text = b"[1]\n\n  {} \r\n{}[2]";
        let expected = [value(0, 1, "[1]"), value(7, 3, "  {}"), value(12, 4, "{}"), value(14, 4, "[2]")];
        assert_eq!(read_all(&text[..]).await, (expected.to_vec(), None));
        let zipped = gzip(text).unwrap();
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
            let (pieces, _) = read_all(io::Cursor::new(text)).await;
            assert!(
                pieces.iter().map(|piece| piece.bytes.as_slice()).eq(numbers.map(|n| format!("[{n}]").into_bytes()))
            );
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_does_not_harm_the_next() {
        for (length, found) in
            [(MAX_LINE_BYTES, Found::Other), (MAX_LINE_BYTES + 1, Found::TooLong), (2 * MAX_LINE_BYTES, Found::TooLong)]
        {
            let text = [&vec![b'x'; length][..], b"\n{}\n"].concat();
            let (pieces, _) = read_all(io::Cursor::new(text)).await;
            assert_eq!((pieces[0].bytes.len(), pieces[0].found), (MAX_LINE_BYTES, found), "{length}");
            assert_eq!(pieces[1..], [value(length as u64 + 1, 2, "{}")], "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_before_a_broken_stream_is_read() {
        let line = |number: u32| format!("[\"line {number} {}\"]\n", number * 7919 % 10_007);
        let text = (0..20_000).map(line).collect::<Vec<_>>().concat();
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
        let zipped = gzip(&b"{}\n[]\n".repeat(10_000)).unwrap();
        for start in [&b"{}\n[]\n"[..], b"", &zipped[..zipped.len() / 2]] {
            let (_, failure) = read_all(io::Cursor::new(start.to_vec()).chain(Fails)).await;
            assert!(failure.unwrap().ends_with("gone"));
        }
        let (pieces, failure) = read_all(io::Cursor::new(b"{}\n{\"half\"").chain(Fails)).await;
        assert_eq!((pieces, failure.as_deref()), (vec![value(0, 1, "{}")], Some("after line 1: gone")));
    }
}
