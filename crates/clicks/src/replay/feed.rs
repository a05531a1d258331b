//! The input as events, read ahead of the function.

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::batch::{Batcher, Limits};
use crate::event::Event;
use crate::input::{Contents, InputError, Item, Source};
use crate::progress::Progress;

/// How many events are read ahead: enough to keep the function busy, few enough to keep memory small.
const READ_AHEAD: usize = 2;

/// Reads the sources on a thread of its own, which an endless standard input may keep.
pub(super) fn feed(
    sources: Vec<Source>,
    limits: Limits,
    progress: Progress,
) -> mpsc::Receiver<Result<Event, InputError>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut batcher = Batcher::new(limits);
        let last = read(&sources, &mut batcher, &progress, |event| sender.blocking_send(Ok(event)).is_ok()).err();
        // An error ends the reading; the records before it go through.
        for event in batcher.take().map(Ok).into_iter().chain(last.map(Err)) {
            // Nobody receives any more after an interrupt.
            let _interrupted = sender.blocking_send(event);
        }
    });
    receiver
}

/// Reads until the end, or an error, or until `send` says that nobody wants more. The last records are left in the batcher.
fn read(
    sources: &[Source],
    batcher: &mut Batcher,
    progress: &Progress,
    send: impl Fn(Event) -> bool,
) -> Result<(), InputError> {
    for source in sources {
        let count = progress.clone();
        for item in Contents::open(source, move |bytes| count.read(bytes))? {
            let wanted = match item? {
                Item::Record(data) => batcher.push(&data, Timestamp::now()).is_none_or(&send),
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
