//! The memory of `clicks up` with 50 streams and 5,000 records a second, of which some fail, with and without recent records.
//!
//! With `cargo test`, it is 40,000 records as fast as they are accepted. Both fail where the recent records take more than their limit
//! allows. The last line is JSON.

#![expect(clippy::unwrap_used, reason = "a benchmark fails as a test does")]

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_support::http::Connection;
use test_support::up::Up;

const STREAMS: usize = 50;
const BATCH: usize = 100;
const RECENT_RECORDS_MB: u64 = 32;
/// What the allocator keeps besides what is used.
const TOLERANCE_MB: u64 = RECENT_RECORDS_MB / 2;

struct Plan {
    batches: usize,
    /// Of two batches of a stream.
    period: Duration,
}

fn main() {
    let has = |argument: &str| std::env::args().any(|given| given == argument);
    // nextest lists the tests of each executable so (nextest, "Custom test harnesses"). None is ignored.
    if has("--list") {
        if !has("--ignored") {
            println!("a_short_run: test");
        }
        return;
    }
    // `cargo bench` passes it, and `cargo test` does not.
    let plan = if has("--bench") {
        Plan { batches: 120, period: Duration::from_secs(1) }
    } else {
        Plan { batches: 8, period: Duration::ZERO }
    };
    let (without, _) = run(&plan, 0);
    let (with, kept_bytes) = run(&plan, RECENT_RECORDS_MB);
    let records = plan.batches * BATCH * STREAMS;
    println!(
        "{records} records, {STREAMS} streams: peak {with} MB with {RECENT_RECORDS_MB} MB of recent records, {without} MB without"
    );
    let limit_bytes = RECENT_RECORDS_MB * 1024 * 1024;
    assert!(kept_bytes <= limit_bytes && kept_bytes > limit_bytes / 8, "{kept_bytes} bytes are kept");
    assert!(with <= without + RECENT_RECORDS_MB + TOLERANCE_MB, "{with} MB with, {without} MB without recent records");
    println!(
        "{}",
        json!({ "records": records, "peak_mb": with, "peak_mb_without": without, "kept_bytes": kept_bytes })
    );
}

/// The peak memory in MB, and the bytes of recent records.
fn run(plan: &Plan, recent_records_mb: u64) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = String::new();
    for stream in 0..STREAMS {
        writeln!(config, "[streams.s{stream}]").unwrap();
    }
    fs::write(folder.path().join("up.toml"), config).unwrap();
    let megabytes = recent_records_mb.to_string();
    let up = Up::start_in(
        folder.path(),
        &["--config", "up.toml", "--click-stream", "s0", "--retries", "3", "--recent-records-mb", &megabytes],
    );
    let started = Instant::now();
    for batch in 0..plan.batches {
        for stream in 0..STREAMS {
            // A tenth of the records fail, and a tenth of the batches by an exception, with each attempt.
            let record = |number: usize| {
                let action = match number % BATCH {
                    0 if batch % 10 == 9 => "error",
                    1..=9 => "fail",
                    _ => "",
                };
                let value = (stream * number) % 500;
                json!({ "do": action, "mysfitId": value, "species": value.to_string(), "text": "x".repeat(100) })
                    .to_string()
            };
            let records: Vec<String> = (batch * BATCH..(batch + 1) * BATCH).map(record).collect();
            up.put_into(&format!("s{stream}"), &records);
        }
        let next = started + plan.period * u32::try_from(batch + 1).unwrap();
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let kept = |stream: usize| {
        let path = format!("/pipeline/records?stream=s{stream}&limit=1");
        let page: Value = Connection::open(up.page()).get(&path, "localhost").json();
        page["kept_bytes"].as_u64().unwrap()
    };
    let kept_bytes = (0..STREAMS).map(kept).sum();
    (peak_mb(up.process()), kept_bytes)
}

fn peak_mb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}
