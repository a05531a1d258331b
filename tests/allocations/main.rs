//! With the default configuration, a warm processor allocates its buffers, and nothing per record. (A partition key, an arrival time and an
//! extra field of a click are allocated.)

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

use bench_support::{ClickFormat, WarmProcessor, batch_of};

/// The number of allocations for a batch of `records` clicks.
fn allocations(format: ClickFormat, processor: &WarmProcessor, records: usize) -> u64 {
    let event = batch_of(format, records, 12);
    allocation_counter::measure(|| drop(processor.run(&event))).count_total
}

#[test]
fn a_record_costs_no_allocation() {
    for format in ClickFormat::ALL {
        let processor = WarmProcessor::new(format, 12);
        let [few, some, many] = [10, 1_000, 10_000].map(|records| allocations(format, &processor, records));
        println!("allocations, {format:?}: {few} for 10 records, {some} for 1,000, {many} for 10,000");
        // The number of records is not known before parsing, so two buffers double 6 times, and then 4 times more.
        assert!(some <= few + 2 * 6, "{format:?}: {few} for 10 records, {some} for 1,000");
        assert!(many <= some + 2 * 4, "{format:?}: {some} for 1,000 records, {many} for 10,000");
    }
}
