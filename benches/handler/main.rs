//! The handler alone, warm: the processor beside straightforward Rust and beside the floor, in one run.
//!
//! ```sh
//! cargo bench --bench handler
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

mod floor;
mod ours;

#[path = "../support/batch.rs"]
mod batch;
#[path = "../support/service.rs"]
mod service;
#[path = "../support/straightforward.rs"]
mod straightforward;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use crate::batch::batch;
use crate::ours::Ours;
use crate::straightforward::Straightforward;

/// Firehose's default buffer of 1 MiB holds some 10,000 clicks, and the largest some 30,000. To so many the reply reaches its
/// budget: the processor fails the rest, while the straightforward function makes a reply that Firehose refuses.
const RECORDS: [usize; 4] = [100, 1_000, 10_000, 30_000];

fn handlers(criterion: &mut Criterion) {
    let ours = Ours::new(12);
    let straightforward = Straightforward::new();
    let mut group = criterion.benchmark_group("handler");
    group.sample_size(20);
    for records in RECORDS {
        let event = batch(records, 12);
        group.throughput(Throughput::Elements(records as u64));
        let prepared = floor::prepare(&event);
        group.bench_with_input(BenchmarkId::new("floor", records), &prepared, |b, event| b.iter(|| floor::run(event)));
        group.bench_with_input(BenchmarkId::new("straightforward", records), &event, |b, event| {
            b.iter(|| serde_json::to_vec(&straightforward.answer(serde_json::from_str(event).unwrap())).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("ours", records), &event, |b, event| b.iter(|| ours.run(event)));
    }
    group.finish();
}

criterion_group!(benches, handlers);
criterion_main!(benches);
