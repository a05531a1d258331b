//! The folder in place of a bucket: delivered objects, error objects, and the function's log.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::error::UsageError;
use firehose_model::delivery::RecordOutcome;
use firehose_model::error_object::ErrorLine;
use firehose_model::event::{Event, STREAM};
use firehose_model::excerpt::excerpt;
use firehose_model::prefix::{Compression, object_name};
use local_firehose::invocation::BatchResult;

pub(crate) struct Output {
    pub(crate) folder: PathBuf,
}

impl Output {
    /// Refuses a folder with files, which would be mixed with the new objects.
    pub(crate) fn create(folder: PathBuf) -> Result<Self, UsageError> {
        let name = folder.display();
        let failed = |error: io::Error| UsageError(format!("could not create the folder {name}: {error}"));
        let is_new = || {
            fs::create_dir_all(&folder)?;
            Ok(fs::read_dir(&folder)?.next().is_none())
        };
        if folder.is_file() || !is_new().map_err(failed)? {
            let problem = format!("`--out {name}` is not an empty folder; accepted is a new or an empty one");
            return Err(UsageError(problem));
        }
        Ok(Self { folder })
    }

    /// Unlike Firehose's, an object has the records of one batch only.
    pub(crate) fn deliver(
        &self,
        event: &Event,
        BatchResult { outcomes, attempts }: &BatchResult,
        end: Timestamp,
        function_arn: &str,
    ) -> anyhow::Result<()> {
        let (mut delivered, mut failed) = (Vec::new(), Vec::new());
        for (record, outcome) in event.records.iter().zip(outcomes) {
            match outcome {
                RecordOutcome::Delivered { data, .. } => delivered.push((record.arrival_ms, data)),
                RecordOutcome::Failed(fault) => {
                    let line = ErrorLine::new(record, *fault, *attempts, end.as_millisecond(), function_arn);
                    failed.push((record.arrival_ms, serde_json::to_string(&line)? + "\n"));
                }
                RecordOutcome::Dropped => {}
            }
        }
        self.object("firehose/", &delivered, end)?;
        self.object("errors/processing-failed/", &failed, end)
    }

    /// Each record has the time of its arrival, in milliseconds.
    fn object(&self, prefix: &str, records: &[(i64, impl AsRef<[u8]>)], end: Timestamp) -> anyhow::Result<()> {
        let Some(oldest) = records.iter().map(|(arrival_ms, _)| *arrival_ms).min() else { return Ok(()) };
        let arrival = Timestamp::from_millisecond(oldest).unwrap_or(end);
        let prefix = format!("{prefix}{}", arrival.strftime("%Y/%m/%d/%H/"));
        let (arrival, extension) = (arrival.to_zoned(TimeZone::UTC), Compression::None.extension());
        let path = self.folder.join(object_name(&prefix, (STREAM, 1), &arrival, Uuid::new_v4(), extension));
        let bytes: Vec<&[u8]> = records.iter().map(|(_, bytes)| bytes.as_ref()).collect();
        let written = fs::create_dir_all(path.parent().unwrap_or(&self.folder));
        let written = written.and_then(|()| fs::write(&path, bytes.concat()));
        written.with_context(|| format!("could not write {}", path.display()))
    }

    pub(crate) fn log(&self, lines: &[String], verbose: bool) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        for line in lines.iter().filter(|_| verbose) {
            tracing::info!("{}", excerpt(line, usize::MAX));
        }
        let path = self.folder.join("function.log");
        let opened = File::options().create(true).append(true).open(&path);
        let written = opened.and_then(|mut log| log.write_all((lines.join("\n") + "\n").as_bytes()));
        written.with_context(|| format!("could not write {}", path.display()))
    }
}

/// `out/replay-2026-11-20T08-22-01Z`, or the next free name after it.
pub(crate) fn default_folder(now: Timestamp) -> PathBuf {
    let name = format!("out/replay-{}", now.strftime("%Y-%m-%dT%H-%M-%SZ"));
    let mut folder = PathBuf::from(&name);
    let mut next = 2;
    while folder.exists() {
        folder = PathBuf::from(format!("{name}-{next}"));
        next += 1;
    }
    folder
}

#[cfg(test)]
mod tests;
