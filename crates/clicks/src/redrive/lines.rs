//! The lines of an object, in a thread of their own: decompression and a slow storage do not hold up the calls.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::MultiGzDecoder;
use tokio::sync::mpsc;

/// The longest line: several times what the largest record needs.
pub(super) const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// How much is handed over at once, and the most lines of it.
const CHUNK_BYTES: usize = 1024 * 1024;
const CHUNK_LINES: usize = 500;

/// How many chunks may wait.
const CHUNKS: usize = 2;

/// The first bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One line that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from one.
    pub(super) number: u64,
    /// Without its end.
    pub(super) bytes: Vec<u8>,
    /// Whether it is no line as it should be.
    pub(super) fault: Option<Fault>,
}

/// What is wrong with a line as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It goes on, beyond what is kept of it.
    TooLong,
    /// It ends where decompression did.
    Compression(String),
}

/// Some lines, or the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In their order.
    Lines(Vec<Line>),
    /// The storage failed: what follows is not known.
    Unreadable(String),
}

/// Reads lines, plain or gzipped, until the end, or until nobody wants more.
pub(super) fn read(bytes: impl Read + Send + 'static) -> mpsc::Receiver<Chunk> {
    let (chunks, received) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let failure = Arc::new(Mutex::new(None));
        let stored = BufReader::new(Stored { bytes, failure: Arc::clone(&failure) });
        let sent = hand_over(stored, &chunks);
        let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Ok(()), Some(cause)) = (sent, failure) {
            let _nobody_waits = chunks.blocking_send(Chunk::Unreadable(cause));
        }
    });
    received
}

/// The bytes as they are stored, which remember why they ended.
struct Stored<R> {
    bytes: R,
    failure: Arc<Mutex<Option<String>>>,
}

impl<R: Read> Read for Stored<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        })
    }
}

/// Nobody wants more.
struct Unwanted;

fn hand_over<R: Read>(mut stored: BufReader<Stored<R>>, chunks: &mpsc::Sender<Chunk>) -> Result<(), Unwanted> {
    // An error is remembered; whoever asks for the failure gets it.
    let zipped = stored.fill_buf().is_ok_and(|start| start.starts_with(&GZIP));
    let failure = Arc::clone(&stored.get_ref().failure);
    if zipped {
        lines(BufReader::new(MultiGzDecoder::new(stored)), &failure, chunks)
    } else {
        lines(stored, &failure, chunks)
    }
}

fn lines(
    mut reader: impl BufRead,
    failure: &Mutex<Option<String>>,
    chunks: &mpsc::Sender<Chunk>,
) -> Result<(), Unwanted> {
    let (mut chunk, mut bytes, mut number) = (Vec::new(), 0, 0);
    loop {
        number += 1;
        let mut line = Vec::new();
        let read = reader.by_ref().take(MAX_LINE_BYTES as u64 + 1).read_until(b'\n', &mut line);
        if failure.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            break;
        }
        let fault = match read {
            Ok(0) => break,
            Ok(_) if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") => {
                line.truncate(MAX_LINE_BYTES);
                let _next_read_fails_too = reader.skip_until(b'\n');
                Some(Fault::TooLong)
            }
            Ok(_) => None,
            Err(error) => Some(Fault::Compression(error.to_string())),
        };
        let ended = matches!(fault, Some(Fault::Compression(_)));
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() || fault.is_some() {
            bytes += line.len();
            chunk.push(Line { number, bytes: line, fault });
        }
        if ended {
            break;
        }
        if bytes >= CHUNK_BYTES || chunk.len() >= CHUNK_LINES {
            bytes = 0;
            chunks.blocking_send(Chunk::Lines(std::mem::take(&mut chunk))).map_err(|_| Unwanted)?;
        }
    }
    if chunk.is_empty() { Ok(()) } else { chunks.blocking_send(Chunk::Lines(chunk)).map_err(|_| Unwanted) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::gzip;

    async fn read_all(bytes: impl Read + Send + 'static) -> (Vec<Line>, Option<String>) {
        let (mut chunks, mut all) = (read(bytes), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Lines(lines) => all.extend(lines),
                Chunk::Unreadable(cause) => return (all, Some(cause)),
            }
        }
        (all, None)
    }

    fn line(number: u64, bytes: &str) -> Line {
        Line { number, bytes: bytes.as_bytes().to_vec(), fault: None }
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
        for (length, fault) in [(MAX_LINE_BYTES, None), (MAX_LINE_BYTES + 1, Some(Fault::TooLong))] {
            let text = [&vec![b'x'; length][..], b"\nnext\n"].concat();
            let (lines, _) = read_all(io::Cursor::new(text)).await;
            assert_eq!((lines[0].bytes.len(), &lines[0].fault), (MAX_LINE_BYTES, &fault), "{length}");
            assert_eq!(lines[1..], [line(2, "next")], "{length}");
        }
    }

    #[tokio::test]
    async fn what_is_before_a_broken_stream_is_read() {
        let line = |number: u32| format!("line {number} {}\n", number * 7919 % 10_007);
        let text = (0..20_000).map(line).collect::<Vec<_>>().concat();
        let mut zipped = gzip(text.as_bytes()).unwrap().to_vec();
        zipped.truncate(zipped.len() / 2);
        let (lines, failure) = read_all(io::Cursor::new(zipped)).await;
        let (last, whole) = lines.split_last().unwrap();
        assert!(whole.len() > 5_000 && failure.is_none());
        assert!(whole.iter().zip(text.lines()).all(|(read, line)| read.bytes == line.as_bytes()));
        assert!(matches!(&last.fault, Some(Fault::Compression(_))), "{last:?}");
    }

    #[tokio::test]
    async fn a_storage_that_fails_is_no_broken_stream() {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let zipped = gzip(&b"one\ntwo\n".repeat(10_000)).unwrap();
        for start in [&b"one\ntw"[..], b"", &zipped[..zipped.len() / 2]] {
            let (lines, failure) = read_all(io::Cursor::new(start.to_vec()).chain(Fails)).await;
            assert_eq!(failure.as_deref(), Some("gone"));
            assert!(lines.iter().all(|line| line.fault.is_none() && [&b"one"[..], b"two"].contains(&&line.bytes[..])));
        }
    }
}
