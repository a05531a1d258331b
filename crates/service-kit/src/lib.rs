#![doc = include_str!("../README.md")]

pub mod backoff;
#[cfg(feature = "emf")]
pub mod emf;
pub mod env;
pub mod json;
#[cfg(feature = "logs")]
pub mod logs;
