//! The lines of an object, in a thread of their own: decompression and a slow storage do not hold up the calls.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tokio::sync::mpsc;

use crate::bucket::GZIP_MAGIC;

/// The longest line: several times what the largest record needs.
pub(super) const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// How much is handed over at once, and the most lines of it.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_LINES: usize = 500;

/// How many chunks may wait.
const CHUNKS: usize = 2;

/// One line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from one.
    pub(super) number: u64,
    /// Without its end.
    pub(super) bytes: Vec<u8>,
    /// How much of it that is.
    pub(super) extent: Extent,
}

/// How much of a line was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// It goes on, beyond what is kept of it.
    Cut,
    /// Reading broke off in it, or at its end.
    BrokenOff,
}

/// Some lines, or the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In their order.
    Lines(Vec<Line>),
    /// There are no more.
    End,
    /// There may be more, but the storage failed, or it can't be decompressed.
    Unreadable(String),
}

/// Reads lines in a thread of its own until the end, or until nobody wants more. Without an end, the thread has panicked.
pub(super) fn read(bytes: impl Read + Send + 'static) -> mpsc::Receiver<Chunk> {
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || each(bytes, |chunk| chunks.blocking_send(chunk).is_ok()));
    received
}

/// Hands lines over, plain or gzipped, and the end, as long as `is_wanted` says so.
pub(super) fn each(bytes: impl Read, mut is_wanted: impl FnMut(Chunk) -> bool) {
    let mut stored = BufReader::new(bytes);
    let end = match stored.fill_buf() {
        Ok(start) if start.starts_with(&GZIP_MAGIC) => {
            lines(BufReader::new(MultiGzDecoder::new(stored)), &mut is_wanted)
        }
        Ok(_) => lines(stored, &mut is_wanted),
        Err(error) => Some(Chunk::Unreadable(error.to_string())),
    };
    end.map(is_wanted);
}

/// Hands lines over; gives the end, if it is wanted.
fn lines(mut reader: impl BufRead, mut is_wanted: impl FnMut(Chunk) -> bool) -> Option<Chunk> {
    let (mut chunk, mut bytes, mut number, mut end) = (Vec::new(), 0, 0, None);
    while end.is_none() {
        number += 1;
        let mut line = Vec::new();
        let read = reader.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line);
        let is_cut = line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n");
        // After an error, a storage's client can't be asked again.
        let read = read.and_then(|read| if is_cut { reader.skip_until(b'\n').map(|_| read) } else { Ok(read) });
        end = match read {
            Ok(0) => Some(Chunk::End),
            Ok(_) => None,
            Err(error) => Some(Chunk::Unreadable(format!("after line {}: {error}", number - 1))),
        };
        line.truncate(line.trim_ascii_end().len().min(MAX_LINE_BYTES));
        if !line.is_empty() {
            bytes += line.len();
            let extent = match &end {
                Some(Chunk::Unreadable(_)) => Extent::BrokenOff,
                _ if is_cut => Extent::Cut,
                _ => Extent::Whole,
            };
            chunk.push(Line { number, bytes: line, extent });
        }
        if bytes >= CHUNK_BYTES || chunk.len() >= CHUNK_LINES || end.is_some() {
            bytes = 0;
            if !is_wanted(Chunk::Lines(std::mem::take(&mut chunk))) {
                return None;
            }
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::bucket::gzip;

    async fn read_all(bytes: impl Read + Send + 'static) -> (Vec<Line>, Option<String>) {
        let (mut chunks, mut all) = (read(bytes), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Lines(lines) => all.extend(lines),
                Chunk::End => return (all, None),
                Chunk::Unreadable(cause) => return (all, Some(cause)),
            }
        }
        panic!("there is no end")
    }

    fn line(number: u64, bytes: &str) -> Line {
        Line { number, bytes: bytes.as_bytes().to_vec(), extent: Extent::Whole }
    }

    #[tokio::test]
    async fn lines_are_numbered_plain_or_zipped() {
        let text = b"one\n\n  two \r\nthree";
        let expected = [line(1, "one"), line(3, "  two"), line(4, "three")];
        assert_eq!(read_all(&text[..]).await, (expected.to_vec(), None));
        let zipped = gzip(text).unwrap();
        assert_eq!(read_all(io::Cursor::new(zipped.clone())).await, (expected.to_vec(), None));
        // Several streams one after the other are one.
        let twice = io::Cursor::new([&zipped[..], &zipped[..]].concat());
        let lines: Vec<u64> = read_all(twice).await.0.iter().map(|line| line.number).collect();
        assert_eq!(lines, [1, 3, 4, 6, 7]);
        assert_eq!(read_all(&b""[..]).await, (vec![], None));
    }

    #[tokio::test]
    async fn more_than_a_chunk_comes_in_order() {
        let text = (0..3 * CHUNK_LINES).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat();
        let (lines, _) = read_all(io::Cursor::new(text)).await;
        let expected: Vec<Line> = (0..3 * CHUNK_LINES as u64).map(|n| line(n + 1, &n.to_string())).collect();
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_does_not_harm_the_next() {
        for (length, extent) in
            [(MAX_LINE_BYTES, Extent::Whole), (MAX_LINE_BYTES + 1, Extent::Cut), (2 * MAX_LINE_BYTES, Extent::Cut)]
        {
            let text = [&vec![b'x'; length][..], b"\nnext\n"].concat();
            let (lines, _) = read_all(io::Cursor::new(text)).await;
            assert_eq!((lines[0].bytes.len(), lines[0].extent), (MAX_LINE_BYTES, extent), "{length}");
            assert_eq!(lines[1..], [line(2, "next")], "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_before_a_broken_stream_is_read() {
        let line = |number: u32| format!("line {number} {}\n", number * 7919 % 10_007);
        let text = (0..20_000).map(line).collect::<Vec<_>>().concat();
        let zipped = gzip(text.as_bytes()).unwrap();
        // Cut off, and with what is no gzip between two streams.
        for stored in [zipped[..zipped.len() / 2].to_vec(), [&zipped[..], b"\xff\xff\xff\xff", &zipped[..]].concat()] {
            let (lines, failure) = read_all(io::Cursor::new(stored)).await;
            let failure = failure.unwrap();
            assert!(failure.starts_with("after line "), "{failure}");
            let (_last, whole) = lines.split_last().unwrap();
            assert!(whole.len() > 5_000);
            assert!(whole.iter().zip(text.lines()).all(|(read, line)| read.bytes == line.as_bytes()));
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
        let zipped = gzip(&b"one\ntwo\n".repeat(10_000)).unwrap();
        for start in [&b"one\ntwo\n"[..], b"", &zipped[..zipped.len() / 2]] {
            let (_, failure) = read_all(io::Cursor::new(start.to_vec()).chain(Fails)).await;
            assert!(failure.unwrap().ends_with("gone"));
        }
        let (lines, failure) = read_all(io::Cursor::new(b"one\nhalf").chain(Fails)).await;
        let half = Line { extent: Extent::BrokenOff, ..line(2, "half") };
        assert_eq!((lines, failure.as_deref()), (vec![line(1, "one"), half], Some("after line 1: gone")));
    }
}
