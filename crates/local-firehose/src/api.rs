//! APIs of AWS's own for the streams that run here: JSON 1.1 over HTTP.
//!
//! ```text
//! request ─▶ call (which operation, and its body) ─▶ input (what was asked) ─▶ constraint (whether it may be)
//!                                                         ─▶ the service's operation ─▶ answer, or refusal
//! ```
//!
//! Whoever asks may: a signature is neither needed nor looked at.

mod blob;
mod call;
mod constraint;
pub mod firehose;
mod input;
pub mod kinesis;
mod refusal;
mod seconds;
