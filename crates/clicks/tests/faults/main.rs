//! The outcome of each click when something fails: `clicks up` with the real processor, while its dependencies are down, slow or
//! wrong. Each case counts its clicks, and prints them as a row of a table: put, delivered, in the error output, lost, doubled.
//!
//! `cargo test -p clicks --test faults -- --nocapture | grep '^|'` prints the table. Random numbers have a fixed seed, or that of
//! `FAULTS_SEED`, which may be `random`; the output has it. `FAULTS_SECONDS` is the duration of random faults.
//!
//! A click's number is its `userId`, which is in the delivered line and in the source record of the error output. Where the pipeline
//! itself is killed, clicks have ids, and are counted by distinct ids: put = delivered + in the error output.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod attack;
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
mod size;
mod storage;
