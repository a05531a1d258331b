//! The folder that stands for the bucket: delivered objects, error objects, and the function's log.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use crate::delivery::Fate;
use crate::error_object::ErrorLine;
use crate::event::{Event, STREAM};

/// What could not be written, or should not be.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The folder has something in it, which would be mixed with the new objects.
    #[error("`--out {}` is not an empty folder: name a new or an empty one", .0.display())]
    NotEmpty(PathBuf),
    /// The file system refused.
    #[error("could not write {}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// The bucket.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    /// Made with the first line.
    log: Option<BufWriter<File>>,
}

impl Output {
    /// A new folder, or an empty one that is there.
    pub fn create(folder: PathBuf) -> Result<Self, OutputError> {
        let written = |source| OutputError::Write { path: folder.clone(), source };
        if folder.is_file() {
            return Err(OutputError::NotEmpty(folder));
        }
        fs::create_dir_all(&folder).map_err(written)?;
        if fs::read_dir(&folder).map_err(written)?.next().is_some() {
            return Err(OutputError::NotEmpty(folder));
        }
        Ok(Self { folder, log: None })
    }

    /// Where it all goes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes what became of one event: one object of its delivered records and one of its failed ones, where there are
    /// any. Firehose puts several batches into an object; here an object tells which batch it is of.
    pub fn deliver(&self, event: &Event, fates: &[Fate], end: &BatchEnd<'_>) -> Result<(), OutputError> {
        let arrival = event.oldest_arrival_ms().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let arrival = arrival.unwrap_or(end.time);
        let delivered: Vec<&[u8]> = fates
            .iter()
            .filter_map(|fate| match fate {
                Fate::Delivered(data) => Some(data.as_slice()),
                Fate::Dropped | Fate::Failed(_) => None,
            })
            .collect();
        if !delivered.is_empty() {
            self.write(&object_name("firehose/", arrival, Uuid::new_v4()), |file| {
                delivered.iter().try_for_each(|data| file.write_all(data))
            })?;
        }
        let failed: Vec<ErrorLine> = event
            .records()
            .iter()
            .zip(fates)
            .filter_map(|(record, fate)| match fate {
                Fate::Failed(fault) => {
                    Some(ErrorLine::new(record, *fault, end.attempts, end.time.as_millisecond(), end.function_arn))
                }
                Fate::Delivered(_) | Fate::Dropped => None,
            })
            .collect();
        if !failed.is_empty() {
            self.write(&object_name("errors/processing-failed/", arrival, Uuid::new_v4()), |file| {
                failed.iter().try_for_each(|line| {
                    serde_json::to_writer(&mut *file, line)?;
                    file.write_all(b"\n")
                })
            })?;
        }
        Ok(())
    }

    /// Appends the function's log lines to `function.log`.
    pub fn log(&mut self, lines: &[String]) -> Result<(), OutputError> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.folder.join("function.log");
        let written = |source| OutputError::Write { path: path.clone(), source };
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(BufWriter::new(File::create(&path).map_err(written)?)),
        };
        lines.iter().try_for_each(|line| writeln!(log, "{line}")).map_err(written)?;
        log.flush().map_err(written)
    }

    fn write(
        &self,
        name: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let path = self.folder.join(name);
        let written = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            let mut file = BufWriter::new(File::create(&path)?);
            content(&mut file)?;
            file.flush()
        };
        written().map_err(|source| OutputError::Write { path: path.clone(), source })
    }
}

/// How a batch ended, for its error objects.
#[derive(Debug, Clone, Copy)]
pub struct BatchEnd<'a> {
    /// How often it was tried.
    pub attempts: u32,
    /// When the last attempt ended.
    pub time: Timestamp,
    /// The function that was invoked.
    pub function_arn: &'a str,
}

/// The name that Firehose gives an object (Firehose developer guide, "Configure Amazon S3 object name format"): the hour is
/// that of the oldest record's arrival, in UTC. The stream's version is always 1 here.
#[must_use]
pub fn object_name(prefix: &str, oldest_arrival: Timestamp, id: Uuid) -> String {
    let hour = oldest_arrival.strftime("%Y/%m/%d/%H/");
    let time = oldest_arrival.strftime("%Y-%m-%d-%H-%M-%S");
    format!("{prefix}{hour}{STREAM}-1-{time}-{id}")
}

/// The folder of a replay that was told none: `out/replay-2026-11-20T08-22-01Z`, or the next free name after it.
#[must_use]
pub fn default_folder(now: Timestamp) -> PathBuf {
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
mod tests {
    use super::*;
    use crate::delivery::Fault;
    use crate::event::Record;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn objects_are_named_as_firehose_names_them() {
        let arrival = "2026-11-20T08:22:01.9Z".parse().unwrap();
        assert_eq!(
            object_name("firehose/", arrival, Uuid::nil()),
            "firehose/2026/11/20/08/mysfits-clicks-1-2026-11-20-08-22-01-00000000-0000-0000-0000-000000000000",
        );
    }

    #[test]
    fn delivered_bytes_are_joined_and_failed_records_keep_their_originals() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::create(folder.path().join("new")).unwrap();
        let records = ["a", "b", "c", "d"].iter().zip(0..).map(|(data, at)| Record::direct_put(at, 0, data.as_bytes()));
        let event = Event::direct_put(records.collect());
        let fates = [
            Fate::Delivered(b"A\n".to_vec()),
            Fate::Failed(Fault::ProcessingFailed),
            Fate::Dropped,
            Fate::Delivered(b"D\n".to_vec()),
        ];
        let end = BatchEnd { attempts: 1, time: Timestamp::UNIX_EPOCH, function_arn: "arn:f" };
        output.deliver(&event, &fates, &end).unwrap();

        let delivered = output.folder().join("firehose/1970/01/01/00");
        assert_eq!(fs::read_to_string(delivered.join(&names(&delivered)[0])).unwrap(), "A\nD\n");
        let failed = output.folder().join("errors/processing-failed/1970/01/01/00");
        let text = fs::read_to_string(failed.join(&names(&failed)[0])).unwrap();
        let line: ErrorLine = serde_json::from_str(text.trim_end()).unwrap();
        assert_eq!((line.data().unwrap(), line.attempts_made), (b"b".to_vec(), 1));
        assert_eq!(names(output.folder()), ["errors", "firehose"]);
    }

    #[test]
    fn nothing_to_write_makes_no_object() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = Output::create(folder.path().to_owned()).unwrap();
        let event = Event::direct_put(vec![Record::direct_put(0, 0, b"a")]);
        let end = BatchEnd { attempts: 1, time: Timestamp::UNIX_EPOCH, function_arn: "arn:f" };
        output.deliver(&event, &[Fate::Dropped], &end).unwrap();
        output.log(&[]).unwrap();
        assert!(names(folder.path()).is_empty());
        output.log(&["one".to_owned()]).unwrap();
        output.log(&["two".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("function.log")).unwrap(), "one\ntwo\n");
        assert!(matches!(Output::create(folder.path().to_owned()), Err(OutputError::NotEmpty(_))));
    }
}
