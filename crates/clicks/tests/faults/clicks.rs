//! Numbered clicks.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use test_support::put_client::{BATCH, Client, request};
use test_support::up::Up;

/// Connections that put at once.
pub(crate) const CLIENTS: usize = 4;

pub(crate) const MYSFIT: &str = "4e53920c-505a-4a90-a694-b9300791f0ae";

/// The text before and after a click's number.
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

/// The number in a text, if the rest matches byte by byte.
pub(crate) fn number(text: &str, [start, end]: [&str; 2]) -> Option<usize> {
    let number = text.strip_prefix(start)?.strip_suffix(end)?;
    number.parse().ok().filter(|_| number.len() == 7)
}

/// The request with the batch of clicks that starts with this number.
pub(crate) fn batch(first: usize) -> Vec<u8> {
    request((first..first + BATCH).map(click))
}

/// The clicks of the `nth` batch, which are one event if nothing else is put.
pub(crate) fn event(nth: usize) -> Range<usize> {
    nth * BATCH..(nth + 1) * BATCH
}

/// Puts clicks by several connections at once. All must be accepted.
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

/// Puts clicks, and waits until they and all before them are processed.
#[track_caller]
pub(crate) fn put_and_wait(up: &Up, clicks: &Range<usize>) {
    put(up, clicks.clone());
    up.until_processed(clicks.end as u64);
}

/// Puts batches until none is left, or the pipeline is killed. A batch without a response is kept.
pub(crate) fn put_until_killed(address: &str, batches: &Mutex<Vec<usize>>) {
    let Ok(mut client) = Client::open(address) else { return };
    loop {
        // Not locked while it is put.
        let first = batches.lock().unwrap().pop();
        let Some(first) = first else { return };
        match client.put(&batch(first)) {
            Ok(response) => assert_eq!(response, Ok(()), "the batch from {first} on, at {address}"),
            Err(_) => return batches.lock().unwrap().push(first),
        }
    }
}
