//! Properties of the processor, checked with generated events.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod batch;
