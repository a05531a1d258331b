//! Random faults of all kinds, with and without those that deliver clicks twice.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use test_support::PATIENCE;
use test_support::put_client::{BATCH, Client};
use test_support::s3::{Gate, S3};
use test_support::up::{PROCESSOR, Up};

use crate::clicks::Clicks;
use crate::counts::{Counts, Found};
use crate::mysfits::Mysfits;
use crate::processes::{nothing_runs_in, signal_children};

/// The variable of the seed: a number, or `random` for another one each time.
const SEED: &str = "FAULTS_SEED";
/// Without the variable, the faults are the same each time.
const DEFAULT_SEED: u64 = 15;

/// The variable of the faults' duration, in seconds: half of it for each test.
const SECONDS: &str = "FAULTS_SECONDS";
/// Enough for each kind of fault to occur.
const DEFAULT_SECONDS: u64 = 10;

/// The connections that put, and the pause of each between batches.
const CLIENTS: usize = 2;
const PAUSE: Duration = Duration::from_millis(150);

/// A change of one dependency.
#[derive(Debug, Clone, Copy)]
enum Change {
    FunctionsKilled,
    PipelineKilled,
    ServiceGone,
    ServiceHangs,
    ServiceThere,
    StorageGone,
    Storage(Gate),
}

use Change::{FunctionsKilled, PipelineKilled, ServiceGone, ServiceHangs, ServiceThere, Storage, StorageGone};

/// The changes of a round, in a random order.
const ROUND: [Change; 18] = [
    FunctionsKilled,
    FunctionsKilled,
    FunctionsKilled,
    FunctionsKilled,
    FunctionsKilled,
    FunctionsKilled,
    ServiceGone,
    ServiceHangs,
    ServiceThere,
    ServiceThere,
    ServiceThere,
    StorageGone,
    Storage(Gate::Hangs),
    Storage(Gate::Refuses),
    Storage(Gate::Forgets),
    Storage(Gate::Open),
    Storage(Gate::Open),
    Storage(Gate::Open),
];

/// The changes that may deliver clicks twice. A running pipeline retries an object with the same key.
const TWICE: [Change; 2] = [PipelineKilled, PipelineKilled];

/// Random numbers with a seed that is printed.
pub(crate) fn random() -> Rng {
    let seed = match env::var(SEED).as_deref() {
        Err(_) => DEFAULT_SEED,
        Ok("random") => fastrand::u64(..),
        Ok(seed) => seed.parse().expect(SEED),
    };
    println!("{SEED}={seed}");
    Rng::with_seed(seed)
}

/// The clients that put batches.
struct Producers {
    clicks: Clicks,
    /// The address of the running pipeline, and its index.
    pipeline: Mutex<(String, usize)>,
    /// The pipelines that may have accepted each batch.
    batches: Mutex<Vec<Vec<usize>>>,
    /// Batches without a response.
    again: Mutex<Vec<usize>>,
    /// No new batches are put.
    stopping: AtomicBool,
    /// The test has failed, so nothing more is put.
    failed: AtomicBool,
}

/// Stops the producers if the test fails: otherwise they would wait for a pipeline, and the test for them.
struct StopOnPanic<'a>(&'a Producers);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        self.0.failed.store(thread::panicking(), Ordering::SeqCst);
    }
}

impl Producers {
    fn of(clicks: Clicks, up: &Up) -> Self {
        Self {
            clicks,
            pipeline: Mutex::new((up.firehose().to_owned(), 0)),
            batches: Mutex::default(),
            again: Mutex::default(),
            stopping: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Puts one batch after the other. A batch without a response, because the pipeline was killed, is put again.
    fn put(&self) {
        let mut client = None;
        while !self.failed.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
            let open = client.take().or_else(|| {
                let (address, pipeline) = self.pipeline.lock().unwrap().clone();
                Some((Client::open(&address).ok()?, pipeline))
            });
            let Some((mut connected, pipeline)) = open else { continue };
            let Some(batch_put) = self.next(pipeline) else { return };
            match connected.put(&self.clicks.batch(batch_put * BATCH)) {
                Ok(response) => {
                    assert_eq!(response, Ok(()), "batch {batch_put} into pipeline {pipeline}");
                    client = Some((connected, pipeline));
                }
                Err(_) => self.again.lock().unwrap().push(batch_put),
            }
        }
    }

    /// The next batch for a pipeline.
    fn next(&self, pipeline: usize) -> Option<usize> {
        let again = self.again.lock().unwrap().pop();
        if again.is_none() && self.stopping.load(Ordering::SeqCst) {
            return None;
        }
        let mut batches = self.batches.lock().unwrap();
        let next = again.unwrap_or(batches.len());
        if again.is_none() {
            batches.push(Vec::new());
        }
        batches[next].push(pipeline);
        drop(batches);
        Some(next)
    }
}

/// The dependencies that fail.
struct World {
    mysfits: Mysfits,
    s3: S3,
    folder: tempfile::TempDir,
    functions_killed: usize,
    pipelines_killed: usize,
    storage_gone: usize,
    /// Records that pipelines found in the state of those before.
    left_behind: usize,
}

impl World {
    fn up(&self) -> Up {
        let url = self.mysfits.url();
        // Each event sends a request, with a short timeout.
        let mut options =
            vec![PROCESSOR, "--click-identity", "--service", &url, "--state", "state", "--buffer-records", "1000"];
        for variable in ["LOOKUP_CACHE_SECONDS=0", "LOOKUP_STALE_SECONDS=0", "LOOKUP_TIMEOUT_MS=300"] {
            options.extend(["--env", variable]);
        }
        options.extend(self.s3.options());
        Up::start_in(self.folder.path(), &options)
    }

    fn apply(&mut self, change: Change, up: &mut Up, producers: &Producers) {
        match change {
            FunctionsKilled => self.functions_killed += signal_children(up.process(), "-KILL"),
            PipelineKilled => {
                self.pipelines_killed += 1;
                up.signal("-KILL");
                up.end();
                nothing_runs_in(self.folder.path());
                *up = self.up();
                self.left_behind += usize::try_from(up.snapshot()["accepted"].as_u64().unwrap()).unwrap();
                *producers.pipeline.lock().unwrap() = (up.firehose().to_owned(), self.pipelines_killed);
            }
            ServiceGone => self.mysfits.switch_off(),
            ServiceHangs => self.mysfits.hang(),
            ServiceThere => self.mysfits.switch_on(),
            StorageGone => {
                self.storage_gone += 1;
                self.s3.switch_off();
            }
            Storage(gate) => {
                self.s3.switch_on();
                self.s3.gate.send_replace(gate);
            }
        }
    }

    /// How often each kind of fault had an effect.
    fn met(&self) -> [(&'static str, usize); 8] {
        let log = std::fs::read_to_string(self.folder.path().join("out/function.log")).unwrap_or_default();
        let events =
            |what: &str| log.lines().filter(|line| line.contains("\"succeeded\"") && line.contains(what)).count();
        [
            ("functions killed", self.functions_killed),
            ("events without a service", events("Connection refused")),
            ("events with a service that hangs", events("GET /mysfits did not respond")),
            ("times that the storage was gone", self.storage_gone),
            ("objects that hung", self.s3.met(Gate::Hangs)),
            ("objects refused", self.s3.met(Gate::Refuses)),
            ("objects stored without a response", self.s3.met(Gate::Forgets)),
            ("pipelines killed", self.pipelines_killed),
        ]
    }
}

struct Outcome {
    counts: Counts,
    /// Batches that were put again.
    again: usize,
    world: World,
}

/// Applies rounds of changes for some time, and until each kind had an effect. Then all dependencies work, and all is delivered.
fn chaos(name: &str, seconds: u64, round: &[Change], kinds: usize) -> Outcome {
    let mut random = random();
    let mut world = World {
        mysfits: Mysfits::start(),
        s3: S3::start(Gate::Open),
        folder: tempfile::tempdir().unwrap(),
        functions_killed: 0,
        pipelines_killed: 0,
        storage_gone: 0,
        left_behind: 0,
    };
    let mut up = world.up();
    let producers = Producers::of(Clicks::with_ids(&mut random), &up);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| producers.put());
        }
        let _stop_on_panic = StopOnPanic(&producers);
        let mut round = round.to_vec();
        let all_met = |world: &World| world.met()[..kinds].iter().all(|(_, times)| *times > 0);
        while start.elapsed() < Duration::from_secs(seconds) || !all_met(&world) && start.elapsed() < PATIENCE {
            random.shuffle(&mut round);
            for change in &round {
                thread::sleep(Duration::from_millis(random.u64(50..400)));
                world.apply(*change, &mut up, &producers);
            }
        }
        for change in [ServiceThere, Storage(Gate::Open)] {
            world.apply(change, &mut up, &producers);
        }
        producers.stopping.store(true, Ordering::SeqCst);
    });
    let end = up.stop();
    assert_eq!(end.code, Some(0), "{}", end.stderr);
    for (nth, (kind, times)) in world.met().into_iter().enumerate() {
        println!("{kind}: {times}");
        assert_eq!(times > 0, nth < kinds, "{kind}: {times}");
    }

    let batches = producers.batches.into_inner().unwrap();
    let found = Found::of(&world.s3.bucket(), &producers.clicks, &(0..batches.len() * BATCH));
    found.counts().print(name);
    assert_eq!((&found.others, found.outside), (&Vec::new(), 0), "records that were not put");
    // Each pipeline stores a record once: those that it accepted, and those in the state of a killed one. So a click is stored at
    // most once for each pipeline since it was put, for each time that it was put.
    for (click, times) in found.times().enumerate() {
        let most: usize = batches[click / BATCH].iter().map(|pipeline| 1 + world.pipelines_killed - pipeline).sum();
        assert!((1..=most).contains(&times), "click {click} is stored {times} times, of at most {most}");
    }
    // The state has no more records.
    assert_eq!(world.up().snapshot()["accepted"], 0);
    Outcome { counts: found.counts(), again: batches.iter().map(|put_by| put_by.len() - 1).sum(), world }
}

/// The duration of the faults in each of the two tests.
fn seconds_of_test() -> u64 {
    env::var(SECONDS).map_or(DEFAULT_SECONDS, |seconds| seconds.parse().expect(SECONDS)) / 2
}

#[test]
fn random_faults_but_killed_pipelines_lose_and_double_nothing() {
    let seconds = seconds_of_test();
    let outcome = chaos(&format!("random faults but killed pipelines for {seconds} s"), seconds, &ROUND, 7);
    let Counts { delivered, failed, .. } = outcome.counts;
    assert_eq!((outcome.counts, outcome.again), (Counts::split(delivered, failed), 0));
}

#[test]
fn random_faults_lose_nothing() {
    let seconds = seconds_of_test();
    let round = [&ROUND[..], &TWICE].concat();
    let Outcome { counts, again, world } = chaos(&format!("random faults for {seconds} s"), seconds, &round, 8);
    // Every batch got a response in the end, so each of its ids is delivered or failed; repeats are allowed.
    let Counts { delivered, failed, doubled, .. } = counts;
    assert_eq!(counts, Counts { doubled, ..Counts::split(delivered, failed) });
    // Every click that is stored twice was put twice, or was in the state of a killed pipeline.
    assert!(doubled <= world.left_behind + again * BATCH, "{counts:?}, {} and {again}", world.left_behind);
}
