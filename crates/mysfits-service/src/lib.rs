#![doc = include_str!("../README.md")]

pub mod client;
mod excerpt;
pub mod filter;
pub mod gateway;
#[cfg(feature = "local")]
pub mod local;
pub mod logs;
pub mod mysfit;
pub mod routes;
pub mod table;

#[cfg(feature = "local")]
pub use local::{LocalError, LocalService};
pub use routes::router;
pub use table::{Table, TableName};
