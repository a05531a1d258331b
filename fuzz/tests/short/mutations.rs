//! The corpus, changed at random: the same changes each time, each of which its number makes again.

use fastrand::Rng;
use fuzz::corpus::Input;

use crate::case::{check, target};

/// Pieces to put in: libFuzzer's dictionary.
const TOKENS: &str = include_str!("../../tokens.dict");

/// No mutation is longer, as time is short.
const MOST_BYTES: usize = 4_096;

#[test]
fn every_property_holds_for_mutated_service_responses() {
    run("answer", 10_000);
}

#[test]
fn every_property_holds_for_mutated_error_objects() {
    run("error_object", 600);
}

#[test]
fn every_property_holds_for_mutated_events() {
    run("event", 10_000);
}

#[test]
fn every_property_holds_for_mutated_prefixes() {
    run("prefix", 6_000);
}

#[test]
fn every_property_holds_for_mutated_records() {
    run("record", 30_000);
}

fn run(name: &str, cases: u64) {
    let target = target(name);
    let corpus = fuzz::corpus::of(target.name);
    let tokens = tokens();
    for case in 0..cases {
        let mut random = Rng::with_seed(case);
        let mut input = random.choice(&corpus).unwrap().1.clone();
        // Of what is long, a part: each part gets its turn.
        if input.len() > MOST_BYTES {
            input = range(&mut random, &input, MOST_BYTES).to_vec();
        }
        for _ in 0..random.u8(1..=5) {
            mutate(&mut input, &corpus, &tokens, &mut random);
        }
        input.truncate(MOST_BYTES);
        check(target, &input, &format!("mutation-{case}"));
    }
}

/// The dictionary's lines are JSON strings as long as no byte is written as `\x`.
fn tokens() -> Vec<String> {
    assert!(TOKENS.is_ascii(), "libFuzzer takes no other");
    let lines = TOKENS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn mutate(input: &mut Vec<u8>, corpus: &[Input], tokens: &[String], random: &mut Rng) {
    let at = random.usize(0..=input.len());
    match random.u8(0..8) {
        0 if at < input.len() => input[at] ^= 1 << random.u8(0..8),
        1 if at < input.len() => input[at] = random.u8(..),
        2 => input.truncate(at),
        3 => {
            let cut = range(random, input, 64).len();
            let from = at.min(input.len() - cut);
            input.drain(from..from + cut);
        }
        4 => {
            let copy = range(random, input, 256).to_vec();
            input.splice(at..at, copy);
        }
        5 => {
            let other = &random.choice(corpus).unwrap().1;
            let piece = range(random, other, 512);
            input.splice(at..at, piece.iter().copied());
        }
        _ => {
            let token = random.choice(tokens).unwrap();
            // In the place of as many bytes, or between them.
            let end = if random.bool() { at } else { input.len().min(at + token.len()) };
            input.splice(at..end, token.bytes());
        }
    }
}

/// A part of `bytes` with `most` at most.
fn range<'b>(random: &mut Rng, bytes: &'b [u8], most: usize) -> &'b [u8] {
    let length = random.usize(0..=bytes.len().min(most));
    let start = random.usize(0..=bytes.len() - length);
    &bytes[start..start + length]
}
