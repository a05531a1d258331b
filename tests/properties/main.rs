//! What holds for whatever comes in, checked on generated events.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod batch;
mod wire;
