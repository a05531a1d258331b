//! Counts the instructions of a warm batch with Valgrind. The count is repeatable, unlike time, so CI compares it.
//!
//! ```sh
//! make instructions
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use bench_support::{ClickFormat, WarmProcessor, batch_of};

/// The clicks of a batch.
const RECORDS: usize = 10_000;

/// The format of the clicks, the number of mysfits, and the expected instructions. A change that exceeds [`TOLERANCE_PERCENT`] updates them,
/// and explains why in its commit.
const BATCHES: [(ClickFormat, usize, u64); 4] = [
    (ClickFormat::Compact, 12, 35_160_000),
    (ClickFormat::Compact, 10_000, 37_340_000),
    (ClickFormat::Spaced, 12, 33_900_000),
    (ClickFormat::Kept, 12, 46_340_000),
];

/// For comparison: one redundant UTF-8 check of each record is 4 %.
const TOLERANCE_PERCENT: u64 = 3;

/// The limit of the executable's size.
const EXECUTABLE_BYTES: u64 = 5_000_000;

/// The argument with which this executable runs itself under Valgrind.
const COUNTED: &str = "counted";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [COUNTED, format, mysfits, batches] => {
            let mysfits = mysfits.parse().unwrap();
            let format = ClickFormat::ALL.into_iter().find(|known| known.name() == format).unwrap();
            let processor = WarmProcessor::new(format, mysfits);
            let event = batch_of(format, RECORDS, mysfits);
            for _ in 0..batches.parse().unwrap() {
                let _response = processor.run(&event);
            }
            ExitCode::SUCCESS
        }
        ["--bench", ..] if !is_small() => ExitCode::FAILURE,
        ["--bench", ..] if is_comparable() => {
            let same =
                BATCHES.map(|(format, mysfits, expected)| compare(format, mysfits, expected, count(format, mysfits)));
            if same == [true; BATCHES.len()] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        _ => {
            println!("instructions: not counted; they are compared by `make instructions` on x86-64 with AVX2");
            ExitCode::SUCCESS
        }
    }
}

/// The benchmarks' profile is that of deployments, so the executable is the one that a cold start reads.
fn is_small() -> bool {
    let bytes = fs::metadata(env!("CARGO_BIN_EXE_click-processor")).unwrap().len();
    println!("executable: {bytes} bytes; accepted: below {EXECUTABLE_BYTES}");
    bytes < EXECUTABLE_BYTES
}

/// The expected numbers are for x86-64, and for base64 with AVX2.
fn is_comparable() -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_comparable = is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let is_comparable = false;
    is_comparable
}

/// The instructions of a warm batch: the difference between two runs, divided by their difference in batches. This excludes everything
/// around a batch. Hashes have random seeds, so a single batch takes up to 6 % more or less than the mean.
fn count(format: ClickFormat, mysfits: usize) -> u64 {
    const BATCHES: u64 = 30;
    (collected(format, mysfits, 2 + BATCHES) - collected(format, mysfits, 2)) / BATCHES
}

/// Runs this executable under Valgrind with `batches` batches. Its profile stays in the target folder, for `callgrind_annotate`.
fn collected(format: ClickFormat, mysfits: usize, batches: u64) -> u64 {
    let profile = format!("{}/callgrind.{}.{mysfits}.{batches}.out", env!("CARGO_TARGET_TMPDIR"), format.name());
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={profile}")])
        .arg(env::current_exe().unwrap())
        .args([COUNTED, format.name(), &mysfits.to_string(), &batches.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind can't be run ({error}): install it, or run `scripts/needs`"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let collected =
        stderr.lines().find_map(|line| line.split_once("Collected :")).unwrap_or_else(|| panic!("{stderr}"));
    collected.1.trim().parse().unwrap()
}

/// Whether the count is within the tolerance.
fn compare(format: ClickFormat, mysfits: usize, expected: u64, counted: u64) -> bool {
    let (records, a_record) = (RECORDS, counted / RECORDS as u64);
    println!(
        "{counted} instructions for {records} clicks ({}) on {mysfits} mysfits, {a_record} a record; expected: {expected}",
        format.name()
    );
    let same = counted.abs_diff(expected) * 100 <= expected * TOLERANCE_PERCENT;
    if !same {
        let file = file!();
        eprintln!(
            "instructions: found {counted}, which differs by more than {TOLERANCE_PERCENT} %; if this is intended, update {file}"
        );
    }
    same
}
