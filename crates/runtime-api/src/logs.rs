//! The log lines of a process, in order.
//!
//! Standard output and error share one pipe, so their lines keep their order, as in CloudWatch. The pipe is read continuously, so that a
//! function never blocks on a full pipe.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::unix::pipe;
use tokio::task::{JoinSet, yield_now};

/// The most bytes of a read: more than a pipe holds (pipe(7)), so one read returns whatever was written before it.
const MOST_BYTES: usize = 64 * 1024 + 1;

/// The most bytes of an invocation's lines that are kept. A function that logs in a loop would take all memory.
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Logs {
    pipe: Arc<Pipe>,
    /// Aborted with the drop: a grandchild may keep the pipe open forever.
    _reader: JoinSet<()>,
}

#[derive(Debug)]
struct Pipe {
    /// Of the same pipe, which it makes non-blocking. Its own reads do not read before tokio knows that the pipe is readable.
    readiness: pipe::Receiver,
    reader: PipeReader,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    whole: Vec<String>,
    /// The memory of the whole lines.
    bytes: usize,
    rest: Vec<u8>,
    dropped: usize,
}

impl Logs {
    pub(crate) fn new() -> io::Result<(PipeWriter, Self)> {
        let (writer, pipe) = Pipe::new()?;
        let pipe = Arc::new(pipe);
        let mut reading = JoinSet::new();
        reading.spawn(read_to_end(Arc::clone(&pipe)));
        Ok((writer, Self { pipe, _reader: reading }))
    }

    /// Takes all lines so far, including those that the process wrote just before it called the Runtime API or exited.
    pub(crate) fn take(&self) -> Vec<String> {
        let _empty = self.pipe.read();
        self.pipe.lines().take()
    }
}

impl Pipe {
    fn new() -> io::Result<(PipeWriter, Self)> {
        let (reader, writer) = io::pipe()?;
        let readiness = pipe::Receiver::from_owned_fd(OwnedFd::from(reader.try_clone()?))?;
        Ok((writer, Self { readiness, reader, lines: Mutex::default() }))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fewer than [`MOST_BYTES`] mean that the pipe is closed; an open pipe that is empty is an error.
    fn read(&self) -> io::Result<usize> {
        let mut lines = self.lines();
        let before = lines.rest.len();
        let read = (&self.reader).take(MOST_BYTES as u64).read_to_end(&mut lines.rest);
        let end = match read {
            // The last line may have no end.
            Ok(..MOST_BYTES) => lines.rest.len(),
            _ => lines.rest[before..].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| before + last + 1),
        };
        lines.end(end);
        read
    }
}

impl Lines {
    /// Ends the lines before this position. A line without an end counts, too: it ends when it is too long.
    fn end(&mut self, position: usize) {
        let mut rest = mem::take(&mut self.rest);
        rest[..position].split_inclusive(|byte| *byte == b'\n').for_each(|line| self.keep(line));
        rest.drain(..position);
        if self.dropped > 0 || self.bytes + rest.len() > MAX_KEPT_BYTES {
            self.keep(&rest);
            rest.clear();
        }
        self.rest = rest;
    }

    fn keep(&mut self, line: &[u8]) {
        let room = MAX_KEPT_BYTES.saturating_sub(self.bytes + size_of::<String>());
        let (kept, over) = line.split_at(if self.dropped > 0 { 0 } else { line.len().min(room) });
        if !kept.is_empty() {
            let text = String::from_utf8_lossy(kept).trim_end_matches(['\r', '\n']).to_owned();
            self.bytes += text.len() + size_of::<String>();
            self.whole.push(text);
        }
        self.dropped += over.len();
    }

    fn take(&mut self) -> Vec<String> {
        let dropped = mem::take(&mut self.dropped);
        if dropped > 0 {
            self.whole.push(format!("{dropped} more bytes of this invocation's log were dropped"));
        }
        self.bytes = 0;
        mem::take(&mut self.whole)
    }
}

async fn read_to_end(pipe: Arc<Pipe>) {
    while pipe.readiness.readable().await.is_ok() {
        match pipe.readiness.try_io(|| pipe.read()) {
            Ok(MOST_BYTES) => yield_now().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn written_lines_are_taken_before_tokio_polls_the_pipe() {
        let (mut writer, logs) = Logs::new().unwrap();
        for (written, taken) in
            [("one\ntwo\n", vec!["one", "two"]), ("", vec![]), ("thr", vec![]), ("ee\n", vec!["three"])]
        {
            // No await in between.
            writer.write_all(written.as_bytes()).unwrap();
            assert_eq!(logs.take(), taken, "{written:?}");
        }
        writer.write_all(b"last").unwrap();
        drop(writer);
        assert_eq!(logs.take(), ["last"]);
        assert_eq!(logs.take(), Vec::<String>::new());
    }

    /// A process closes its pipe just before it exits, so two threads may read the end of the pipe, both after tokio knows that it is readable.
    #[tokio::test]
    async fn the_end_of_a_pipe_is_read_twice() {
        let (mut writer, pipe) = Pipe::new().unwrap();
        writer.write_all(b"last words\n").unwrap();
        drop(writer);
        pipe.readiness.readable().await.unwrap();
        assert_eq!(pipe.readiness.try_io(|| pipe.read()).unwrap(), 11);
        assert_eq!(pipe.readiness.try_io(|| pipe.read()).unwrap(), 0);
        assert_eq!(pipe.lines().take(), ["last words"]);
    }

    #[tokio::test]
    async fn the_lines_of_an_invocation_are_bounded() {
        let (chunk, chunks) = ("x".repeat(1023), MAX_KEPT_BYTES / 1024 + 100);
        for (end, first) in [("\n", 1023), ("x", MAX_KEPT_BYTES - size_of::<String>())] {
            let (mut writer, logs) = Logs::new().unwrap();
            for _ in 0..chunks {
                // The process does not block.
                writer.write_all(format!("{chunk}{end}").as_bytes()).unwrap();
                let _empty = logs.pipe.read();
            }
            let (lines, all) = (logs.take(), chunks * 1024);
            let (last, kept) = lines.split_last().unwrap();
            let kept_bytes: usize = kept.iter().map(|line| line.len() + end.matches('\n').count()).sum();
            assert!(kept_bytes <= MAX_KEPT_BYTES && kept[0].len() == first, "{kept_bytes} {}", kept[0].len());
            let dropped: usize =
                last.strip_suffix(" more bytes of this invocation's log were dropped").unwrap().parse().unwrap();
            // The last of them is cut, and its end is dropped.
            assert!((all - kept_bytes).abs_diff(dropped) <= 1, "{all} {kept_bytes} {dropped}");
            // Those of the next invocation are kept again.
            writer.write_all(b"next\n").unwrap();
            assert_eq!(logs.take(), ["next"]);
        }
    }

    #[test]
    fn empty_lines_take_memory_too() {
        let written = MAX_KEPT_BYTES / 16;
        let mut lines = Lines { rest: vec![b'\n'; written], ..Lines::default() };
        lines.end(written);
        assert_eq!(lines.take().len(), MAX_KEPT_BYTES / size_of::<String>() + 1);
    }
}
