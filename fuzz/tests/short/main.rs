//! A short, deterministic run of the fuzz targets.

#![allow(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod case;
mod corpus;
mod mutations;
mod structured;
