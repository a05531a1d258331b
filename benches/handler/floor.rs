//! A lower bound for any handler: scan the event's JSON, decode its base64, and encode lines of the enriched length.

use std::hint::black_box;

use base64_simd::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// As long as the attributes added to a click.
const ADDED: &[u8] = br#","goodevil":"Neutral","lawchaos":"Neutral","species":"Chimera""#;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    data: &'a str,
}

/// The data of the records, extracted in advance.
pub(crate) struct Prepared {
    event: String,
    data: Vec<String>,
}

pub(crate) fn prepare(event: &str) -> Prepared {
    let records = serde_json::from_str::<Event>(event).unwrap().records;
    Prepared { event: event.to_owned(), data: records.iter().map(|record| record.data.to_owned()).collect() }
}

pub(crate) fn run(prepared: &Prepared) -> usize {
    serde_json::from_str::<IgnoredAny>(&prepared.event).unwrap();
    let mut decoded = Vec::with_capacity(prepared.event.len());
    let mut encoded: Vec<u8> = Vec::with_capacity(2 * prepared.event.len());
    for data in &prepared.data {
        decoded.clear();
        STANDARD.decode_append(data, &mut decoded).unwrap();
        decoded.extend_from_slice(ADDED);
        STANDARD.encode_append(&decoded, &mut encoded);
    }
    black_box(&encoded).len()
}
