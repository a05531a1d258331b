//! Creates, changes and deletes data streams at run time.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::processing::FieldError;
use super::refusal::{ControlError, MAX_STREAMS, Refusal};
use super::tags::{StreamKind, Tags, add};
use super::{Control, Status};
use crate::registry::NameTaken;
use crate::stream::{DataStream, DataStreamSettings, Source, StreamSettings};

/// The retention of a new data stream in hours, which is also the shortest one, and the longest one (Kinesis API reference,
/// "IncreaseStreamRetentionPeriod").
pub(crate) const MIN_HOURS: u32 = 24;
pub(crate) const MAX_HOURS: u32 = 8_760;

/// The data stream that a delivery stream reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KinesisSource {
    /// Its name.
    pub stream: String,
    /// When it was created, in milliseconds since 1970: a later one of the same name is another one. `None` before the creation of the
    /// delivery stream.
    #[serde(default)]
    pub created_ms: Option<i64>,
    /// The role as it was configured. Roles are not evaluated.
    pub role_arn: String,
}

/// A data stream that a caller has created, without its records.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DataStreamEntry {
    /// `None`: on demand.
    shards: Option<NonZeroU32>,
    hours: u32,
    created_ms: i64,
    status: Status,
}

/// The direction of a change of the retention. Each has an operation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetentionChange {
    Increase,
    Decrease,
}

impl Control {
    /// Adds the data streams that an earlier run has created. They have no records: only their definitions and tags are on disk.
    pub(super) fn restart_data_streams(&self) -> Result<(), ControlError> {
        let entries = self.created().data_streams.clone();
        for (name, entry) in entries {
            if entry.status == Status::Deleting {
                self.forget_data_stream(&name);
            } else {
                self.add_data_stream(&name, &entry).map_err(|NameTaken(name)| ControlError::Configured(name))?;
                self.set_data_stream_status(&name, Status::Active);
            }
        }
        Ok(())
    }

    fn add_data_stream(&self, name: &str, entry: &DataStreamEntry) -> Result<(), NameTaken> {
        let settings = DataStreamSettings { provisioned: entry.shards, partition_key_field: None };
        let created = Timestamp::from_millisecond(entry.created_ms).unwrap_or_default();
        let (memory, notices) = (self.0.retention.clone(), self.0.streams.notices().clone());
        self.0.streams.add_data_stream(DataStream::retained(name, created, settings, entry.hours, memory, notices))
    }

    /// Creates a data stream, which accepts records when this returns. Without a number of shards, it is on demand.
    pub(crate) async fn create_data_stream(
        &self,
        name: String,
        shards: Option<NonZeroU32>,
        tags: Tags,
    ) -> Result<(), Refusal> {
        let control = self.clone();
        self.changed(async move {
            let mut of_stream = Tags::new();
            add(&mut of_stream, tags)?;
            {
                let mut created = control.created();
                if created.data_streams.len() >= MAX_STREAMS {
                    return Err(Refusal::TooManyStreams);
                }
                let created_ms = Timestamp::now().as_millisecond();
                let entry = DataStreamEntry { shards, hours: MIN_HOURS, created_ms, status: Status::Creating };
                control.add_data_stream(&name, &entry).map_err(|_taken| Refusal::Exists)?;
                created.data_streams.insert(name.clone(), entry);
                // Instead of those of a stream that was once configured.
                created.set_tags(StreamKind::Data, &name, of_stream);
            }
            let undo = || {
                control.0.streams.remove_data_stream(&name);
                control.forget_data_stream(&name);
            };
            control.save_or_undo("create the data stream", &name, undo).await?;
            control.set_data_stream_status(&name, Status::Active);
            Ok(())
        })
        .await
    }

    /// Returns when the deletion is on disk. Delivery streams read the records that are left, and then the data stream is removed.
    pub(crate) async fn delete_data_stream(&self, name: &str) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        self.changed(async move {
            {
                let mut created = control.created();
                let entry =
                    created.data_streams.get_mut(&name).ok_or_else(|| control.data_stream_not_created(&name))?;
                match entry.status {
                    Status::Creating => return Err(Refusal::Busy(Status::Creating)),
                    Status::Deleting | Status::DeletingFailed => return Ok(()),
                    Status::Active => entry.status = Status::Deleting,
                }
            }
            let undo = || control.set_data_stream_status(&name, Status::Active);
            control.save_or_undo("delete the data stream", &name, undo).await?;
            let ended = control.clone();
            control.spawn_deletion(async move {
                let stream = ended.0.streams.data_stream(&name);
                if let Some(retention) = stream.as_ref().and_then(DataStream::retention) {
                    retention.close();
                    retention.readers_finished().await;
                }
                let _changing = ended.0.changing.lock().await;
                ended.0.streams.remove_data_stream(&name);
                ended.forget_data_stream(&name);
                ended.save_or_log().await;
            });
            Ok(())
        })
        .await
    }

    /// Changes how long records are retained, also those that are already there.
    pub(crate) async fn set_retention(&self, name: &str, hours: u32, change: RetentionChange) -> Result<(), Refusal> {
        let (control, name) = (self.clone(), name.to_owned());
        self.changed(async move {
            let before = {
                let mut created = control.created();
                let entry =
                    created.data_streams.get_mut(&name).ok_or_else(|| control.data_stream_not_created(&name))?;
                if entry.status != Status::Active {
                    return Err(Refusal::Busy(entry.status));
                }
                let is_other_way = match change {
                    RetentionChange::Increase => hours < entry.hours,
                    RetentionChange::Decrease => hours > entry.hours,
                };
                if is_other_way {
                    return Err(Refusal::Retention { current: entry.hours, given: hours });
                }
                std::mem::replace(&mut entry.hours, hours)
            };
            let undo = || {
                if let Some(entry) = control.created().data_streams.get_mut(&name) {
                    entry.hours = before;
                }
            };
            control.save_or_undo("keep the retention of the data stream", &name, undo).await?;
            if let Some(retention) = control.0.streams.data_stream(&name).as_ref().and_then(DataStream::retention) {
                retention.set_hours(hours);
            }
            Ok(())
        })
        .await
    }

    /// A data stream, also one that is created or deleted at the moment.
    pub(crate) fn data_stream(&self, name: &str) -> Option<(DataStream, Status)> {
        // Before the stream: one that is removed in between is still DELETING.
        let status = self.data_stream_status(name);
        Some((self.0.streams.data_stream(name)?, status))
    }

    /// All data streams in alphabetical order.
    pub(crate) fn data_streams(&self) -> Vec<(DataStream, Status)> {
        let created = self.created().data_streams.clone();
        let streams = self.0.streams.data_streams().into_iter();
        let with_status = |stream: DataStream| {
            let status = created.get(stream.name()).map_or(Status::Active, |entry| entry.status);
            (stream, status)
        };
        streams.map(with_status).collect()
    }

    /// Whether a new delivery stream can read the data stream of a source, which it completes.
    pub(super) fn validate_source(&self, source: &mut KinesisSource) -> Result<(), FieldError> {
        let name = &source.stream;
        let problem = match self.data_stream(name) {
            Some((stream, Status::Active)) if stream.retention().is_some() => {
                source.created_ms = Some(stream.created.as_millisecond());
                return Ok(());
            }
            Some((_, Status::Active)) => {
                "is configured at the start of this process: only the delivery stream of its name reads it".to_owned()
            }
            Some((_, status)) => format!("is {status}; accepted is one that is {}", Status::Active),
            None => "does not exist".to_owned(),
        };
        let problem = format!("the data stream {name} {problem}");
        Err(FieldError::new("KinesisStreamSourceConfiguration.KinesisStreamARN", problem))
    }

    /// Completes the settings of a delivery stream with the source of its definition, and returns the data stream to read.
    pub(super) fn connect(&self, settings: &mut StreamSettings, source: Option<KinesisSource>) -> Option<DataStream> {
        let KinesisSource { stream: name, created_ms, .. } = source?;
        let is_same = |found: &DataStream| created_ms.is_none_or(|ms| ms == found.created.as_millisecond());
        let found = self.0.streams.data_stream(&name).filter(is_same);
        if found.is_none() {
            tracing::warn!("{}: the data stream {name}, which it reads, does not exist any more", settings.name);
        }
        let of_data_stream = found.as_ref().map(|stream| stream.settings.clone()).unwrap_or_default();
        settings.source = Source::DataStream { name, settings: of_data_stream };
        found
    }

    fn data_stream_not_created(&self, name: &str) -> Refusal {
        if self.0.streams.data_stream(name).is_some() { Refusal::Configured } else { Refusal::NotFound }
    }

    fn data_stream_status(&self, name: &str) -> Status {
        self.created().data_streams.get(name).map_or(Status::Active, |entry| entry.status)
    }

    fn set_data_stream_status(&self, name: &str, status: Status) {
        if let Some(entry) = self.created().data_streams.get_mut(name) {
            entry.status = status;
        }
    }

    fn forget_data_stream(&self, name: &str) {
        let mut created = self.created();
        created.data_streams.remove(name);
        created.data_stream_tags.remove(name);
    }
}

#[cfg(test)]
mod tests;
