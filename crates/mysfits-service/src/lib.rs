//! The mysfits service: `GET /mysfits` over a DynamoDB table.
//!
//! ```text
//! request ─▶ routes (what was asked, or a 4xx) ─▶ table (Scan | Query | GetItem) ─▶ mysfit (item → JSON)
//! ```
//!
//! One [`router`] runs in two ways: as a Lambda behind API Gateway (the binary `mysfits-service`, see [`gateway`]) and
//! on this machine (the binary `mysfits-local`, see `local`), where the table lives in an embedded DynamoDB. Both reach
//! it through the AWS SDK.

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
