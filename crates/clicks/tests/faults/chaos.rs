//! Everything at random, for a minute: half of it without what makes clicks come twice.

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

use crate::clicks::batch;
use crate::counts::{Counts, Found};
use crate::mysfits::Mysfits;
use crate::processes::{nothing_runs_in, signal_children};

/// The variables that say what happens, and for how long; without them it is something else each time, for a minute.
const SEED: &str = "FAULTS_SEED";
const SECONDS: &str = "FAULTS_SECONDS";

/// How many connections put, and how long each waits between batches.
const CLIENTS: usize = 2;
const PAUSE: Duration = Duration::from_millis(150);

/// What happens.
#[derive(Debug, Clone, Copy)]
enum Happening {
    FunctionsKilled,
    PipelineKilled,
    ServiceGone,
    ServiceHangs,
    ServiceThere,
    StorageGone,
    Storage(Gate),
}

use Happening::{FunctionsKilled, PipelineKilled, ServiceGone, ServiceHangs, ServiceThere, Storage, StorageGone};

/// A round of them, each as often as it is to happen; its order is random.
const ROUND: [Happening; 18] = [
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

/// What a round has besides where clicks may come twice. While a pipeline lives, it stores what it stores again by the same name.
const TWICE: [Happening; 2] = [PipelineKilled, PipelineKilled];

/// A source of random numbers, of which the output says how to have the same again.
pub(crate) fn random() -> Rng {
    let seed = env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect(SEED));
    println!("{SEED}={seed}");
    Rng::with_seed(seed)
}

/// Who puts, and where to.
struct Visitors {
    /// The address of the pipeline that lives, and how many lived before.
    pipeline: Mutex<(String, usize)>,
    /// Of each batch, by which of the pipelines it may have been accepted.
    batches: Mutex<Vec<Vec<usize>>>,
    /// Batches that nobody has acknowledged.
    again: Mutex<Vec<usize>>,
    /// They put nothing new any more.
    enough: AtomicBool,
    /// The test has failed: what they put is of no matter.
    failed: AtomicBool,
}

/// Lets the visitors go where the test fails: else it would wait for them, and they for a pipeline.
struct LetGo<'a>(&'a Visitors);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.failed.store(thread::panicking(), Ordering::SeqCst);
    }
}

impl Visitors {
    fn of(up: &Up) -> Self {
        Self {
            pipeline: Mutex::new((up.firehose().to_owned(), 0)),
            batches: Mutex::default(),
            again: Mutex::default(),
            enough: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Puts batch after batch; what is not acknowledged, because Firehose is gone, is put again.
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
            match connected.put(&batch(batch_put * BATCH)) {
                Ok(answer) => {
                    assert_eq!(answer, Ok(()), "batch {batch_put} into pipeline {pipeline}");
                    client = Some((connected, pipeline));
                }
                Err(_) => self.again.lock().unwrap().push(batch_put),
            }
        }
    }

    /// Which batch this pipeline gets.
    fn next(&self, pipeline: usize) -> Option<usize> {
        let again = self.again.lock().unwrap().pop();
        if again.is_none() && self.enough.load(Ordering::SeqCst) {
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

/// What fails.
struct World {
    mysfits: Mysfits,
    s3: S3,
    folder: tempfile::TempDir,
    functions_killed: usize,
    pipelines_killed: usize,
    storage_gone: usize,
    /// How many records pipelines found that had not come to their end under those before.
    left_behind: usize,
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
    fn happens(&mut self, what: Happening, up: &mut Up, visitors: &Visitors) {
        match what {
            FunctionsKilled => self.functions_killed += signal_children(up.process(), "-KILL"),
            PipelineKilled => {
                self.pipelines_killed += 1;
                up.signal("-KILL");
                up.end();
                nothing_runs_in(self.folder.path());
                *up = self.up();
                self.left_behind += usize::try_from(up.snapshot()["accepted"].as_u64().unwrap()).unwrap();
                *visitors.pipeline.lock().unwrap() = (up.firehose().to_owned(), self.pipelines_killed);
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

    /// How often each kind of fault met somebody: functions, pipelines, events, or objects.
    fn met(&self) -> [(&'static str, usize); 8] {
        let log = std::fs::read_to_string(self.folder.path().join("out/function.log")).unwrap_or_default();
        let events =
            |what: &str| log.lines().filter(|line| line.contains("\"answered\"") && line.contains(what)).count();
        [
            ("functions killed", self.functions_killed),
            ("events without a service", events("Connection refused")),
            ("events with a service that hangs", events("GET /mysfits did not answer")),
            ("times that the storage was gone", self.storage_gone),
            ("objects that hung", self.s3.met(Gate::Hangs)),
            ("objects refused", self.s3.met(Gate::Refuses)),
            ("objects taken without a word", self.s3.met(Gate::Forgets)),
            ("pipelines killed", self.pipelines_killed),
        ]
    }
}

/// What came of it.
struct Outcome {
    counts: Counts,
    /// How many batches were put again.
    again: usize,
    world: World,
}

/// Lets rounds of this happen for some time, and until each has met somebody; then all is well again, and is delivered.
fn chaos(name: &str, seconds: u64, round: &[Happening], kinds: usize) -> Outcome {
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
    let visitors = Visitors::of(&up);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| visitors.put());
        }
        let _let_go = LetGo(&visitors);
        let mut round = round.to_vec();
        let all_met = |world: &World| world.met()[..kinds].iter().all(|(_, times)| *times > 0);
        while start.elapsed() < Duration::from_secs(seconds) || !all_met(&world) && start.elapsed() < PATIENCE {
            random.shuffle(&mut round);
            for what in &round {
                thread::sleep(Duration::from_millis(random.u64(50..400)));
                world.happens(*what, &mut up, &visitors);
            }
        }
        for what in [ServiceThere, Storage(Gate::Open)] {
            world.happens(what, &mut up, &visitors);
        }
        visitors.enough.store(true, Ordering::SeqCst);
    });
    let ended = up.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for (nth, (kind, times)) in world.met().into_iter().enumerate() {
        println!("{kind}: {times}");
        assert_eq!(times > 0, nth < kinds, "{kind}: {times}");
    }

    let batches = visitors.batches.into_inner().unwrap();
    let found = Found::of(&world.s3.bucket(), &(0..batches.len() * BATCH));
    found.counts().tell(name);
    assert_eq!(found.others, Vec::<String>::new());
    // Each pipeline stores what it has once. It has what it accepted, and what one before it, which was killed, had accepted and
    // not noted as stored: so a click is there once for each pipeline since it was put; for each time that it was put.
    for (click, times) in found.times().enumerate() {
        let most: usize = batches[click / BATCH].iter().map(|pipeline| 1 + world.pipelines_killed - pipeline).sum();
        assert!((1..=most).contains(&times), "click {click} is there {times} times, of at most {most}");
    }
    // What is settled does not come again.
    assert_eq!(world.up().snapshot()["accepted"], 0);
    Outcome { counts: found.counts(), again: batches.iter().map(|put_by| put_by.len() - 1).sum(), world }
}

/// Each half has its own pipeline, service and storage.
fn half_of_it() -> u64 {
    env::var(SECONDS).map_or(60, |seconds| seconds.parse().expect(SECONDS)) / 2
}

#[test]
fn half_a_minute_of_everything_but_killed_pipelines_loses_and_doubles_nothing() {
    let seconds = half_of_it();
    let outcome = chaos(&format!("everything but killed pipelines at random for {seconds} s"), seconds, &ROUND, 7);
    let Counts { delivered, failed, .. } = outcome.counts;
    assert_eq!((outcome.counts, outcome.again), (Counts::split(delivered, failed), 0));
}

#[test]
fn half_a_minute_of_everything_loses_nothing() {
    let seconds = half_of_it();
    let round = [&ROUND[..], &TWICE].concat();
    let Outcome { counts, again, world } = chaos(&format!("everything at random for {seconds} s"), seconds, &round, 8);
    assert_eq!(counts.lost, 0);
    // All that comes twice was put twice, or found by a pipeline that came after.
    assert!(counts.doubled <= world.left_behind + again * BATCH, "{counts:?}, {} and {again}", world.left_behind);
}
