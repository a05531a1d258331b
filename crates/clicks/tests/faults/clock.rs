//! A clock that jumps while the function is warm. The deadline is in wall-clock time, and Lambda enforces the timeout by a clock of
//! its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::json;
use test_support::mysfits_service::{Response, healthy};
use test_support::up::Up;

use crate::clicks::{event, put_and_wait};
use crate::counts::{delivers, fails};
use crate::misbehaving::{Misbehaving, summaries, with_service};

/// Debian's libfaketime. The loader replaces `$LIB` with the folder of this machine's libraries.
const LIBRARY: &str = "LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1";

/// Long enough for a busy machine: without timeouts, whose retries would be counted.
const PATIENT: &str = "LOOKUP_TIMEOUT_MS=60000";

/// The wall clock of a function.
struct Clock {
    file: PathBuf,
    variable: String,
}

impl Clock {
    fn in_folder(folder: &Path) -> Self {
        let file = folder.join("clock");
        let clock = Self { variable: format!("FAKETIME_TIMESTAMP_FILE={}", file.display()), file };
        clock.set("+0");
        clock
    }

    /// The variables for the function. Its monotonic clock is not changed.
    fn variables(&self) -> [&str; 4] {
        [LIBRARY, &self.variable, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    }

    /// Sets the offset from the right time.
    fn set(&self, offset: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.file).unwrap();
    }
}

/// Checks the offset of the function's clock by its last line: without the library, nothing would be tested.
#[track_caller]
fn assert_off(up: &Up, minutes: i64) {
    let timestamp = summaries(up, 1)[0]["timestamp"].as_str().unwrap().to_owned();
    let timestamp: jiff::Timestamp = timestamp.parse().unwrap();
    let off = timestamp.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((off - minutes * 60).abs() < 240, "{off} s off: is faketime installed?\n{}", up.log());
}

/// Sets the clock forwards and backwards, with a batch at each time.
fn jumps(up: &Up, clock: &Clock, how: &str, stale: usize) {
    for (nth, (name, offset, minutes)) in (1..).zip([
        ("ten minutes on", "+10m", 10),
        ("twenty minutes back from there", "-10m", -10),
        ("ten minutes on, to the right time", "+0", 0),
        ("five hours on", "+5h", 300),
        ("seven hours back from there", "-2h", -120),
        ("two hours on, to the right time", "+0", 0),
    ]) {
        clock.set(offset);
        delivers(up, &format!("the clock of a warm function jumps {name}{how}"), &event(nth));
        assert_off(up, minutes);
        assert_eq!(summaries(up, 1)[0]["stale_served"], stale);
    }
    assert_eq!(up.snapshot()["retries"], 0);
}

#[test]
fn a_jump_of_the_clock_of_a_warm_function_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::in_folder(folder.path());
    let service = Misbehaving::start(healthy);
    let url = service.url();
    let up = Up::start(&with_service(&url, &[&clock.variables()[..], &[PATIENT]].concat()));
    put_and_wait(&up, &event(0));
    jumps(&up, &clock, "", 0);
    // At the start, and when the list seems to be ten minutes or hours old. A clock that is set back makes nothing older.
    assert_eq!(service.paths().len(), 3);

    // The same while the service hangs, and each event sends a request.
    let variables = [&clock.variables()[..], &["LOOKUP_TIMEOUT_MS=300", "LOOKUP_CACHE_SECONDS=0"]].concat();
    let up = Up::start(&with_service(&url, &variables));
    put_and_wait(&up, &event(0));
    service.now(|_| Response::Hang);
    jumps(&up, &clock, ", the service hanging", 1);
}

/// With a clock that is wrong by hours, or ahead by more than the time left, the deadline is implausible, and the function assumes
/// 30 seconds. With one that is ten minutes behind, it assumes ten minutes too much. If the service hangs, Lambda then kills a
/// function with less time. Its clicks are in the error output, as after any failure.
#[test]
fn an_implausible_deadline_ends_in_the_error_output() {
    let set_to = |name: &str, offset| {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::in_folder(folder.path());
        clock.set(offset);
        let service = Misbehaving::start(|_| Response::Hang);
        let url = service.url();
        let variables = [&clock.variables()[..], &[PATIENT]].concat();
        let up = Up::start(&[&with_service(&url, &variables)[..], &["--timeout-seconds", "1"]].concat());
        let case = format!("a clock that is {name}, the service hanging, a function of one second");
        fails(&up, &case, &event(0), "Lambda.FunctionTimedOut");
        service.now(healthy);
        delivers(&up, &format!("{case}, over"), &event(1));
    };
    thread::scope(|scope| {
        scope.spawn(|| set_to("hours on", "+5h"));
        scope.spawn(|| set_to("hours back", "-5h"));
        scope.spawn(|| set_to("ten minutes on", "+10m"));
        scope.spawn(|| set_to("ten minutes back", "-10m"));
    });
}

#[test]
fn a_wrong_clock_reads_a_date_in_retry_after() {
    for offset in ["+5h", "-5h"] {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::in_folder(folder.path());
        clock.set(offset);
        let mut busy = 2;
        let service = Misbehaving::start(move |request| {
            if busy == 0 {
                return healthy(request);
            }
            busy -= 1;
            let date = jiff::Timestamp::try_from(SystemTime::now() + Duration::from_secs(1)).unwrap();
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            Response::With(503, vec![("retry-after", date)], String::new())
        });
        let url = service.url();
        let up = Up::start(&with_service(&url, &[&clock.variables()[..], &[PATIENT]].concat()));
        delivers(&up, &format!("Retry-After as a date, the clock at {offset}"), &event(0));
        // For a clock that is behind, the date is hours away, so the retry is left to Firehose.
        assert_eq!(
            (service.paths().len(), &up.snapshot()["retries"]),
            (3, &json!(if offset == "+5h" { 0 } else { 2 }))
        );
    }
}
