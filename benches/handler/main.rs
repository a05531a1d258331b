//! The handler alone, warm: the processor, straightforward Rust, and a lower bound, in one run.
//!
//! ```sh
//! cargo bench --bench handler
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that can't go on fails")]

mod floor;

use bench_support::{Baseline, ClickFormat, WarmProcessor, batch_of};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Firehose's default buffer of 1 MiB holds about 10,000 clicks, and the largest about 30,000. For 30,000 the response exceeds its budget: the
/// processor fails the rest, while the straightforward function makes a response that Firehose refuses.
const RECORDS: [usize; 4] = [100, 1_000, 10_000, 30_000];

fn sizes(criterion: &mut Criterion) {
    for records in RECORDS {
        compare(criterion, ClickFormat::Compact, records);
    }
}

fn forms(criterion: &mut Criterion) {
    for format in ClickFormat::ALL {
        compare(criterion, format, 10_000);
    }
}

fn compare(criterion: &mut Criterion, format: ClickFormat, records: usize) {
    let processor = WarmProcessor::new(format, 12);
    let baseline = Baseline::new();
    let event = batch_of(format, records, 12);
    let mut group = criterion.benchmark_group(format.name());
    group.sample_size(20).throughput(Throughput::Elements(records as u64));
    let prepared = floor::prepare(&event);
    group.bench_with_input(BenchmarkId::new("floor", records), &prepared, |b, event| b.iter(|| floor::run(event)));
    group.bench_with_input(BenchmarkId::new("straightforward", records), &event, |b, event| {
        b.iter(|| serde_json::to_vec(&baseline.handle_format(serde_json::from_str(event).unwrap(), format)).unwrap());
    });
    group.bench_with_input(BenchmarkId::new("ours", records), &event, |b, event| b.iter(|| processor.run(event)));
    group.finish();
}

criterion_group!(benches, sizes, forms);
criterion_main!(benches);
