//! One delivery stream on this machine: from an accepted record to an object in the storage.
//!
//! ```text
//! put ─▶ ledger ─▶ lanes ─▶ buffer ─▶ transform ─▶ function ─▶ destination ─▶ upload ─▶ storage
//!        (state     (one a    (by size   (attempts,    (a process    (an object per    (until it
//!         on disk)   shard)    and time)  fates)        each)          prefix)           works)
//! ```
//!
//! Records come by Direct PUT, or by the data stream that the delivery stream reads; theirs is an order, which holds up to the
//! storage.
//!
//! A record is accepted with a [`Receipt`](receipt::Receipt), which is settled when the record's bytes are stored, as what the
//! function made of them, as an error object, or, dropped, not at all. What is not settled is on disk, where there is a state.

mod buffer;
mod clicks;
mod data_stream;
mod destination;
mod lanes;
mod ledger;
mod object;
mod receipt;
mod settings;
mod state;
mod transform;
mod turns;
mod upload;
mod view;
mod watched;

use std::ffi::OsStr;
use std::future::{Future, ready};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::Either;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::data_stream::{DataStream, NotPlaced, Placed, ToShard};
use self::destination::Destination;
use self::lanes::Lanes;
use self::ledger::Ledger;
use self::receipt::Accepted;
pub use self::settings::{Buffering, Command, DataStreamSettings, FunctionSettings, Source, StreamSettings};
use self::state::{State, StateError};
use self::transform::Transform;
use self::upload::Uploads;
use self::view::Shards;
pub use self::view::View;
use self::watched::Watched;
use crate::functions::{FunctionLog, Functions};
use firehose_model::event::{Record, stream_arn};
use object_storage::Bucket;

/// The extension of a stream's state.
const STATE: &str = "redb";

/// Why a stream does not start.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The records of an earlier run can't be read, or new ones not be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The folder of the state can't be made.
    #[error("could not make the folder {} (`--state`)", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// Why a record was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Too many bytes are under way.
    Busy,
    /// The stream is stopping, or its state can't be written.
    Unavailable,
}

/// The stream is stopping, or its state can't be written.
pub struct Unavailable;

impl From<Unavailable> for Refused {
    fn from(_: Unavailable) -> Self {
        Self::Unavailable
    }
}

/// A running stream. Its clones are the same one.
#[derive(Debug, Clone)]
pub struct Stream(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: StreamSettings,
    since: Timestamp,
    bucket: Arc<Bucket>,
    ledger: Arc<Ledger>,
    watched: Arc<Watched>,
    functions: Option<Arc<Functions>>,
    /// The way into the buffer, until the stream stops.
    intake: Mutex<Option<mpsc::UnboundedSender<Vec<Accepted>>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What a stream needs besides its settings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// How its function is started; without it, records are delivered as they came.
    pub function: Option<runtime_api::Settings>,
    /// Where the function's log goes.
    pub function_log: Arc<FunctionLog>,
    /// Where the objects go.
    pub bucket: Arc<Bucket>,
    /// The folder where accepted records are kept until they are settled.
    pub state: Option<PathBuf>,
}

impl Stream {
    /// Starts with what an earlier run has left in the state.
    pub fn start(settings: StreamSettings, around: Surroundings) -> Result<Self, StreamError> {
        let watched =
            Watched::new(&settings.name).with_intervals(settings.buffer.interval, settings.destination_buffer.interval);
        let watched = Arc::new(watched);
        let (state, left) = match &around.state {
            None => (None, Vec::new()),
            Some(folder) => {
                let (state, left) = open_state(folder, &settings.name)?;
                (Some(state), left)
            }
        };
        let (ledger, left) = Ledger::new(settings.backlog_bytes, state, left, Arc::clone(&watched));
        let ledger = Arc::new(ledger);

        let functions = around.function.map(|function| Arc::new(Functions::new(function, around.function_log)));
        let function_arn = functions.as_ref().map(|functions| functions.arn().to_owned()).unwrap_or_default();
        let (to_destination, items) = mpsc::unbounded_channel();
        let transform = Transform {
            functions: functions.clone(),
            function_arn: function_arn.clone(),
            retries: settings.retries,
            prefix: settings.prefix.clone(),
            ledger: Arc::clone(&ledger),
            watched: Arc::clone(&watched),
            destination: to_destination,
        };
        let lanes = Lanes::new(&settings, transform, Arc::clone(&watched));
        let bucket = Arc::clone(&around.bucket);
        let uploads = Uploads::new(settings.clone(), bucket, Arc::clone(&ledger), Arc::clone(&watched));
        let destination = Destination::new(settings.destination_buffer, function_arn, uploads, Arc::clone(&watched));

        let (intake, accepted) = mpsc::unbounded_channel();
        let tasks = vec![tokio::spawn(lanes.run(accepted)), tokio::spawn(destination.run(items))];
        // What an earlier run has left comes first.
        let _received = intake.send(left);
        Ok(Self(Arc::new(Parts {
            settings,
            since: Timestamp::now(),
            bucket: around.bucket,
            ledger,
            watched,
            functions,
            intake: Mutex::new(Some(intake)),
            tasks: Mutex::new(tasks),
        })))
    }

    /// Such as `mysfits-clicks`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// The stream's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        stream_arn(self.name())
    }

    /// The function's ARN, where it has one.
    #[must_use]
    pub fn function_arn(&self) -> Option<&str> {
        self.0.functions.as_ref().map(|functions| functions.arn())
    }

    /// When it started.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.0.since
    }

    /// What it was told to be.
    #[must_use]
    pub fn settings(&self) -> &StreamSettings {
        &self.0.settings
    }

    /// The storage.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.0.bucket
    }

    /// What is going on.
    #[must_use]
    pub fn view(&self) -> View {
        let data_stream = match &self.0.settings.source {
            Source::DirectPut => None,
            Source::Kinesis(settings) => {
                Some(Shards { shards: settings.shards().count(), on_demand: settings.provisioned.is_none() })
            }
        };
        View { data_stream, transformed: self.0.functions.is_some(), ..self.0.watched.view() }
    }

    /// How many records are accepted and not settled: neither stored nor dropped, or not in the backup.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.0.ledger.unsettled()
    }

    /// Accepts records, each base64 that has been checked: gives each one's id, in order. With a state, they are on disk then.
    pub async fn put(&self, data: Vec<String>) -> Vec<Result<String, Refused>> {
        let now_ms = Timestamp::now().as_millisecond();
        let accepted = data.into_iter().map(|data| self.0.ledger.accept(data, now_ms).ok_or(Refused::Busy));
        self.keep(accepted, |record| record.record_id.clone()).await
    }

    /// Keeps what the ledger accepts, and gives the answer to each record. It has begun when the call is back.
    fn keep<A, E: From<Unavailable>>(
        &self,
        records: impl ExactSizeIterator<Item = Result<Accepted, E>>,
        answer: impl Fn(&Record) -> A,
    ) -> impl Future<Output = Vec<Result<A, E>>> {
        // A sender of its own: what is accepted here gets into the buffer, whoever stops the stream meanwhile.
        let intake = self.0.intake.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(intake) = intake else {
            let refused = (0..records.len()).map(|_| Err(Unavailable.into()));
            return Either::Left(ready(refused.collect()));
        };
        let mut accepted = Vec::with_capacity(records.len());
        let mut answers = Vec::with_capacity(records.len());
        for record in records {
            answers.push(record.map(|record| {
                let answer = answer(&record.record);
                accepted.push(record);
                answer
            }));
        }
        let kept = if accepted.is_empty() {
            Either::Left(ready(true))
        } else {
            Either::Right(self.0.ledger.keep(accepted, intake))
        };
        Either::Right(kept.map(|kept| {
            if kept {
                return answers;
            }
            answers.into_iter().map(|answer| answer.and(Err(Unavailable.into()))).collect()
        }))
    }

    /// Whether an object of this run is in the storage.
    #[must_use]
    pub fn has_stored(&self) -> bool {
        !self.0.watched.view().objects.is_empty()
    }

    /// When the first object of this run went to the storage.
    #[must_use]
    pub fn first_put(&self) -> Option<Instant> {
        self.0.watched.first_put()
    }

    /// Whether the storage has refused an object of this run.
    #[must_use]
    pub fn has_refused(&self) -> bool {
        self.0.watched.has_refused()
    }

    /// Whether its function waits until this machine can start and reach it.
    #[must_use]
    pub fn waits_for_this_machine(&self) -> bool {
        self.0.functions.as_ref().is_some_and(|functions| functions.shortage().lasts())
    }

    /// Tells that nobody waits for the end: the process does not go on.
    pub fn give_up(&self) {
        self.0.ledger.give_up();
    }

    /// Accepts nothing more, puts everything through to the storage, however long that takes, and ends. Tells whether all is
    /// settled, on the disk as well.
    pub async fn stop(&self) -> bool {
        self.0.intake.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tasks = std::mem::take(&mut *self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so; what it had in hand is not settled.
            let _panicked = task.await;
        }
        if let Some(functions) = &self.0.functions {
            functions.stop().await;
        }
        self.0.ledger.close().await && self.left() == 0
    }
}

/// The files in a state's folder that none of these streams opens: what they hold stays there.
pub fn left_alone(folder: &Path, streams: &[StreamSettings]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let of_a_stream = |path: &PathBuf| streams.iter().any(|stream| *path == state_path(folder, &stream.name));
    entries.filter(|path| path.extension() == Some(OsStr::new(STATE)) && !of_a_stream(path)).collect()
}

fn state_path(folder: &Path, stream: &str) -> PathBuf {
    folder.join(format!("{stream}.{STATE}"))
}

fn open_state(folder: &Path, stream: &str) -> Result<(State, Vec<(u64, Record)>), StreamError> {
    let made = state_file::make_folder(folder);
    made.map_err(|source| StreamError::Folder { path: folder.to_owned(), source })?;
    Ok(State::open(&state_path(folder, stream))?)
}
