//! Whole functions over the Lambda Runtime API, side by side: ours, straightforward Rust, Python with a cache and without,
//! and for the start an empty function.
//!
//! ```sh
//! make bench
//! ```
//!
//! CPU is the process's own, from Linux's scheduler; the functions take turns, and the middle of the rounds is told.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

mod chart;
mod function;
mod measure;
mod tls;

#[path = "../support/batch.rs"]
mod batch;
#[path = "../support/service.rs"]
mod service;
#[path = "../support/straightforward.rs"]
mod straightforward;

use std::fmt::Write as _;
use std::fs;

use crate::measure::{Kind, growth, look_ups, memory, round, size, starts, tls_cost};

/// In `docs/speed.md`, what comes before the tables of this benchmark.
const MARKER: &str = "<!-- `make bench` replaces all below. -->";

/// How often the functions take turns.
const ROUNDS: usize = 5;

fn main() {
    if let Ok(name) = std::env::var(function::VARIABLE) {
        return function::run(&name);
    }
    // `cargo test --benches` runs this, too, and is no place to measure.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(report());
    println!("{report}");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/speed.md");
    let text = fs::read_to_string(page).unwrap();
    let (kept, _) = text.split_once(MARKER).unwrap();
    fs::write(page, format!("{kept}{MARKER}\n\n{report}")).unwrap();
}

async fn report() -> String {
    let mut report = String::from("| function | CPU a record, warm | ratio |\n|---|---|---|\n");
    let cpu = cpu().await;
    let ours = cpu[0].1;
    for (kind, nanoseconds) in &cpu {
        writeln!(report, "| {} | {} | {:.1} |", kind.name(), time(*nanoseconds), nanoseconds / ours).unwrap();
    }
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cpu.svg"), chart::bars(&cpu)).unwrap();

    report.push_str("\n| click-processor | measured | baseline |\n|---|---|---|\n");
    for (what, measured, beside) in [starts(), vec![tls_cost().await, size()], memory().await, look_ups().await]
        .into_iter()
        .flatten()
        .chain(growth(ROUNDS).await)
    {
        writeln!(report, "| {what} | {measured} | {beside} |").unwrap();
    }
    report
}

/// The CPU of each function in nanoseconds a record: the middle of the rounds.
async fn cpu() -> Vec<(Kind, f64)> {
    let mut measured: Vec<(Kind, Vec<f64>)> = Kind::ALL.map(|kind| (kind, Vec::new())).into();
    for _ in 0..ROUNDS {
        for (kind, rounds) in &mut measured {
            rounds.push(round(*kind).await);
        }
    }
    measured.into_iter().map(|(kind, rounds)| (kind, measure::middle(rounds))).collect()
}

/// Nanoseconds for people.
fn time(nanoseconds: f64) -> String {
    if nanoseconds < 1_000.0 { format!("{nanoseconds:.0} ns") } else { format!("{:.2} µs", nanoseconds / 1_000.0) }
}
