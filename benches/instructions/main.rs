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
use std::process::{Command, ExitCode};

use crate::batch::batch;
use crate::ours::Ours;

/// The clicks of the batch, and the mysfits that they are on.
const RECORDS: usize = 10_000;
const MYSFITS: usize = 12;

/// What was counted last. A change that makes it another number by more than [`TOLERANCE_PERCENT`] says so here, and why in its
/// commit.
const INSTRUCTIONS: u64 = 45_120_000;

const TOLERANCE_PERCENT: u64 = 5;

/// How this executable is told to handle the batch, with Valgrind around it.
const COUNTED: &str = "counted";

/// The only function whose instructions count, as Valgrind knows it.
const FUNCTION: &str = "*instructions::counted*";

fn main() -> ExitCode {
    let argument = env::args().nth(1);
    match argument.as_deref() {
        Some(COUNTED) => {
            let ours = Ours::new(MYSFITS);
            let event = batch(RECORDS, MYSFITS);
            ours.run(&event);
            counted(&ours, &event);
            ExitCode::SUCCESS
        }
        // The number is of this architecture, and of the vector instructions that base64 is read and written with.
        #[cfg(target_arch = "x86_64")]
        Some("--bench") if is_x86_feature_detected!("avx2") => compare(count()),
        _ => {
            println!("instructions: not counted; they are compared by `cargo bench` on x86-64 with AVX2");
            ExitCode::SUCCESS
        }
    }
}

#[inline(never)]
fn counted(ours: &Ours, event: &str) {
    drop(ours.run(event));
}

/// Runs this executable under Valgrind. Its profile stays beside the build, for `callgrind_annotate`.
fn count() -> u64 {
    let profile = concat!(env!("CARGO_TARGET_TMPDIR"), "/callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect={FUNCTION}"), &format!("--callgrind-out-file={profile}")])
        .arg(env::current_exe().unwrap())
        .arg(COUNTED)
        .output()
        .unwrap_or_else(|error| panic!("valgrind can't be run ({error}): install it, or run `scripts/needs`"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("callgrind_annotate {profile} tells where they are");
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).unwrap_or_else(|| panic!("{said}"));
    collected.1.trim().parse().unwrap()
}

fn compare(counted: u64) -> ExitCode {
    let a_record = counted / RECORDS as u64;
    println!(
        "{counted} instructions for a batch of {RECORDS} clicks, {a_record} a record; {INSTRUCTIONS} are expected"
    );
    if counted.abs_diff(INSTRUCTIONS) * 100 <= INSTRUCTIONS * TOLERANCE_PERCENT {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "that differs by more than {TOLERANCE_PERCENT} %: if it is meant to, set INSTRUCTIONS in {} to {counted}",
        file!()
    );
    ExitCode::FAILURE
}
