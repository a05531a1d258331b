//! A warm processor allocates its buffers, and nothing for a record, as it is configured by default. (A partition key, a time or
//! a further field of a click is a text of its own.)

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

#[path = "../../benches/support/batch.rs"]
mod batch;
#[path = "../../benches/handler/ours.rs"]
mod ours;
#[path = "../../benches/support/service.rs"]
mod service;

use crate::batch::batch;
use crate::ours::Ours;

/// How often memory is asked for while a batch of so many clicks is handled.
fn allocations(processor: &Ours, records: usize) -> u64 {
    let event = batch(records, 12);
    allocation_counter::measure(|| drop(processor.run(&event))).count_total
}

#[test]
fn a_record_costs_no_allocation() {
    let processor = Ours::new(12);
    let [few, some, many] = [10, 1_000, 10_000].map(|records| allocations(&processor, records));
    println!("allocations: {few} for 10 records, {some} for 1,000, {many} for 10,000");
    // How many records come is not known before they are read: their buffer doubles, 6 times and 4 times more.
    assert!(some <= few + 6, "{few} for 10 records, {some} for 1,000");
    assert!(many <= some + 4, "{some} for 1,000 records, {many} for 10,000");
}
