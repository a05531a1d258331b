//! What becomes of each click when something fails: `clicks up` with the real processor, and whatever it needs down, slow, gone
//! or wrong. Each case counts its clicks, and prints them as a row of a table: put, delivered, in the error output, lost, doubled.
//!
//! `cargo test -p clicks --test faults -- --nocapture | grep '^|'` prints the table. What is random is so by `FAULTS_SEED`, which
//! the output tells; `FAULTS_SECONDS` is how long everything fails at random, a minute without it.
//!
//! A click's number is its `userId`, so that it can be told from the delivered line and from the original in the error output.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

mod attack;
mod authority {
    pub(crate) use test_support::certificates::{CertificateAuthority as Authority, acceptor};
}
mod chaos;
mod clicks;
mod clock;
mod counts;
mod deadline;
mod frozen;
#[expect(dead_code, reason = "what other tests need")]
#[path = "../up/http.rs"]
mod http;
mod identity;
mod load;
mod misbehaving;
mod mysfits;
mod outages;
mod processes;
mod runs;
#[expect(dead_code, reason = "what other tests need")]
#[path = "../up/s3.rs"]
mod s3;
mod service {
    pub(crate) use test_support::mysfits_service::{Request, Response as Answer, Service, healthy as well_built};
}
mod size;
mod storage;
#[expect(dead_code, reason = "what other tests need")]
#[path = "../up/up.rs"]
mod up;
