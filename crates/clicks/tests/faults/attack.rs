//! A client with a million made-up ids.

use std::collections::BTreeSet;
use std::time::Instant;

use test_support::mysfits_service::healthy;
use test_support::put_client::{BATCH, Client, request};
use test_support::up::Up;

use crate::clicks::{MYSFIT, NUMBERED};
use crate::counts::{Counts, Found};
use crate::misbehaving::{Misbehaving, with_service};

/// The client's records, and as many valid clicks.
const RECORDS: usize = 10_000;

/// Without timeouts, whose retries would be counted.
const PATIENT: &str = "LOOKUP_TIMEOUT_MS=60000";

/// Clicks in one record of the client.
const IDS: usize = 100;

/// A record with made-up ids, each of them valid.
fn made_up(random: &mut fastrand::Rng) -> String {
    let mut click = NUMBERED.click(0);
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
    let service = Misbehaving::start(healthy);
    let url = service.url();
    // One function, because each has a cache of its own.
    let up = Up::start(&[&with_service(&url, &[PATIENT])[..], &["--concurrency", "1"]].concat());

    let started = Instant::now();
    let mut client = Client::open(up.firehose()).unwrap();
    for first in (0..RECORDS).step_by(BATCH / 2) {
        // Alternating with valid clicks.
        let records = (first..first + BATCH / 2).flat_map(|number| [attack[number].clone(), NUMBERED.click(number)]);
        assert_eq!(client.put(&request(records)).unwrap(), Ok(()));
    }
    up.until_processed(2 * RECORDS as u64);
    let elapsed = started.elapsed();

    let requests = service.paths();
    println!("{} requests in {:.1} s for {} made-up ids", requests.len(), elapsed.as_secs_f64(), RECORDS * IDS);
    assert!(requests.iter().all(|path| path == "/mysfits"), "{requests:?}");
    assert!((1..=1 + elapsed.as_secs() / 10).contains(&(requests.len() as u64)), "{} in {elapsed:?}", requests.len());

    let mut found = Found::of(&up.folder().join("out/bucket"), &NUMBERED, &(0..RECORDS));
    assert_eq!(found.counts(), Counts::delivered(RECORDS));
    found.others.sort_unstable();
    attack.sort_unstable();
    // Not by `assert_eq`, which would print them all.
    assert!(found.others == attack, "{} of {} are in the error output", found.others.len(), attack.len());
    Counts::split(RECORDS, attack.len()).print("a million made-up ids, among valid clicks");
}

/// With look-ups of single items, each made-up id costs a request. The default, which fetches the list, does not.
#[test]
fn made_up_ids_in_the_item_mode_cost_a_request_each_in_thirty_seconds() {
    // Fewer than the cache holds, each several times.
    const MADE_UP: usize = 3_000;
    const TIMES: usize = 4;
    let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
    let service = Misbehaving::start(healthy);
    let url = service.url();
    let variables = ["LOOKUP_MODE=item", PATIENT];
    let up = Up::start(&[&with_service(&url, &variables)[..], &["--concurrency", "1"]].concat());

    let started = Instant::now();
    let mut client = Client::open(up.firehose()).unwrap();
    let mut attack: Vec<String> = Vec::new();
    for first in (0..TIMES * MADE_UP).step_by(BATCH / 2) {
        let numbers = first..first + BATCH / 2;
        attack.extend(numbers.clone().map(|number| NUMBERED.click(0).replace(MYSFIT, &id(number % MADE_UP))));
        // Alternating with valid clicks.
        let records = numbers.flat_map(|number| [attack[number].clone(), NUMBERED.click(number)]);
        assert_eq!(client.put(&request(records)).unwrap(), Ok(()));
    }
    up.until_processed(2 * attack.len() as u64);
    let elapsed = started.elapsed();

    let requests = service.paths();
    println!("{} requests in {:.1} s for {MADE_UP} made-up ids", requests.len(), elapsed.as_secs_f64());
    let paths = BTreeSet::from_iter(requests.clone());
    let path = |id: &str| format!("/mysfits/{id}");
    assert!(paths == (0..MADE_UP).map(|number| path(&id(number))).chain([path(MYSFIT)]).collect());
    // Each once per thirty seconds of the test, which takes less on a machine that is not busy.
    let most = usize::try_from(1 + elapsed.as_secs() / 30).unwrap() * paths.len();
    assert!((paths.len()..=most).contains(&requests.len()), "{} in {elapsed:?}", requests.len());

    let clicks = 0..attack.len();
    let mut found = Found::of(&up.folder().join("out/bucket"), &NUMBERED, &clicks);
    assert_eq!(found.counts(), Counts::delivered(attack.len()));
    found.others.sort_unstable();
    attack.sort_unstable();
    assert!(found.others == attack, "{} of {} are in the error output", found.others.len(), attack.len());
    Counts::split(attack.len(), attack.len()).print("made-up ids in the item mode, among valid clicks");
}
