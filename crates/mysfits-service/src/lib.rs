//! The mysfits service: `GET /mysfits` over a DynamoDB table.
//!
//! ```text
//! request ─▶ routes (parameters, or a 4xx) ─▶ table (Scan | Query | GetItem) ─▶ mysfit (item → JSON)
//! ```
//!
//! One [`router`] has two executables: `mysfits-service`, a Lambda behind API Gateway (see [`gateway`]), and `mysfits-local`, a local server with
//! an embedded DynamoDB (see `local`). Both use the AWS SDK.

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
