//! The input as events, read ahead of the function.

use std::cell::Cell;
use std::rc::Rc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::input::{Contents, InputError, Item, Skipped, Source};
use firehose_model::batch::{Batcher, Limits, SourceType};
use firehose_model::event::{Event, Record, STREAM};
use firehose_model::kinesis::shard::ShardId;

/// How many events are read ahead: enough to keep the function busy, few enough to keep memory small.
const READ_AHEAD: usize = 2;

/// How much of what is skipped waits for the next event, so that not each part of it is written to the disk alone.
const SKIPPED_PARTS: usize = 100;
const SKIPPED_BYTES: usize = 1024 * 1024;

/// An event, and what was read of the input to make it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) event: Event,
    pub(super) bytes: u64,
}

/// What is read of the input.
#[derive(Debug)]
pub(super) enum Fed {
    /// An event.
    Batch(Batch),
    /// What can't be put through.
    Skipped(Vec<Skipped>),
}

/// Reads the sources on a thread of its own, which an endless standard input may keep.
pub(super) fn feed(
    sources: Vec<Source>,
    source_type: SourceType,
    limits: Limits,
) -> mpsc::Receiver<Result<Fed, InputError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut feeder = Feeder { sender, unsent: Rc::default(), skipped: Vec::new(), skipped_bytes: 0 };
        let mut batcher = Batcher::new(limits, STREAM.into());
        let last = read(&sources, source_type, &mut batcher, &mut feeder).err();
        // An error ends the reading; the records before it go through. Nobody receives any more after an interrupt.
        if batcher.take().is_none_or(|event| feeder.batch(event))
            && feeder.skipped()
            && let Some(error) = last
        {
            let _interrupted = feeder.sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Reads until the end, or an error, or until nobody receives any more. The last records are left in the batcher.
fn read(
    sources: &[Source],
    source_type: SourceType,
    batcher: &mut Batcher,
    feeder: &mut Feeder,
) -> Result<(), InputError> {
    let mut sequences = 0..;
    for source in sources {
        let unsent = Rc::clone(&feeder.unsent);
        for item in Contents::open(source, source_type, move |bytes| unsent.update(|sum| sum + bytes))? {
            let wanted = match item? {
                Item::Record(data) => {
                    // The range has no end.
                    let (sequence, now_ms) = (sequences.next().unwrap_or_default(), Timestamp::now().as_millisecond());
                    let record = match source_type {
                        // Neither is told by a file, and any will do.
                        SourceType::Kinesis => {
                            Record::from_shard(ShardId(0), sequence, sequence.to_string(), now_ms, data)
                        }
                        SourceType::DirectPut | SourceType::Msk => Record::direct_put(sequence, now_ms, data),
                    };
                    batcher.push(record).is_none_or(|event| feeder.batch(event))
                }
                // In the order of the files: the records before it go first.
                Item::Event(event) => batcher.take().is_none_or(|event| feeder.batch(event)) && feeder.batch(event),
                Item::Skipped(skipped) => feeder.skip(skipped),
            };
            if !wanted {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Sends what is read, as long as it is received.
struct Feeder {
    sender: mpsc::Sender<Result<Fed, InputError>>,
    /// What was read since the last event, in bytes.
    unsent: Rc<Cell<u64>>,
    skipped: Vec<Skipped>,
    skipped_bytes: usize,
}

impl Feeder {
    fn batch(&mut self, event: Event) -> bool {
        let bytes = self.unsent.take();
        self.skipped() && self.sender.blocking_send(Ok(Fed::Batch(Batch { event, bytes }))).is_ok()
    }

    fn skip(&mut self, skipped: Skipped) -> bool {
        self.skipped_bytes += skipped.content.len();
        self.skipped.push(skipped);
        let waits = self.skipped.len() < SKIPPED_PARTS && self.skipped_bytes < SKIPPED_BYTES;
        waits || self.skipped()
    }

    fn skipped(&mut self) -> bool {
        self.skipped_bytes = 0;
        let skipped = std::mem::take(&mut self.skipped);
        skipped.is_empty() || self.sender.blocking_send(Ok(Fed::Skipped(skipped))).is_ok()
    }
}
