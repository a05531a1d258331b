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
    rest: Vec<u8>,
}

impl Logs {
    pub(crate) fn new() -> io::Result<(PipeWriter, Self)> {
        let (reader, writer) = io::pipe()?;
        let readiness = pipe::Receiver::from_owned_fd(OwnedFd::from(reader.try_clone()?))?;
        let pipe = Arc::new(Pipe { readiness, reader, lines: Mutex::default() });
        let mut reading = JoinSet::new();
        reading.spawn(read_to_end(Arc::clone(&pipe)));
        Ok((writer, Self { pipe, _reader: reading }))
    }

    /// Takes all lines so far, including those that the process wrote just before it called the Runtime API or exited.
    pub(crate) fn take(&self) -> Vec<String> {
        let _empty = self.pipe.read();
        mem::take(&mut self.pipe.lines().whole)
    }
}

impl Pipe {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fewer than [`MOST_BYTES`] mean that the pipe is closed; an open pipe that is empty is an error.
    fn read(&self) -> io::Result<usize> {
        let mut lines = self.lines();
        let Lines { whole, rest } = &mut *lines;
        let before = rest.len();
        let read = (&self.reader).take(MOST_BYTES as u64).read_to_end(rest);
        let end = match read {
            // The last line may have no end.
            Ok(..MOST_BYTES) => rest.len(),
            _ => rest[before..].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| before + last + 1),
        };
        let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned();
        whole.extend(rest[..end].split_inclusive(|byte| *byte == b'\n').map(text));
        rest.drain(..end);
        read
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
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::time::timeout;

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

    /// A process closes its pipe just before it exits, so one thread reads the end of the pipe while another takes the lines. Here a second pipe
    /// simulates the process. About one attempt in ten thousand hits the race.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pipe_that_closes_while_its_lines_are_taken_does_not_block() {
        for attempt in 0..30_000 {
            let (mut writer, logs) = Logs::new().unwrap();
            let (reader, process) = io::pipe().unwrap();
            let mut over = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).unwrap();
            let taken = tokio::spawn(async move {
                over.read_to_end(&mut Vec::new()).await.unwrap();
                logs.take()
            });
            for _ in 0..10 {
                writer.write_all(b"last words\n").unwrap();
            }
            drop(writer);
            drop(process);
            let lines = timeout(Duration::from_secs(60), taken).await;
            assert_eq!(lines.unwrap_or_else(|_| panic!("attempt {attempt} hangs")).unwrap().len(), 10, "{attempt}");
        }
    }
}
