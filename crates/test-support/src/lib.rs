#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a helper that can't go on fails its test"
)]

#[cfg(feature = "mysfits")]
pub mod certificates;
pub mod damage;
#[cfg(feature = "clicks")]
pub mod exit;
#[cfg(feature = "clicks")]
pub mod files;
#[cfg(feature = "clicks")]
pub mod http;
#[cfg(feature = "mysfits")]
pub mod mysfits_service;
#[cfg(feature = "clicks")]
pub mod put_client;
#[cfg(feature = "clicks")]
pub mod replay;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "clicks")]
pub mod terminal;
#[cfg(feature = "clicks")]
pub mod up;

use std::ffi::OsStr;
use std::fmt::Debug;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine. A test that waits for a condition waits so long before it fails.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits for a condition.
#[track_caller]
pub fn until(mut condition: impl FnMut() -> bool) {
    until_or(&mut condition, String::new);
}

/// Waits for a condition; after [`PATIENCE`] it fails with what `report` says.
#[track_caller]
pub fn until_or(mut condition: impl FnMut() -> bool, report: impl FnOnce() -> String) {
    let patience = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < patience, "the condition did not come true: {}", report());
        sleep(PAUSE);
    }
}

/// Tries until it works.
#[track_caller]
pub fn patiently<T, E: Debug>(mut attempt: impl FnMut() -> Result<T, E>) -> T {
    let patience = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < patience, "{error:?}"),
        }
        sleep(PAUSE);
    }
}

/// A loopback address for one server. At `127.0.0.1` a port that a server gives up is soon another one's, and a client of the
/// first gets the answers of the second. At an address of its own the port stays free until the server takes it again.
///
/// Linux serves all of `127.0.0.0/8`. Elsewhere only `127.0.0.1` is there by itself.
#[must_use]
pub fn own_address() -> Ipv4Addr {
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    // Tests in other processes choose at random, too. Two with the same address disturb each other only if their ports, out of
    // 28,000, are the same as well. Not from 127.0.0.0/16, where others listen, nor the broadcast address.
    Ipv4Addr::from_bits(fastrand::u32(0x7f01_0000..0x7fff_0000))
}

/// A command whose process gets the signals that a test sends. A process inherits from its caller which signals it ignores:
/// under `nohup` that is SIGHUP, and in the background of a script SIGINT.
///
/// The process is the program's own: `env` executes it in its place (GNU coreutils 8.31).
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    if !cfg!(target_os = "linux") {
        return Command::new(program);
    }
    let mut command = Command::new("/usr/bin/env");
    command.arg("--default-signal=HUP,INT,TERM").arg(program);
    command
}

/// The path of an executable of the package whose test or benchmark runs.
///
/// Cargo and nextest set the variable at run time. A test that is started by hand needs it, too.
#[must_use]
pub fn executable(name: &str) -> String {
    let variable = format!("CARGO_BIN_EXE_{name}");
    std::env::var(&variable).unwrap_or_else(|error| panic!("{variable}: {error}; run the test with cargo or nextest"))
}

/// The function that tests run instead of the processor.
#[must_use]
pub fn stand_in() -> String {
    executable("stand-in-function")
}

/// `clicks` without configuration in its environment.
#[must_use]
pub fn clicks_command() -> Command {
    const CONFIGURATION: [&str; 9] = [
        "LOOKUP_",
        "MYSFITS_",
        "ON_",
        "EVENT_FIELDS",
        "REQUIRED_FIELDS",
        "RECORD_FIELDS",
        "PARTITION_KEYS",
        "SSL_CERT_FILE",
        "AWS_",
    ];
    let mut command = command(executable("clicks"));
    for (name, _) in std::env::vars_os() {
        if CONFIGURATION.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    let cargo = builds_functions(&mut command);
    command.env("CARGO", cargo);
    command
}

/// Prepares a command that builds functions by cargo; returns the program that it has to use as cargo.
pub fn builds_functions(command: &mut Command) -> &'static str {
    command.env("TEST_CARGO", std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    concat!(env!("CARGO_MANIFEST_DIR"), "/bin/cargo")
}

/// The same command, whose process gets an error where it exceeds a limit of files, not a signal that kills it before.
#[must_use]
pub fn without_file_signal(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell.stdin(Stdio::null()).stdout(Stdio::piped());
    shell
}

/// Limits the size of each file that a process writes, as a full disk does.
#[track_caller]
pub fn limit_files(process: u32, bytes: Option<u64>) {
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    limit_process(process, &format!("--fsize={limit}:"));
}

#[track_caller]
fn limit_process(process: u32, limit: &str) {
    let status = Command::new("prlimit").args(["--pid", &process.to_string(), limit]).status().expect("prlimit runs");
    assert!(status.success(), "prlimit {limit}: {status}");
}

/// Sends a signal, such as `-TERM`, to a process.
#[track_caller]
pub fn signal(signal: &str, process: u32) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status().expect("kill runs");
    assert!(status.success(), "kill {signal} {process}: {status}");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::TcpListener;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_signal_that_the_caller_ignores_reaches_the_process() {
        for (name, number) in [("HUP", 1), ("INT", 2), ("TERM", 15)] {
            let kills_itself = format!("kill -{name} $$; exit 7");
            let mut process = command("sh");
            process.args(["-c", &kills_itself]);
            let mut caller = Command::new("sh");
            caller.args(["-c", "trap '' HUP INT TERM; exec \"$0\" \"$@\""]);
            let status = caller.arg(process.get_program()).args(process.get_args()).status().unwrap();
            assert_eq!(status.signal(), Some(number), "{name}: {status}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn servers_have_addresses_of_their_own() {
        let listeners: Vec<TcpListener> = (0..50).map(|_| TcpListener::bind((own_address(), 0)).unwrap()).collect();
        let addresses: HashSet<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().ip()).collect();
        assert!(addresses.len() > 45 && addresses.iter().all(std::net::IpAddr::is_loopback), "{addresses:?}");
        // A port that its owner closes stays free for the owner, and no other server responds there.
        let first = listeners[0].local_addr().unwrap();
        drop(listeners);
        let others: Vec<TcpListener> = (0..50).map(|_| TcpListener::bind((own_address(), 0)).unwrap()).collect();
        assert!(std::net::TcpStream::connect(first).is_err(), "{others:?}");
        TcpListener::bind(first).unwrap();
    }
}
