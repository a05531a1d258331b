#![doc = include_str!("../README.md")]

pub mod backoff;
pub mod deadline;
#[cfg(feature = "emf")]
pub mod emf;
pub mod env;
pub mod json;
#[cfg(feature = "logs")]
pub mod logs;
