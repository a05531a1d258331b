//! Clicks per second through `clicks up` as it is released: from `PutRecordBatch` to objects in a folder.
//!
//! What is measured are processes that share this machine's cores, so each way is told as a ratio to the same clicks through a
//! stream without a function, in the same round; the ways take turns, so that a machine that slows down slows all of them.
//! That is also why there is no criterion: it would repeat one way until it is done with it, and a repetition is seconds here.
//!
//! `cargo bench -p clicks --bench pipeline`. With `cargo test`, it is one tiny round. The last line is JSON.

#![expect(clippy::unwrap_used, reason = "a benchmark fails as a test does")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use test_support::put_client::{BATCH, Client, request};
use test_support::up::{PROCESSOR, Up};

/// How many connections put at once: enough that one is always waited for.
const CLIENTS: usize = 4;

/// The mysfits that are clicked, in turn.
const MYSFITS: [&str; 3] = [
    "4e53920c-505a-4a90-a694-b9300791f0ae",
    "2b473002-36f8-4b87-954e-9a377e0ccbec",
    "0e37d916-f960-4772-a25a-01b762b5c1bd",
];

/// Each way that clicks take, and its options. The first is what the others are compared with.
const WAYS: [(&str, &[&str]); 4] = [
    ("no function", &["--function", "none"]),
    ("processor", &[PROCESSOR]),
    ("processor, gzip", &[PROCESSOR, "--compression", "gzip"]),
    ("processor, state", &[PROCESSOR, "--state", "state"]),
];

/// How much is done.
struct Plan {
    rounds: usize,
    /// Batches before it counts: the function starts, and asks the service.
    warm_up: usize,
    batches: usize,
}

fn main() {
    let told = |argument: &str| std::env::args().any(|told| told == argument);
    // As nextest asks each executable (nextest, "Custom test harnesses"). There is nothing that is ignored.
    if told("--list") {
        if !told("--ignored") {
            println!("a_tiny_round: test");
        }
        return;
    }
    // Which `cargo bench` says, and `cargo test` does not.
    let smoke = !told("--bench");
    let plan = if smoke {
        Plan { rounds: 1, warm_up: 1, batches: 4 }
    } else {
        Plan { rounds: 5, warm_up: 100, batches: 1000 }
    };
    let requests: Vec<Vec<u8>> =
        (0..16).map(|batch| request((0..BATCH).map(|click| record(batch * BATCH + click)))).collect();

    // Builds the processor.
    drop(Up::start(&[PROCESSOR]));
    let mut speeds = vec![Vec::new(); WAYS.len()];
    for round in 1..=plan.rounds {
        for ((way, options), speeds) in WAYS.iter().zip(&mut speeds) {
            let speed = speed(options, &requests, &plan);
            eprintln!("round {round}: {way}: {speed:.0} clicks/s");
            speeds.push(speed);
        }
    }
    report(&speeds, &plan);
}

/// With the line's end that a stream without a function leaves to whoever puts records.
fn record(number: usize) -> String {
    let click = json!({ "userId": format!("visitor-{number:04}"), "mysfitId": MYSFITS[number % MYSFITS.len()] });
    format!("{click}\n")
}

/// Clicks per second through a new pipeline, from the first that is put to the last that is stored.
fn speed(options: &[&str], requests: &[Vec<u8>], plan: &Plan) -> f64 {
    let up = Up::start(options);
    put(&up, requests, plan.warm_up);
    let started = Instant::now();
    put(&up, requests, plan.batches);
    let elapsed = started.elapsed();
    let delivered = up.objects("firehose").lines().count();
    assert_eq!(delivered, (plan.warm_up + plan.batches) * BATCH, "{:#}", up.snapshot());
    per_second(plan, elapsed)
}

/// Puts so many batches, and waits until all that was ever put is stored.
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
                    // All of them, so the backlog is never full.
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

/// The least, the middle, and the most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

fn report(speeds: &[Vec<f64>], plan: &Plan) {
    println!("{} clicks a round, {} rounds; the middle (the least to the most)", plan.batches * BATCH, plan.rounds);
    println!("{:<18} {:>28} {:>22}", "way", "clicks/s", "of the baseline");
    let mut machine_readable = Map::new();
    for ((way, _), of_way) in WAYS.iter().zip(speeds) {
        let [least, middle, most] = spread(of_way.iter().copied());
        let ratios = of_way.iter().zip(&speeds[0]).map(|(speed, baseline)| speed / baseline);
        let [least_ratio, ratio, most_ratio] = spread(ratios);
        let speed = format!("{middle:.0} ({least:.0} to {most:.0})");
        println!("{way:<18} {speed:>28} {:>22}", format!("{ratio:.2} ({least_ratio:.2} to {most_ratio:.2})"));
        let told = json!({ "clicks_per_second": of_way, "median": middle, "ratio": ratio });
        machine_readable.insert((*way).to_owned(), told);
    }
    println!("{}", Value::from(machine_readable));
}
