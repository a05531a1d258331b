//! What fuzzing looks for in hours, looked for in seconds: the same properties, on any machine and with the same inputs each time.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod case;
mod corpus;
mod mutations;
mod structured;
