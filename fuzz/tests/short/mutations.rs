//! Mutations of the corpus, each reproducible by its number.

use fastrand::Rng;
use fuzz::corpus::Input;

use crate::case::{check, target};

/// Tokens to insert: libFuzzer's dictionary.
const TOKENS: &str = include_str!("../../tokens.dict");

/// The longest mutation, for speed.
const MOST_BYTES: usize = 4_096;

#[test]
fn every_property_holds_for_mutated_service_responses() {
    run("service_response", 10_000);
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
        // A random part of a long input.
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

/// The dictionary's lines are JSON strings, because no byte is written as `\x`.
fn tokens() -> Vec<String> {
    assert!(TOKENS.is_ascii(), "libFuzzer requires ASCII");
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
            // Replaces as many bytes, or inserts.
            let end = if random.bool() { at } else { input.len().min(at + token.len()) };
            input.splice(at..end, token.bytes());
        }
    }
}

/// A random part of `bytes`, of at most `most` bytes.
fn range<'b>(random: &mut Rng, bytes: &'b [u8], most: usize) -> &'b [u8] {
    let length = random.usize(0..=bytes.len().min(most));
    let start = random.usize(0..=bytes.len() - length);
    &bytes[start..start + length]
}
