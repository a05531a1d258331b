//! What the processor's benchmarks share, and the test that counts allocations.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a failing helper fails its benchmark")]

mod baseline;
mod batch;
pub mod mysfits_service;
mod processor;

pub use baseline::Baseline;
pub use batch::{ClickFormat, batch, batch_of};
pub use processor::WarmProcessor;
