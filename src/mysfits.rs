//! Who the mysfits are: the service's client and what is remembered of its answers. The only input and output of the crate.
//!
//! This module knows URLs, retries, time and freshness. It does not know clicks or Firehose.

pub mod answer;
mod attributes;
mod cache;
mod client;
mod failure;
mod look_up;
mod session;

pub use attributes::{Attributes, OwnedAttributes};
pub use client::{Client, ClientError};
pub use look_up::{Answer, Answers, Mysfits};
pub use session::{Requests, Session};
