//! Fault runs: so many numbered clicks, while something is down, refuses, or is killed. Afterwards each is counted.
//!
//! All with the real processor. A click's number is its `userId`, so that it can be told from the delivered line and from the
//! original in the error output.

use std::cell::Cell;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mysfits_service::LocalService;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::load::{BATCH, Client, request};
use crate::up::{PROCESSOR, Up, objects};

/// How many clicks each run puts.
const CLICKS: usize = 100_000;

/// How often each run has its fault.
const FAULTS: usize = 4;

/// How many connections put at once.
const CLIENTS: usize = 4;

/// What is before and after a click's number.
const CLICK: [&str; 2] = [r#"{"userId":""#, r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#];

/// The same in a delivered line.
const LINE: [&str; 2] = [
    CLICK[0],
    r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae","goodevil":"Evil","lawchaos":"Lawful","species":"Chimera"}"#,
];

/// Puts clicks, several connections at once; all have to be accepted.
fn put(up: &Up, clicks: Range<usize>) {
    let next = AtomicUsize::new(clicks.start);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::open(up.firehose()).unwrap();
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= clicks.end {
                        return;
                    }
                    assert!(client.put(&batch(first)).unwrap(), "{}", up.stderr());
                }
            });
        }
    });
}

/// The request with the click of this number, and those after it.
fn batch(first: usize) -> Vec<u8> {
    let [start, end] = CLICK;
    request((first..first + BATCH).map(|number| format!("{start}{number}{end}")))
}

/// How often each click is in the storage.
struct Count {
    delivered: Vec<u32>,
    failed: Vec<u32>,
}

impl Count {
    fn of(bucket: &Path) -> Self {
        let mut count = Self { delivered: vec![0; CLICKS], failed: vec![0; CLICKS] };
        for line in objects(&bucket.join("firehose")).lines() {
            count.delivered[number(line, LINE)] += 1;
        }
        for line in objects(&bucket.join("errors")).lines() {
            let error: Value = serde_json::from_str(line).unwrap();
            let original = STANDARD.decode(error["rawData"].as_str().unwrap()).unwrap();
            count.failed[number(std::str::from_utf8(&original).unwrap(), CLICK)] += 1;
        }
        println!("{} delivered, {} in the error output", sum(&count.delivered), sum(&count.failed));
        count
    }

    /// The clicks, each by how often it is there.
    fn times(&self) -> impl Iterator<Item = u32> {
        self.delivered.iter().zip(&self.failed).map(|(delivered, failed)| delivered + failed)
    }

    #[track_caller]
    fn is_each_once(&self) {
        let wrong: Vec<_> = (0..).zip(self.times()).filter(|(_, times)| *times != 1).take(10).collect();
        assert_eq!(wrong, [], "(number, times)");
    }
}

fn sum(times: &[u32]) -> u32 {
    times.iter().sum()
}

/// The number in a text that is, byte by byte, what it should be.
#[track_caller]
fn number(text: &str, [start, end]: [&str; 2]) -> usize {
    let number = text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).expect(text);
    number.parse().unwrap()
}

/// Where nobody else listens, so that the port is still free when the service comes back; only Linux has it of itself.
const SERVICE: [u8; 4] = if cfg!(target_os = "linux") { [127, 0, 0, 2] } else { [127, 0, 0, 1] };

/// The service at one address, or what is there in its place.
struct Service {
    runtime: Runtime,
    address: SocketAddr,
    on: Option<LocalService>,
    /// Takes connections, and never answers.
    hanging: Option<TcpListener>,
}

impl Service {
    fn start() -> Self {
        let address = SocketAddr::from((SERVICE, 0));
        let mut service = Self { runtime: Runtime::new().unwrap(), address, on: None, hanging: None };
        service.switch_on();
        service
    }

    fn switch_on(&mut self) {
        self.hanging = None;
        let on = self.runtime.block_on(LocalService::start_with_latency(self.address, Duration::ZERO)).unwrap();
        self.address = on.address();
        self.on = Some(on);
    }

    fn switch_off(&mut self) {
        self.runtime.block_on(self.on.take().unwrap().stop());
    }

    fn hang(&mut self) {
        self.switch_off();
        self.hanging = Some(TcpListener::bind(self.address).unwrap());
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A pipeline's folder with a storage that can be taken away and be put back at once, whatever is being written: a link leads
/// to it, or to a file.
struct Storage(TempDir);

impl Storage {
    fn new() -> Self {
        let storage = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(storage.bucket()).unwrap();
        fs::create_dir(storage.0.path().join("disk")).unwrap();
        File::create(storage.0.path().join("no disk")).unwrap();
        storage.works(true);
        storage
    }

    fn works(&self, works: bool) {
        let link = self.0.path().join("link");
        symlink(self.0.path().join(if works { "disk" } else { "no disk" }), &link).unwrap();
        fs::rename(link, self.bucket().join("firehose")).unwrap();
    }

    fn bucket(&self) -> PathBuf {
        self.0.path().join("out/bucket")
    }
}

/// So that the functions ask the service for each event.
const NO_CACHE: [&str; 4] = ["--env", "MYSFITS_CACHE_SECONDS=0", "--env", "MYSFITS_STALE_SECONDS=0"];

/// The clicks in as many parts as there are faults, each in halves: one before the fault, and one in the middle of it.
fn parts() -> impl Iterator<Item = [Range<usize>; 2]> {
    let half = CLICKS / FAULTS / 2;
    (0..CLICKS).step_by(2 * half).map(move |first| [first..first + half, first + half..first + 2 * half])
}

#[test]
fn the_service_is_down_for_a_while() {
    let mut service = Service::start();
    let up = Up::start(&[&[PROCESSOR, "--service", &service.url()], &NO_CACHE[..]].concat());
    for [before, meanwhile] in parts() {
        put(&up, before);
        let failed = up.view()["failed"].as_u64();
        service.switch_off();
        put(&up, meanwhile);
        up.until(|view| view["failed"].as_u64() > failed);
        service.switch_on();
    }
    up.until_through(CLICKS as u64);
    Count::of(&up.folder().join("out/bucket")).is_each_once();
}

#[test]
fn functions_are_killed_in_the_middle_of_events() {
    let mut service = Service::start();
    let patient = ["--env", "MYSFITS_TIMEOUT_MS=60000", "--buffer-records", "1000"];
    let up = Up::start(&[&[PROCESSOR, "--service", &service.url()], &NO_CACHE[..], &patient].concat());
    let kills = Cell::new(0);
    for [before, meanwhile] in parts() {
        put(&up, before);
        // No event comes to its end but by being killed four times.
        service.hang();
        put(&up, meanwhile);
        let retries = up.view()["retries"].as_u64();
        up.until(|view| {
            kills.set(kills.get() + kill_children(up.process()));
            view["retries"].as_u64() > retries
        });
        service.switch_on();
    }
    up.until_through(CLICKS as u64);
    println!("{} kills, {} retries", kills.get(), up.view()["retries"]);
    Count::of(&up.folder().join("out/bucket")).is_each_once();
}

/// Kills those that there are; tells how many.
fn kill_children(process: u32) -> usize {
    let children = Command::new("pgrep").args(["-P", &process.to_string()]).output().unwrap().stdout;
    let children = String::from_utf8(children).unwrap();
    // One may be gone meanwhile.
    let killed = |child: &&str| Command::new("kill").args(["-KILL", child]).status().unwrap().success();
    children.lines().filter(killed).count()
}

#[test]
fn the_storage_refuses_for_a_while() {
    let storage = Storage::new();
    let mut up = Up::start_in(storage.0.path(), &[PROCESSOR]);
    for [before, meanwhile] in parts() {
        put(&up, before);
        storage.works(false);
        put(&up, meanwhile);
        up.until(|view| view["storage_error"].is_string());
        storage.works(true);
    }
    assert_eq!(up.stop().code, Some(0));
    Count::of(&storage.bucket()).is_each_once();
}

#[test]
fn the_pipeline_is_killed_again_and_again() {
    let storage = Storage::new();
    let start = || Up::start_in(storage.0.path(), &[PROCESSOR, "--state", "state"]);
    let batches = Mutex::new((0..CLICKS).step_by(BATCH).rev().collect());
    let mut left_behind = 0;
    for life in 0..2 * FAULTS {
        // Every other life ends with what the storage did not take.
        storage.works(life % 2 == 0);
        let mut up = start();
        left_behind += up.view()["accepted"].as_u64().unwrap();
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| put_while_it_lives(up.firehose(), &batches));
            }
            // At any moment.
            thread::sleep(Duration::from_millis(RandomState::new().build_hasher().finish() % 300));
            up.signal("-KILL");
        });
        up.end();
        nothing_runs_in(storage.0.path());
    }
    storage.works(true);
    let mut up = start();
    put_while_it_lives(up.firehose(), &batches);
    assert_eq!((batches.into_inner().unwrap(), up.stop().code), (vec![], Some(0)));

    let count = Count::of(&storage.bucket());
    let lost: Vec<usize> = (0..).zip(count.times()).filter(|(_, times)| *times == 0).map(|(lost, _)| lost).collect();
    assert!(lost.is_empty(), "{} are lost, the first of them {:?}", lost.len(), &lost[..lost.len().min(10)]);
    let more: u32 = count.times().map(|times| times - 1).sum();
    println!("{left_behind} were on disk when it started again; {more} were delivered again");
    assert!(left_behind > 0);

    // What is settled does not come again.
    assert_eq!(start().view()["accepted"], 0);
}

/// Puts batches until there is none, or Firehose is gone; what was not acknowledged is there for the next one.
fn put_while_it_lives(address: &str, batches: &Mutex<Vec<usize>>) {
    let Ok(mut client) = Client::open(address) else { return };
    loop {
        // Not locked while it is put.
        let first = batches.lock().unwrap().pop();
        let Some(first) = first else { return };
        match client.put(&batch(first)) {
            Ok(accepted) => assert!(accepted, "the batch from {first} on"),
            Err(_) => return batches.lock().unwrap().push(first),
        }
    }
}

/// What was killed leaves nothing behind that goes on.
#[track_caller]
fn nothing_runs_in(folder: &Path) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !processes_in(folder).is_empty() {
        assert!(Instant::now() < patience, "{:?}", processes_in(folder));
        thread::sleep(Duration::from_millis(10));
    }
}

/// By where they were started. Without `/proc`, there are none.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let folder = folder.canonicalize().unwrap();
    let processes = fs::read_dir("/proc").into_iter().flatten().map(|process| process.unwrap().path());
    processes.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)).collect()
}
