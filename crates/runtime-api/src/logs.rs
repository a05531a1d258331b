//! The log lines of a process, in order.
//!
//! Standard output and error share one pipe, so their lines keep their order, as in CloudWatch. The pipe is read continuously, so that a
//! function never blocks on a full pipe.

use std::future::poll_fn;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) struct Logs {
    lines: Arc<Mutex<Vec<String>>>,
    drain: mpsc::Sender<oneshot::Sender<()>>,
    reader: JoinHandle<()>,
}

impl Logs {
    /// A pipe: the writer for the process, and its lines.
    pub(crate) fn new() -> io::Result<(PipeWriter, Self)> {
        let (reader, writer) = io::pipe()?;
        let same_pipe = OwnedFd::from(reader.try_clone()?);
        let receiver = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (drain, drains) = mpsc::channel(1);
        let reader = read(receiver, same_pipe, Arc::clone(&lines), drains);
        Ok((writer, Self { lines, drain, reader: tokio::spawn(reader) }))
    }

    /// Takes all lines so far, including those that the process wrote just before it called the Runtime API or exited: the pipe is polled until
    /// it is empty.
    pub(crate) async fn take(&self) -> Vec<String> {
        let (done, drained) = oneshot::channel();
        if self.drain.send(done).await.is_ok() {
            tokio::select! {
                // An error means that the pipe has closed, so all of it was read.
                _ = drained => {}
                // A message sent while the receiver is dropped stays in the channel, without a response or an error.
                () = self.drain.closed() => {}
            }
        }
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Logs {
    /// A grandchild may keep the pipe open forever.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(
    pipe: pipe::Receiver,
    same_pipe: OwnedFd,
    lines: Arc<Mutex<Vec<String>>>,
    mut drains: mpsc::Receiver<oneshot::Sender<()>>,
) {
    let mut segments = BufReader::new(pipe).split(b'\n');
    let mut waiting: Option<oneshot::Sender<()>> = None;
    loop {
        let segment = tokio::select! {
            biased;
            segment = segments.next_segment() => segment,
            // Only when the pipe is empty. A pending read does not show that: tokio does not read before it knows that a pipe is readable.
            () = poll_fn(|_| if is_readable(&same_pipe) { Poll::Pending } else { Poll::Ready(()) }), if waiting.is_some() => {
                if let Some(done) = waiting.take() {
                    // The receiver may be gone.
                    let _gone = done.send(());
                }
                continue;
            }
            Some(done) = drains.recv(), if waiting.is_none() => {
                waiting = Some(done);
                continue;
            }
        };
        let Ok(Some(segment)) = segment else { return };
        let line = String::from_utf8_lossy(&segment).trim_end_matches('\r').to_owned();
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// Whether a pipe has bytes, or is closed.
fn is_readable(pipe: &OwnedFd) -> bool {
    let mut pipes = [PollFd::new(pipe, PollFlags::IN)];
    poll(&mut pipes, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|readable| readable > 0)
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
            assert_eq!(logs.take().await, taken, "{written:?}");
        }
        writer.write_all(b"last").unwrap();
        drop(writer);
        assert_eq!(logs.take().await, ["last"]);
        assert_eq!(logs.take().await, Vec::<String>::new());
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
                logs.take().await
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
