//! The latest records of a stream, with what has happened to each, for the page and for `clicks tap`.
//!
//! All streams of a process share a number of bytes in equal parts. The oldest records go first. Failed records are kept longer: they have
//! a half of their own, so that a stream of good records does not displace them.

mod buffer;
mod detail;
mod entry;
mod follow;
mod search;
mod store;

pub use self::detail::RecordDetail;
pub use self::entry::{Payload, RecordStatus};
pub use self::follow::{FollowedRecord, Follower, TapFilter};
pub use self::search::{RecordPage, RecordQuery, RecordRow};
pub use self::store::{RecentRecords, RecordMemory};

#[cfg(test)]
mod tests;
