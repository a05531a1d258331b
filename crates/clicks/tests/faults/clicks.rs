//! Numbered clicks, and how they are put.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use test_support::put_client::{BATCH, Client, request};
use test_support::up::Up;

/// How many connections put at once.
pub(crate) const CLIENTS: usize = 4;

/// The mysfit that is clicked.
pub(crate) const MYSFIT: &str = "4e53920c-505a-4a90-a694-b9300791f0ae";

/// What is before and after a click's number.
pub(crate) const CLICK: [&str; 2] = [r#"{"userId":""#, r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#];

/// The same in a delivered line.
pub(crate) const LINE: [&str; 2] = [
    CLICK[0],
    r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae","goodevil":"Evil","lawchaos":"Lawful","species":"Chimera"}"#,
];

/// The click of this number: all are of the same length.
pub(crate) fn click(number: usize) -> String {
    let [start, end] = CLICK;
    format!("{start}{number:07}{end}")
}

/// The number in a text that is, byte by byte, what it should be.
pub(crate) fn number(text: &str, [start, end]: [&str; 2]) -> Option<usize> {
    let number = text.strip_prefix(start)?.strip_suffix(end)?;
    number.parse().ok().filter(|_| number.len() == 7)
}

/// The request with the click of this number, and those after it.
pub(crate) fn batch(first: usize) -> Vec<u8> {
    request((first..first + BATCH).map(click))
}

/// The clicks of the `nth` batch, which are one event where they are put alone.
pub(crate) fn event(nth: usize) -> Range<usize> {
    nth * BATCH..(nth + 1) * BATCH
}

/// Puts clicks, several connections at once; all have to be accepted.
pub(crate) fn put(up: &Up, clicks: Range<usize>) {
    let next = AtomicUsize::new(clicks.start);
    thread::scope(|scope| {
        for _ in 0..CLIENTS.min(clicks.len() / BATCH) {
            scope.spawn(|| {
                let mut client = Client::open(up.firehose()).unwrap();
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= clicks.end {
                        return;
                    }
                    assert_eq!(client.put(&batch(first)).unwrap(), Ok(()), "{}", up.stderr());
                }
            });
        }
    });
}

/// Puts clicks, and waits until they and all before them are at their end.
#[track_caller]
pub(crate) fn put_through(up: &Up, clicks: &Range<usize>) {
    put(up, clicks.clone());
    up.until_processed(clicks.end as u64);
}

/// Puts batches until there is none, or Firehose is gone; what was not acknowledged is there for the next one.
pub(crate) fn put_while_it_lives(address: &str, batches: &Mutex<Vec<usize>>) {
    let Ok(mut client) = Client::open(address) else { return };
    loop {
        // Not locked while it is put.
        let first = batches.lock().unwrap().pop();
        let Some(first) = first else { return };
        match client.put(&batch(first)) {
            Ok(answer) => assert_eq!(answer, Ok(()), "the batch from {first} on, at {address}"),
            Err(_) => return batches.lock().unwrap().push(first),
        }
    }
}
