//! Clicks per second through `clicks up`: from `PutRecordBatch` to objects in a folder.
//!
//! The processes share this machine's cores, so each configuration has a ratio to a stream without a function in the same round.
//! The configurations alternate, so that a machine that slows down slows all of them. Criterion would repeat one of them until it
//! is finished.
//!
//! `make bench` sets the variable `PROCESSOR` to the executable that is measured; without it, it is the unoptimised one of `clicks up`.
//! With `cargo test`, it is one tiny round. The last line is JSON.

#![expect(clippy::unwrap_used, reason = "a benchmark fails as a test does")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use test_support::put_client::{BATCH, Client, request};
use test_support::up::{PROCESSOR, Up};

/// Connections that put: enough that one always waits for a response.
const CLIENTS: usize = 4;

/// The mysfits of the clicks, in turn.
const MYSFITS: [&str; 3] = [
    "4e53920c-505a-4a90-a694-b9300791f0ae",
    "2b473002-36f8-4b87-954e-9a377e0ccbec",
    "0e37d916-f960-4772-a25a-01b762b5c1bd",
];

/// The configurations and their options. The first is the baseline.
const CONFIGURATIONS: [(&str, &[&str]); 5] = [
    ("no function", &["--function", "none"]),
    ("no recent records", &["--function", "none", "--recent-records-mb", "0"]),
    ("processor", &[PROCESSOR]),
    ("processor, gzip", &[PROCESSOR, "--compression", "gzip"]),
    ("processor, state", &[PROCESSOR, "--state", "state"]),
];

struct Plan {
    rounds: usize,
    /// Batches before the measurement, during which the function starts and fetches the list.
    warm_up: usize,
    batches: usize,
}

fn main() {
    let has = |argument: &str| std::env::args().any(|given| given == argument);
    // nextest lists the tests of each executable so (nextest, "Custom test harnesses"). None is ignored.
    if has("--list") {
        if !has("--ignored") {
            println!("a_tiny_round: test");
        }
        return;
    }
    // `cargo bench` passes it, and `cargo test` does not.
    let smoke = !has("--bench");
    let plan = if smoke {
        Plan { rounds: 1, warm_up: 1, batches: 4 }
    } else {
        Plan { rounds: 5, warm_up: 100, batches: 1000 }
    };
    let requests: Vec<Vec<u8>> =
        (0..16).map(|batch| request((0..BATCH).map(|click| record(batch * BATCH + click)))).collect();

    // Builds the processor.
    drop(start(&[PROCESSOR]));
    let mut speeds = vec![Vec::new(); CONFIGURATIONS.len()];
    for round in 1..=plan.rounds {
        for ((name, options), speeds) in CONFIGURATIONS.iter().zip(&mut speeds) {
            let speed = speed(options, &requests, &plan);
            eprintln!("round {round}: {name}: {speed:.0} clicks/s");
            speeds.push(speed);
        }
    }
    report(&speeds, &plan);
}

/// A click with a line's end, which a stream without a function does not add.
fn record(number: usize) -> String {
    let click = json!({ "userId": format!("visitor-{number:04}"), "mysfitId": MYSFITS[number % MYSFITS.len()] });
    format!("{click}\n")
}

/// A pipeline whose processor is the executable in the variable `PROCESSOR`, if it is set.
fn start(options: &[&str]) -> Up {
    let measured = std::env::var("PROCESSOR").ok();
    let replaced = options.iter().flat_map(|option| match &measured {
        Some(executable) if *option == PROCESSOR => vec!["--function", executable],
        _ => vec![*option],
    });
    Up::start(&replaced.collect::<Vec<_>>())
}

/// Clicks per second through a new pipeline, from the first put to the last object.
fn speed(options: &[&str], requests: &[Vec<u8>], plan: &Plan) -> f64 {
    let up = start(options);
    put(&up, requests, plan.warm_up);
    let started = Instant::now();
    put(&up, requests, plan.batches);
    let elapsed = started.elapsed();
    let delivered = up.objects("firehose").lines().count();
    assert_eq!(delivered, (plan.warm_up + plan.batches) * BATCH, "{:#}", up.snapshot());
    per_second(plan, elapsed)
}

/// Puts batches, and waits until all records are stored.
fn put(up: &Up, requests: &[Vec<u8>], batches: usize) {
    let before = up.snapshot()["accepted"].as_u64().unwrap();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::open(up.firehose()).unwrap();
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= batches {
                        return;
                    }
                    // The backlog is never full.
                    assert_eq!(client.put(&requests[batch % requests.len()]).unwrap(), Ok(()));
                }
            });
        }
    });
    up.until_processed(before + (batches * BATCH) as u64);
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many clicks")]
fn per_second(plan: &Plan, elapsed: Duration) -> f64 {
    (plan.batches * BATCH) as f64 / elapsed.as_secs_f64()
}

/// The minimum, the median and the maximum.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

fn report(speeds: &[Vec<f64>], plan: &Plan) {
    println!("{} clicks per round, {} rounds; median (minimum to maximum)", plan.batches * BATCH, plan.rounds);
    println!("{:<18} {:>28} {:>22}", "configuration", "clicks/s", "ratio to baseline");
    let mut machine_readable = Map::new();
    for ((name, _), of_configuration) in CONFIGURATIONS.iter().zip(speeds) {
        let [least, middle, most] = spread(of_configuration.iter().copied());
        let ratios = of_configuration.iter().zip(&speeds[0]).map(|(speed, baseline)| speed / baseline);
        let [least_ratio, ratio, most_ratio] = spread(ratios);
        let speed = format!("{middle:.0} ({least:.0} to {most:.0})");
        println!("{name:<18} {speed:>28} {:>22}", format!("{ratio:.2} ({least_ratio:.2} to {most_ratio:.2})"));
        let result = json!({ "clicks_per_second": of_configuration, "median": middle, "ratio": ratio });
        machine_readable.insert((*name).to_owned(), result);
    }
    println!("{}", Value::from(machine_readable));
}
