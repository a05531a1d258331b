//! Compares whole functions over the Lambda Runtime API: the processor, straightforward Rust, Python with and without a cache, and for the
//! start an empty function.
//!
//! ```sh
//! make bench
//! ```
//!
//! CPU time is the process's, from Linux's scheduler. The functions take turns, and the median of the rounds is reported.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

mod chart;
mod function;
mod measure;
mod tls;

use std::fmt::Write as _;
use std::fs;

use crate::measure::{Kind, growth, look_ups, memory, round, size, starts, tls_cost};

/// How often the functions take turns.
const ROUNDS: usize = 5;

fn main() {
    if let Ok(name) = std::env::var(function::VARIABLE) {
        return function::run(&name);
    }
    // `cargo test --benches` runs this, too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(report());
    println!("{report}");
    let note = "The last results of `make bench`: whole functions over the Lambda Runtime API, batches of 10,000 clicks on 12 mysfits.";
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/speed.md"), format!("{note}\n\n{report}")).unwrap();
}

async fn report() -> String {
    let mut report = String::from("| function | CPU per record, warm | ratio |\n|---|---|---|\n");
    let cpu = cpu().await;
    let processor = cpu[0].1;
    for (kind, nanoseconds) in &cpu {
        writeln!(report, "| {} | {} | {:.1} |", kind.name(), time(*nanoseconds), nanoseconds / processor).unwrap();
    }
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cpu.svg"), chart::bars(&cpu)).unwrap();

    report.push_str("\n| measurement | processor | baseline |\n|---|---|---|\n");
    for (measurement, value, baseline) in [starts(), vec![tls_cost().await, size()], memory().await, look_ups().await]
        .into_iter()
        .flatten()
        .chain(growth(ROUNDS).await)
    {
        writeln!(report, "| {measurement} | {value} | {baseline} |").unwrap();
    }
    report
}

/// The CPU of each function in nanoseconds per record: the median of the rounds.
async fn cpu() -> Vec<(Kind, f64)> {
    let mut measured: Vec<(Kind, Vec<f64>)> = Kind::ALL.map(|kind| (kind, Vec::new())).into();
    for _ in 0..ROUNDS {
        for (kind, rounds) in &mut measured {
            rounds.push(round(*kind).await);
        }
    }
    measured.into_iter().map(|(kind, rounds)| (kind, measure::median(rounds))).collect()
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1_000.0 { format!("{nanoseconds:.0} ns") } else { format!("{:.2} µs", nanoseconds / 1_000.0) }
}
