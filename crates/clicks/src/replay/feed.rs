//! The input as events, read ahead of the function.

use indicatif::ProgressBar;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::error::UsageError;
use crate::input::{Contents, Input, Item, Skipped};
use firehose_model::batch::{Batcher, Limits};
use firehose_model::event::{Event, Record, STREAM};
use firehose_model::kinesis::shard::ShardId;
use firehose_model::source::SourceType;

const READ_AHEAD: usize = 2;

const SKIPPED_PARTS: usize = 100;
const SKIPPED_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Fed {
    /// Before the event.
    pub(super) skipped: Vec<Skipped>,
    pub(super) event: Option<Event>,
}

/// A thread, because standard input may block for ever.
pub(super) fn feed(
    inputs: Vec<Input>,
    source_type: SourceType,
    limits: Limits,
    progress: ProgressBar,
) -> mpsc::Receiver<Result<Fed, UsageError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut feeder = Feeder { sender, progress, skipped: Vec::new(), skipped_bytes: 0 };
        let mut batcher = Batcher::new(limits, STREAM.into());
        let last = read(&inputs, source_type, &mut batcher, &mut feeder).err();
        // The records before an error are processed. After an interrupt, the channel is closed.
        if feeder.send(batcher.take())
            && let Some(error) = last
        {
            let _interrupted = feeder.sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// The last records stay in the batcher.
fn read(
    inputs: &[Input],
    source_type: SourceType,
    batcher: &mut Batcher,
    feeder: &mut Feeder,
) -> Result<(), UsageError> {
    let mut sequences = 0..;
    for input in inputs {
        for item in Contents::open(input, source_type, &feeder.progress)? {
            let wanted = match item? {
                Item::Record(data) => {
                    // The range has no end.
                    let (sequence, now_ms) = (sequences.next().unwrap_or_default(), Timestamp::now().as_millisecond());
                    let record = match source_type {
                        // A file has neither, so any value is valid.
                        SourceType::Kinesis => {
                            Record::from_shard(ShardId(0), sequence, sequence.to_string(), now_ms, data)
                        }
                        SourceType::DirectPut | SourceType::Msk => Record::direct_put(sequence, now_ms, data),
                    };
                    batcher.push(record).is_none_or(|event| feeder.send(Some(event)))
                }
                // In the order of the files: flush the records before it.
                Item::Event(event) => feeder.send(batcher.take()) && feeder.send(Some(event)),
                Item::Skipped(skipped) => feeder.skip(skipped),
            };
            if !wanted {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Its methods return false once the channel is closed.
struct Feeder {
    sender: mpsc::Sender<Result<Fed, UsageError>>,
    progress: ProgressBar,
    skipped: Vec<Skipped>,
    skipped_bytes: usize,
}

impl Feeder {
    fn skip(&mut self, skipped: Skipped) -> bool {
        self.skipped_bytes += skipped.content.len();
        self.skipped.push(skipped);
        let waits = self.skipped.len() < SKIPPED_PARTS && self.skipped_bytes < SKIPPED_BYTES;
        waits || self.send(None)
    }

    /// The event comes after the skipped parts so far.
    fn send(&mut self, event: Option<Event>) -> bool {
        self.skipped_bytes = 0;
        let skipped = std::mem::take(&mut self.skipped);
        self.sender.blocking_send(Ok(Fed { skipped, event })).is_ok()
    }
}
