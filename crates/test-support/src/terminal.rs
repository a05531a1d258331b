//! A process on a pseudo-terminal, and what its user sees.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::{signal, until_or};

/// A process whose standard output and error are a terminal. It is killed when this is dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Terminal {
    /// Starts a command on a terminal of this width, with colours unless the command sets `NO_COLOR`.
    #[must_use]
    pub fn start(mut command: Command, columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(&controller, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let no_controlling = OFlags::NOCTTY.bits().cast_signed();
        let terminal = File::options().read(true).write(true).custom_flags(no_controlling).open(path).unwrap();
        let sets = |name: &str| command.get_envs().any(|(set, _)| set == name);
        if !sets("NO_COLOR") {
            command.env("TERM", "xterm").env_remove("NO_COLOR");
        }
        command.stdout(terminal.try_clone().unwrap()).stderr(terminal);
        let child = command.spawn().unwrap();
        // The command keeps open files of the terminal, without which the reader ends.
        drop(command);
        let written = Arc::default();
        let reader = Some(read(controller, Arc::clone(&written)));
        Self { child, written, reader }
    }

    /// What was written, with control characters.
    #[must_use]
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// The lines that a user sees, and has seen: see [`screen`].
    #[must_use]
    pub fn screen(&self) -> Vec<String> {
        screen(&self.written())
    }

    /// Waits until a line of the screen meets a condition.
    #[track_caller]
    pub fn until_line(&self, condition: impl Fn(&str) -> bool) {
        until_or(|| self.screen().iter().any(|line| condition(line)), || self.written());
    }

    /// Sends a signal, such as `-INT`.
    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits until the process exits.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until_or(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            String::new,
        );
        // All that it wrote.
        self.reader.take().map(thread::JoinHandle::join).transpose().unwrap();
        status.unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn read(controller: OwnedFd, written: Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let (mut controller, mut buffer) = (File::from(controller), [0; 4096]);
        // Without a process, Linux has an error (EIO), and others the end.
        while let Ok(count @ 1..) = controller.read(&mut buffer) {
            written.lock().unwrap().extend_from_slice(&buffer[..count]);
        }
    })
}

/// The lines of a terminal that scrolls for ever. Of the control sequences (ECMA-48), those that move the cursor up, or erase a line, have
/// their effect, and all others have none.
#[must_use]
pub fn screen(written: &str) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut characters = written.chars();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\u{1b}' => {
                let mut number = String::new();
                let end = characters.by_ref().skip_while(|next| *next == '[').find(|next| {
                    number.extend(next.is_ascii_digit().then_some(next));
                    next.is_ascii_alphabetic()
                });
                match (end, number.as_str()) {
                    (Some('K'), "2") => lines[row].clear(),
                    (Some('K'), _) => lines[row].truncate(column),
                    (Some('A'), up) => row -= up.parse().unwrap_or(1).min(row),
                    _ => {}
                }
            }
            _ => {
                let line = &mut lines[row];
                if line.len() <= column {
                    line.resize(column + 1, ' ');
                }
                line[column] = character;
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect::<String>().trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_has_what_is_not_erased() {
        for (written, expected) in [
            ("a\r\nb", &["a", "b"][..]),
            ("10 left\r\u{1b}[2K9 left\r\n", &["9 left", ""]),
            ("status\r\u{1b}[2Kline\r\nstatus", &["line", "status"]),
            ("one\r\ntwo\u{1b}[1A\r\u{1b}[2K", &["", "two"]),
            ("\u{1b}[1m\u{1b}[31merror:\u{1b}[0m x", &["error: x"]),
            ("long\rlo\u{1b}[K", &["lo"]),
        ] {
            assert_eq!(screen(written), expected, "{written:?}");
        }
    }
}
