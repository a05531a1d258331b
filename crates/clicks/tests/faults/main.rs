//! What becomes of each click when something fails: `clicks up` with the real processor, and whatever it needs down, slow, gone
//! or wrong. Each case counts its clicks, and prints them as a row of a table: put, delivered, in the error output, lost, doubled.
//!
//! `cargo test -p clicks --test faults -- --nocapture | grep '^|'` prints the table. What is random is so by `FAULTS_SEED`, which
//! the output tells; `FAULTS_SECONDS` is how long everything fails at random, a minute without it.
//!
//! A click's number is its `userId`, so that it can be told from the delivered line and from the original in the error output.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod attack;
#[path = "../../../../tests/black_box/authority.rs"]
mod authority;
mod chaos;
mod clicks;
mod clock;
mod counts;
mod deadline;
mod frozen;
mod identity;
mod misbehaving;
mod mysfits;
mod outages;
mod processes;
mod runs;
#[expect(dead_code, reason = "what other tests need")]
#[path = "../../../../tests/black_box/service.rs"]
mod service;
mod size;
mod storage;
