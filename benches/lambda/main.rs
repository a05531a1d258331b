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

use bench_support::ClickFormat;

use crate::measure::{Kind, by_format, growth, look_ups, memory, round, size, starts, tls_cost};

/// How often the functions take turns.
const ROUNDS: usize = 5;

/// What follows it in `docs/speed.md` is replaced.
const MARKER: &str = "<!-- `make bench` replaces all below. -->";

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
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/speed.md");
    let text = fs::read_to_string(path).unwrap();
    let (before, _) = text.split_once(MARKER).unwrap();
    fs::write(path, format!("{before}{MARKER}\n\n{report}")).unwrap();
}

async fn report() -> String {
    let mut report = String::from("| function | CPU per record, warm | ratio |\n|---|---|---|\n");
    let cpu = cpu().await;
    let processor = cpu[0].1;
    for (kind, nanoseconds) in &cpu {
        writeln!(report, "| {} | {} | {:.1} |", kind.name(), time(*nanoseconds), nanoseconds / processor).unwrap();
    }
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cpu.svg"), chart::bars(&cpu)).unwrap();

    report.push_str(
        "\n| form of a click | click-processor | straightforward Rust | ratio | an empty `lambda_runtime` function |\n",
    );
    report.push_str("|---|---|---|---|---|\n");
    for format in ClickFormat::ALL {
        let [processor, straightforward, empty] = by_format(format, ROUNDS).await;
        let [ratio, empty_ratio] = [straightforward, empty].map(|other| other / processor);
        writeln!(
            report,
            "| {} | {} | {} | {ratio:.1} | {}: {empty_ratio:.2} |",
            format.name(),
            time(processor),
            time(straightforward),
            time(empty),
        )
        .unwrap();
    }

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
