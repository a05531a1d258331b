//! How many instructions one batch takes, warm, counted by Valgrind: repeatable where time is not, so that CI compares it.
//!
//! ```sh
//! make instructions
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

#[path = "../support/batch.rs"]
mod batch;
#[path = "../handler/ours.rs"]
mod ours;
#[path = "../support/service.rs"]
mod service;

use std::env;
use std::fs;
use std::process::{Command, ExitCode};

use crate::batch::batch;
use crate::ours::Ours;

/// The clicks of a batch.
const RECORDS: usize = 10_000;

/// The mysfits that the clicks are on, and the instructions that were counted last. A change that makes it another number by more
/// than [`TOLERANCE_PERCENT`] says so here, and why in its commit.
const BATCHES: [(usize, u64); 2] = [(12, 45_320_000), (10_000, 48_810_000)];

/// A check of each record's UTF-8 more than needed is 3.6 %.
const TOLERANCE_PERCENT: u64 = 3;

/// The limit of the executable's size.
const EXECUTABLE_BYTES: u64 = 5_000_000;

/// How this executable is told to handle the batch, with Valgrind around it.
const COUNTED: &str = "counted";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [COUNTED, mysfits, batches] => {
            let mysfits = mysfits.parse().unwrap();
            let ours = Ours::new(mysfits);
            let event = batch(RECORDS, mysfits);
            for _ in 0..batches.parse().unwrap() {
                ours.run(&event);
            }
            ExitCode::SUCCESS
        }
        ["--bench", ..] if !is_small() => ExitCode::FAILURE,
        ["--bench", ..] if is_comparable() => {
            let same = BATCHES.map(|(mysfits, instructions)| compare(mysfits, instructions, count(mysfits)));
            if same == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// The numbers are of this architecture, and of the vector instructions that base64 is read and written with.
fn is_comparable() -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_comparable = is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let is_comparable = false;
    is_comparable
}

/// The instructions of a warm batch: what more batches take, by their number. So they need no symbols, and all that surrounds a
/// batch falls out. Hashes have random seeds, so a single batch takes up to 6 % more or less than the mean.
fn count(mysfits: usize) -> u64 {
    const BATCHES: u64 = 30;
    (collected(mysfits, 2 + BATCHES) - collected(mysfits, 2)) / BATCHES
}

/// Runs this executable under Valgrind, with so many batches. `callgrind_annotate` tells more of its profile, which stays beside
/// the build.
fn collected(mysfits: usize, batches: u64) -> u64 {
    let profile = format!("{}/callgrind.{mysfits}.{batches}.out", env!("CARGO_TARGET_TMPDIR"));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={profile}")])
        .arg(env::current_exe().unwrap())
        .args([COUNTED, &mysfits.to_string(), &batches.to_string()])
        .output()
        .unwrap_or_else(|error| panic!("valgrind can't be run ({error}): install it, or run `scripts/needs`"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).unwrap_or_else(|| panic!("{said}"));
    collected.1.trim().parse().unwrap()
}

/// Whether the number is about as expected.
fn compare(mysfits: usize, expected: u64, counted: u64) -> bool {
    let (records, a_record) = (RECORDS, counted / RECORDS as u64);
    println!(
        "{counted} instructions for {records} clicks on {mysfits} mysfits, {a_record} a record; expected: {expected}"
    );
    let same = counted.abs_diff(expected) * 100 <= expected * TOLERANCE_PERCENT;
    if !same {
        let file = file!();
        eprintln!("that differs by more than {TOLERANCE_PERCENT} %: if it is meant to, set it in {file} to {counted}");
    }
    same
}
