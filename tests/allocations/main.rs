//! With the default configuration, a warm processor allocates its buffers, and nothing per record. (A partition key, an arrival time and an
//! extra field of a click are allocated.)

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

use bench_support::{Form, WarmProcessor, batch_of};

/// The number of allocations for a batch of `records` clicks.
fn allocations(form: Form, processor: &WarmProcessor, records: usize) -> u64 {
    let event = batch_of(form, records, 12);
    allocation_counter::measure(|| drop(processor.run(&event))).count_total
}

#[test]
fn a_record_costs_no_allocation() {
    for form in Form::ALL {
        let processor = WarmProcessor::new(form, 12);
        let [few, some, many] = [10, 1_000, 10_000].map(|records| allocations(form, &processor, records));
        println!("allocations, {form:?}: {few} for 10 records, {some} for 1,000, {many} for 10,000");
        // The number of records is not known before parsing, so two buffers double 6 times, and then 4 times more.
        assert!(some <= few + 2 * 6, "{form:?}: {few} for 10 records, {some} for 1,000");
        assert!(many <= some + 2 * 4, "{form:?}: {some} for 1,000 records, {many} for 10,000");
    }
}
