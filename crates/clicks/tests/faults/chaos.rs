//! Everything at random, for a minute.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::clicks::{batch, put_while_it_lives};
use crate::counts::{Counts, Found};
use crate::load::{BATCH, Client};
use crate::mysfits::Mysfits;
use crate::processes::{nothing_runs_in, signal_children};
use crate::s3::{Gate, S3};
use crate::up::{PROCESSOR, Up};

/// The variables that say what happens, and for how long; without them it is something else each time, for a minute.
const SEED: &str = "FAULTS_SEED";
const SECONDS: &str = "FAULTS_SECONDS";

/// How many connections put, and how long each waits between batches.
const CLIENTS: usize = 2;
const PAUSE: Duration = Duration::from_millis(150);

/// A source of random numbers, of which the output says how to have the same again.
pub(crate) fn random() -> Rng {
    let seed = env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect(SEED));
    println!("{SEED}={seed}");
    Rng::with_seed(seed)
}

/// Who puts, and where to.
struct Visitors {
    address: Mutex<String>,
    next: AtomicUsize,
    /// Batches that nobody has acknowledged.
    again: Mutex<Vec<usize>>,
    gone: AtomicBool,
}

impl Visitors {
    /// Puts batch after batch; what is not acknowledged, because Firehose is gone, is put again.
    fn put(&self) {
        let mut client = None;
        while !self.gone.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
            let open = client.take().or_else(|| Client::open(&self.address.lock().unwrap().clone()).ok());
            let Some(mut connected) = open else { continue };
            let again = self.again.lock().unwrap().pop();
            let first = again.unwrap_or_else(|| self.next.fetch_add(BATCH, Ordering::SeqCst));
            match connected.put(&batch(first)) {
                Ok(accepted) => {
                    assert!(accepted, "the batch from {first} on");
                    client = Some(connected);
                }
                Err(_) => self.again.lock().unwrap().push(first),
            }
        }
    }
}

/// What fails.
struct World {
    random: Rng,
    mysfits: Mysfits,
    s3: S3,
    folder: tempfile::TempDir,
    /// How often each has happened.
    functions_killed: usize,
    pipelines_killed: usize,
    service: usize,
    storage: usize,
}

impl World {
    fn up(&self) -> Up {
        let url = self.mysfits.url();
        // Each event asks, and none for long.
        let mut options = vec![PROCESSOR, "--service", &url, "--state", "state", "--buffer-records", "1000"];
        for variable in ["MYSFITS_CACHE_SECONDS=0", "MYSFITS_STALE_SECONDS=0", "MYSFITS_TIMEOUT_MS=300"] {
            options.extend(["--env", variable]);
        }
        options.extend(self.s3.options());
        Up::start_in(self.folder.path(), &options)
    }

    /// One thing fails, or comes back.
    fn happens(&mut self, up: &mut Up, visitors: &Visitors) {
        match self.random.u8(0..10) {
            0..=3 => self.functions_killed += signal_children(up.process(), "-KILL"),
            4..=6 => {
                self.service += 1;
                match self.random.u8(0..4) {
                    0 => self.mysfits.switch_off(),
                    1 => self.mysfits.hang(),
                    _ => self.mysfits.switch_on(),
                }
            }
            7..=8 => {
                self.storage += 1;
                let gates = [Gate::Open, Gate::Open, Gate::Refuses, Gate::Forgets];
                self.s3.gate.send_replace(gates[self.random.usize(..gates.len())]);
            }
            _ => {
                self.pipelines_killed += 1;
                up.signal("-KILL");
                up.end();
                nothing_runs_in(self.folder.path());
                *up = self.up();
                up.firehose().clone_into(&mut visitors.address.lock().unwrap());
            }
        }
    }
}

#[test]
fn a_minute_of_everything_loses_nothing() {
    let seconds = env::var(SECONDS).map_or(60, |seconds| seconds.parse().expect(SECONDS));
    let mut world = World {
        random: random(),
        mysfits: Mysfits::start(),
        s3: S3::start(Gate::Open),
        folder: tempfile::tempdir().unwrap(),
        functions_killed: 0,
        pipelines_killed: 0,
        service: 0,
        storage: 0,
    };
    let mut up = world.up();
    let visitors = Visitors {
        address: Mutex::new(up.firehose().to_owned()),
        next: AtomicUsize::new(0),
        again: Mutex::new(Vec::new()),
        gone: AtomicBool::new(false),
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| visitors.put());
        }
        while Instant::now() < end {
            thread::sleep(Duration::from_millis(world.random.u64(50..500)));
            world.happens(&mut up, &visitors);
        }
        visitors.gone.store(true, Ordering::SeqCst);
    });

    // Everything is back.
    world.mysfits.switch_on();
    world.s3.gate.send_replace(Gate::Open);
    put_while_it_lives(up.firehose(), &visitors.again);
    let left = visitors.again.into_inner().unwrap();
    let ended = up.stop();
    assert_eq!((left, ended.code), (vec![], Some(0)), "{}", ended.stderr);

    let World { functions_killed, pipelines_killed, service, storage, .. } = world;
    println!(
        "killed: {functions_killed} functions, {pipelines_killed} pipelines; the service changed {service} times, the storage {storage} times"
    );
    let clicks = visitors.next.into_inner();
    let counts = Found::of(&world.s3.bucket(), &(0..clicks)).counts();
    counts.tell(&format!("everything at random for {seconds} s"));
    // A click may come again after the pipeline was killed, and then fail where it was delivered before, and only then.
    let Counts { put, delivered, failed, lost, doubled } = counts;
    assert_eq!((put, lost), (clicks, 0));
    assert!(delivered + failed >= put && (pipelines_killed > 0 || doubled == 0), "{counts:?}");
    // What is settled does not come again.
    assert_eq!(world.up().view()["accepted"], 0);
}
