//! Delivery streams and the data streams that they read.
//!
//! ```text
//! put ─▶ Intake (numbers, backlog, ─▶ ShardBuffers ─▶ Invoker ─▶ evaluate ─▶ Destination ─▶ Uploader ─▶ storage
//!                state on disk)          │           (retries)              (objects by
//!                                        └───────── source backup ─────────▶   prefix)
//! ```
//!
//! Data flows in one direction, and the records of a shard keep their order. A record is accepted with a receipt, which is
//! settled when the record's bytes are stored, as a delivered record or in an error object, or when the function drops it.
//! With a state, a record that is not settled is on disk, and the next start processes it again.

mod attempt;
mod backlog;
mod batch;
mod buffer;
mod data_stream;
mod delivery_stream;
mod destination;
mod event;
mod history;
mod intake;
mod invoker;
mod metrics;
mod notices;
mod reader;
mod receipt;
mod recent_records;
mod refusal_reports;
mod refusals;
mod retention;
mod settings;
mod state;
mod stats;
mod uploader;
mod value_counts;
mod value_history;

pub use self::attempt::InvocationSummary;
pub use self::data_stream::{DataStream, DataStreamSnapshot, PutEntry, PutResult};
pub use self::delivery_stream::{DeliveryStream, StreamDeps, remove_state, state_of, unused_state_files};
pub use self::event::ObjectSummary;
pub use self::history::HistoryColumns;
pub use self::intake::PutError;
pub use self::notices::{Notice, Notices};
pub use self::recent_records::{
    FollowedRecord, Follower, Payload, RecentRecords, RecordDetail, RecordMemory, RecordPage, RecordQuery, RecordRow,
    RecordStatus, TapFilter,
};
pub use self::refusals::{RefusalReason, RefusedBy, RefusedRecords};
pub use self::retention::RetentionMemory;
pub use self::settings::{Buffering, DataStreamSettings, Source, StreamSettings};
pub use self::state::StateError;
pub use self::stats::{StreamOverview, StreamSnapshot, Uploads};
pub use self::uploader::Buckets;
pub use self::value_history::{RankedValue, ValueRanking};

pub(crate) use self::metrics::write_metrics;
pub(crate) use self::retention::{ReadLimits, Retention, ShardRecords, Start};
