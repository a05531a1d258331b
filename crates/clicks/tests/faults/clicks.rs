//! Clicks with numbers, and the clients that put them.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fastrand::Rng;
use test_support::put_client::{BATCH, Client, request};
use test_support::up::Up;

/// Connections that put at once.
pub(crate) const CLIENTS: usize = 4;

pub(crate) const MYSFIT: &str = "4e53920c-505a-4a90-a694-b9300791f0ae";

/// Clicks that are equal but for their numbers, and of the same length.
pub(crate) struct Clicks {
    /// The text before and after a click's number.
    click: [Cow<'static, str>; 2],
    /// The same in a delivered line.
    line: [Cow<'static, str>; 2],
}

/// Clicks of visitors: the number is the `userId`.
pub(crate) static NUMBERED: Clicks = Clicks {
    click: [Cow::Borrowed(r#"{"userId":""#), Cow::Borrowed(r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#)],
    line: [
        Cow::Borrowed(r#"{"userId":""#),
        Cow::Borrowed(
            r#"","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae","goodevil":"Evil","lawchaos":"Lawful","species":"Chimera"}"#,
        ),
    ],
};

impl Clicks {
    /// Clicks of one visitor, with ids that `--click-identity` keeps: nothing else distinguishes them. The number is the end of an id,
    /// a UUID.
    pub(crate) fn with_ids(random: &mut Rng) -> Self {
        let [version, variant] = [random.u16(..0x1000), random.u16(..0x1000)];
        let id = format!("{:08x}-{:04x}-4{version:03x}-8{variant:03x}-00000", random.u32(..), random.u16(..));
        let start = format!(r#"{{"userId":"guest","mysfitId":"{MYSFIT}","clickId":"{id}"#);
        let time = r#"","clickedAt":"2026-11-29T08:15:00.123Z""#;
        let attributes = r#","goodevil":"Evil","lawchaos":"Lawful","species":"Chimera"}"#;
        Self {
            click: [start.clone().into(), format!("{time}}}").into()],
            line: [start.into(), format!("{time}{attributes}").into()],
        }
    }

    /// The click of this number.
    pub(crate) fn click(&self, number: usize) -> String {
        let [start, end] = &self.click;
        format!("{start}{number:07}{end}")
    }

    /// The request with the batch of clicks that starts with this number.
    pub(crate) fn batch(&self, first: usize) -> Vec<u8> {
        request((first..first + BATCH).map(|number| self.click(number)))
    }

    /// The number of a click, if the rest matches byte by byte.
    pub(crate) fn number(&self, click: &str) -> Option<usize> {
        number(click, &self.click)
    }

    /// The number of a delivered line, if the rest matches byte by byte.
    pub(crate) fn number_of_line(&self, line: &str) -> Option<usize> {
        number(line, &self.line)
    }

    /// Puts clicks by several connections at once. All must be accepted.
    pub(crate) fn put(&self, up: &Up, numbers: Range<usize>) {
        let next = AtomicUsize::new(numbers.start);
        thread::scope(|scope| {
            for _ in 0..CLIENTS.min(numbers.len() / BATCH) {
                scope.spawn(|| {
                    let mut client = Client::open(up.firehose()).unwrap();
                    loop {
                        let first = next.fetch_add(BATCH, Ordering::Relaxed);
                        if first >= numbers.end {
                            return;
                        }
                        assert_eq!(client.put(&self.batch(first)).unwrap(), Ok(()), "{}", up.stderr());
                    }
                });
            }
        });
    }

    /// Puts batches until none is left, or the pipeline is killed. A batch without a response is kept.
    pub(crate) fn put_until_killed(&self, address: &str, batches: &Mutex<Vec<usize>>) {
        let Ok(mut client) = Client::open(address) else { return };
        loop {
            // Not locked while it is put.
            let first = batches.lock().unwrap().pop();
            let Some(first) = first else { return };
            match client.put(&self.batch(first)) {
                Ok(response) => assert_eq!(response, Ok(()), "the batch from {first} on, at {address}"),
                Err(_) => return batches.lock().unwrap().push(first),
            }
        }
    }
}

fn number(text: &str, [start, end]: &[Cow<'static, str>; 2]) -> Option<usize> {
    let number = text.strip_prefix(start.as_ref())?.strip_suffix(end.as_ref())?;
    number.parse().ok().filter(|_| number.len() == 7)
}

/// The clicks of the `nth` batch, which are one event if nothing else is put.
pub(crate) fn event(nth: usize) -> Range<usize> {
    nth * BATCH..(nth + 1) * BATCH
}

/// Puts clicks of visitors: see [`Clicks::put`].
pub(crate) fn put(up: &Up, numbers: Range<usize>) {
    NUMBERED.put(up, numbers);
}

/// Puts clicks, and waits until they and all before them are processed.
#[track_caller]
pub(crate) fn put_and_wait(up: &Up, numbers: &Range<usize>) {
    put(up, numbers.clone());
    up.until_processed(numbers.end as u64);
}
