//! A stranger with a million ids.

use std::time::Instant;

use crate::clicks::{MYSFIT, click};
use crate::counts::{Counts, Found};
use crate::load::{BATCH, Client, request};
use crate::misbehaving::{Misbehaving, asking};
use crate::service::well_built;
use crate::up::Up;

/// Records of the stranger, and clicks of others.
const RECORDS: usize = 10_000;

/// How many clicks the stranger puts into one record.
const IDS: usize = 100;

/// A record with so many made-up ids, each of which looks like one that a mysfit may have.
fn made_up(random: &mut fastrand::Rng) -> String {
    let mut click = click(0);
    let id = click.find(MYSFIT).unwrap();
    let mut record = String::new();
    for _ in 0..IDS {
        click.replace_range(id..id + 8, &format!("{:08x}", random.u32(..)));
        click.replace_range(id + 24..id + 36, &format!("{:012x}", random.u64(..1 << 48)));
        record.push_str(&click);
    }
    record
}

#[test]
fn a_million_made_up_ids_cost_a_request_in_ten_seconds() {
    let mut random = crate::chaos::random();
    let mut attack: Vec<String> = (0..RECORDS).map(|_| made_up(&mut random)).collect();
    let service = Misbehaving::start(well_built);
    let url = service.url();
    // One function, as each asks for itself.
    let up = Up::start(&[&asking(&url, &[])[..], &["--concurrency", "1"]].concat());

    let started = Instant::now();
    let mut client = Client::open(up.firehose()).unwrap();
    for first in (0..RECORDS).step_by(BATCH / 2) {
        // In turns with the clicks of others.
        let records = (first..first + BATCH / 2).flat_map(|number| [attack[number].clone(), click(number)]);
        assert!(client.put(&request(records)).unwrap());
    }
    up.until_through(2 * RECORDS as u64);
    let elapsed = started.elapsed();

    let requests = service.paths();
    println!("{} requests in {:.1} s for {} made-up ids", requests.len(), elapsed.as_secs_f64(), RECORDS * IDS);
    assert!(requests.iter().all(|path| path == "/mysfits"), "{requests:?}");
    assert!((1..=1 + elapsed.as_secs() / 10).contains(&(requests.len() as u64)), "{} in {elapsed:?}", requests.len());

    let mut found = Found::of(&up.folder().join("out/bucket"), &(0..RECORDS));
    assert_eq!(found.counts(), Counts::delivered(RECORDS));
    found.others.sort_unstable();
    attack.sort_unstable();
    // Not by `assert_eq`, which would print them all.
    assert!(found.others == attack, "{} of {} are in the error output", found.others.len(), attack.len());
    Counts::split(RECORDS, attack.len()).tell("a million made-up ids, among clicks of others");
}
