#![doc = include_str!("../README.md")]

pub mod address;
pub mod backoff;
pub mod count;
pub mod deadline;
pub mod env;
pub mod json;
#[cfg(feature = "logs")]
pub mod logs;
