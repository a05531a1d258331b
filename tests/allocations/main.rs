//! With the default configuration, a warm processor allocates its buffers, and nothing per record. (A partition key, an arrival time and an
//! extra field of a click are allocated.)

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

use bench_support::{WarmProcessor, batch};

/// The number of allocations for a batch of `records` clicks.
fn allocations(processor: &WarmProcessor, records: usize) -> u64 {
    let event = batch(records, 12);
    allocation_counter::measure(|| drop(processor.run(&event))).count_total
}

#[test]
fn a_record_costs_no_allocation() {
    let processor = WarmProcessor::new(12);
    let [few, some, many] = [10, 1_000, 10_000].map(|records| allocations(&processor, records));
    println!("allocations: {few} for 10 records, {some} for 1,000, {many} for 10,000");
    // The number of records is not known before parsing, so their buffer doubles 6 times, and then 4 times more.
    assert!(some <= few + 6, "{few} for 10 records, {some} for 1,000");
    assert!(many <= some + 4, "{some} for 1,000 records, {many} for 10,000");
}
