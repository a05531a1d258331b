//! A function whose time is up, whatever it is at.
//!
//! It has one second, of which it keeps a quarter for its reply. It has to say itself that it failed: one that Lambda ends has
//! `Lambda.FunctionTimedOut` for its error code, and loses what it remembers.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::clicks::{MYSFIT, event, put_through};
use crate::counts::{Counts, Found, check_in, delivers, fails};
use crate::load::BATCH;
use crate::misbehaving::{Misbehaving, asking};
use crate::service::{Answer, Request, well_built};
use crate::up::Up;

/// One attempt may take as long as it likes.
const PATIENT: &str = "MYSFITS_TIMEOUT_MS=60000";
const ONE_SECOND: [&str; 2] = ["--timeout-seconds", "1"];

/// What the service does so that time runs out there, and what becomes of the clicks.
struct Step {
    name: &'static str,
    answer: fn(&Request) -> Answer,
    variable: &'static str,
    code: &'static str,
}

/// The function said that the invocation failed.
const FAILED: &str = "Lambda.FunctionError";
/// The function answered, and failed the records.
const ANSWERED: &str = "Lambda.ProcessingFailedStatus";

const STEPS: [Step; 6] = [
    Step { name: "the head of the answer", answer: |_| Answer::Hang, variable: PATIENT, code: FAILED },
    Step { name: "the body", answer: half, variable: PATIENT, code: FAILED },
    Step { name: "a body that comes late", answer: late_half, variable: PATIENT, code: FAILED },
    Step {
        name: "the wait before a retry",
        answer: |_| Answer::status(503).after_ms(200),
        variable: PATIENT,
        code: FAILED,
    },
    Step { name: "an item after the list", answer: list_alone, variable: PATIENT, code: ANSWERED },
    Step {
        name: "an item, the service unavailable",
        answer: |_| Answer::Hang,
        variable: "MYSFITS_LOOKUP=item",
        code: FAILED,
    },
];

fn half(_: &Request) -> Answer {
    Answer::HalfThenHang(r#"{"mysfits": [{"mysfitId": "#.repeat(2))
}

/// The first half comes half a second later.
fn late_half(request: &Request) -> Answer {
    half(request).after_ms(500)
}

/// A list of ids, whose attributes have to be asked for one by one.
fn list_alone(request: &Request) -> Answer {
    match request.path.as_str() {
        "/mysfits" => Answer::json(&json!({ "mysfits": [{ "mysfitId": MYSFIT }] })),
        _ => Answer::Hang,
    }
}

#[test]
fn what_becomes_of_clicks_when_the_time_is_up_at_each_step() {
    thread::scope(|scope| {
        for step in &STEPS {
            scope.spawn(|| {
                let service = Misbehaving::start(step.answer);
                let url = service.url();
                let variables = [PATIENT, step.variable];
                let up = Up::start(&[&asking(&url, &variables)[..], &ONE_SECOND].concat());
                put_through(&up, &event(0));
                let case = format!("the deadline within {}", step.name);
                let found = check_in(&up, &case, &event(0), Counts::failed(BATCH));
                assert_eq!(found.codes(), BTreeSet::from([step.code]), "{case}\n{}", up.log());

                service.now(well_built);
                delivers(&up, &format!("{case}, over"), &event(1));
            });
        }
    });
}

/// An address where nobody takes connections, and as many wait as may.
struct Full {
    address: SocketAddr,
    _waiting: Vec<TcpStream>,
    _listener: TcpListener,
    _runtime: Runtime,
}

impl Full {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = runtime.block_on(async { socket.listen(1) }).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok());
        Self { address, _waiting: waiting.take(100).collect(), _listener: listener, _runtime: runtime }
    }
}

#[test]
fn what_becomes_of_clicks_when_the_time_is_up_while_connecting() {
    let full = Full::new();
    let url = format!("http://{}", full.address);
    let up = Up::start(&[&asking(&url, &[PATIENT])[..], &ONE_SECOND].concat());
    fails(&up, "the deadline within connecting", &event(0), FAILED);
}

#[test]
fn what_becomes_of_clicks_when_answers_come_about_the_time_that_is_left() {
    let mut random = crate::chaos::random();
    // Of one second, 750 ms are for look-ups.
    let service = Misbehaving::start(move |request| well_built(request).after_ms(random.u64(500..1000)));
    let url = service.url();
    let variables = [PATIENT, "MYSFITS_CACHE_SECONDS=0", "MYSFITS_STALE_SECONDS=0"];
    let records = BATCH.to_string();
    let events = [&ONE_SECOND[..], &["--buffer-records", &records]].concat();
    let up = Up::start(&[&asking(&url, &variables)[..], &events].concat());
    let clicks = 0..16 * BATCH;
    put_through(&up, &clicks);
    let found = Found::of(&up.folder().join("out/bucket"), &clicks);
    let counts = found.counts();
    counts.tell("answers at about the deadline");
    // Which, is a matter of time; but each has its end, once, and the function says it itself.
    assert_eq!(counts, Counts::split(clicks.len() - counts.failed, counts.failed));
    assert!(found.codes().is_subset(&BTreeSet::from([FAILED])), "{:?}\n{}", found.codes(), up.stderr());
}
