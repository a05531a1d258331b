//! HTTP for the APIs and for the edge: one server loop and one reader of bodies, with limits that a slow or hostile client meets
//! before an honest one does.

mod body;
mod connection;
mod server;

pub use self::body::{BodyError, BodyLimits, BodyMemory, BodyReader};
pub use self::server::{HttpServer, MAX_CONNECTIONS};
