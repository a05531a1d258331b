//! The input as events, read ahead of the function.

use std::cell::Cell;
use std::rc::Rc;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::firehose::batch::{Batcher, Limits};
use crate::firehose::event::{Event, Record, STREAM};
use crate::input::{Contents, InputError, Item, Source};

/// How many events are read ahead: enough to keep the function busy, few enough to keep memory small.
const READ_AHEAD: usize = 2;

/// An event, and what was read of the input to make it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) event: Event,
    pub(super) bytes: u64,
}

/// Reads the sources on a thread of its own, which an endless standard input may keep.
pub(super) fn feed(sources: Vec<Source>, limits: Limits) -> mpsc::Receiver<Result<Batch, InputError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut batcher = Batcher::new(limits, STREAM.into());
        let unsent = Rc::new(Cell::new(0));
        let send = |event| sender.blocking_send(Ok(Batch { event, bytes: unsent.take() })).is_ok();
        let last = read(&sources, &mut batcher, &unsent, send).err();
        // An error ends the reading; the records before it go through. Nobody receives any more after an interrupt.
        if batcher.take().is_none_or(send)
            && let Some(error) = last
        {
            let _interrupted = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// Reads until the end, or an error, or until `send` says that nobody wants more. The last records are left in the batcher.
fn read(
    sources: &[Source],
    batcher: &mut Batcher,
    unsent: &Rc<Cell<u64>>,
    send: impl Fn(Event) -> bool,
) -> Result<(), InputError> {
    let mut ids = 0..;
    for source in sources {
        let unsent = Rc::clone(unsent);
        for item in Contents::open(source, move |bytes| unsent.update(|sum| sum + bytes))? {
            let wanted = match item? {
                Item::Record(data) => {
                    // The range has no end.
                    let sequence = ids.next().unwrap_or_default();
                    let record = Record::direct_put(sequence, Timestamp::now().as_millisecond(), data);
                    batcher.push(record).is_none_or(&send)
                }
                // In the order of the files: the records before it go first.
                Item::Event(event) => batcher.take().is_none_or(&send) && send(event),
            };
            if !wanted {
                return Ok(());
            }
        }
    }
    Ok(())
}
