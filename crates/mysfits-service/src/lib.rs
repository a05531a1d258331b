#![doc = include_str!("../README.md")]

pub mod client;
mod filter;
pub mod gateway;
#[cfg(feature = "local")]
pub mod local;
pub mod mysfit;
mod routes;
pub mod table;

#[cfg(feature = "local")]
pub use local::{LocalError, LocalService};
pub use routes::router;
pub use table::{Table, TableName};

use service_kit::logs::{self, LevelFilter, Output, Targets};

/// Sets up logs, one JSON line for each failure, on standard error: see [`service_kit::logs::init`].
pub fn init_logs() {
    logs::init(LevelFilter::WARN, Output::Stderr, |level| Targets::new().with_default(level));
}
