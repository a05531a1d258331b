//! A function that reaches its deadline in each step.
//!
//! It reserves a quarter of a second for its reply, and more for a large event. It should report the error itself: a function that
//! Lambda kills has the error code `Lambda.FunctionTimedOut`, and loses its cache. On a machine that is busy for that quarter of a
//! second it is killed all the same, so one of four attempts must report the error.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use test_support::certificates::{CertificateAuthority, acceptor};
use test_support::mysfits_service::{Request, Response, healthy};
use test_support::patiently;
use test_support::put_client::BATCH;
use test_support::up::Up;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::clicks::{MYSFIT, NUMBERED, event, put_and_wait};
use crate::counts::{Counts, Found, check_in, delivers};
use crate::misbehaving::{Misbehaving, summaries, with_service};
use crate::mysfits::Mysfits;

/// Without a timeout of single requests.
const PATIENT: &str = "LOOKUP_TIMEOUT_MS=60000";
const TWO_SECONDS: [&str; 2] = ["--timeout-seconds", "2"];

/// The service's response that uses up the time in a step, and the error codes of the clicks.
struct Step {
    name: &'static str,
    answer: fn(&Request) -> Response,
    variable: &'static str,
    codes: &'static [&'static str],
}

/// The function reported that the invocation failed.
const FAILED: &str = "Lambda.FunctionError";
/// The function replied, and failed the records.
const REPLIED: &str = "Lambda.ProcessingFailedStatus";
/// The function reached its deadline: it reports that within a quarter of a second, or Lambda kills it.
const AT_THE_DEADLINE: [&str; 2] = [FAILED, "Lambda.FunctionTimedOut"];

const STEPS: [Step; 6] = [
    Step { name: "the head of the response", answer: |_| Response::Hang, variable: PATIENT, codes: &AT_THE_DEADLINE },
    Step { name: "the body", answer: half, variable: PATIENT, codes: &AT_THE_DEADLINE },
    Step { name: "a body that comes late", answer: late_half, variable: PATIENT, codes: &AT_THE_DEADLINE },
    // A second wait would last until the timeout, so it is not started.
    Step { name: "the wait before a retry", answer: |_| in_a_second(), variable: PATIENT, codes: &[FAILED] },
    Step { name: "an item after the list", answer: list_alone, variable: PATIENT, codes: &[REPLIED] },
    Step {
        name: "an item, the service unavailable",
        answer: |_| Response::Hang,
        variable: "LOOKUP_MODE=item",
        codes: &AT_THE_DEADLINE,
    },
];

fn in_a_second() -> Response {
    Response::With(503, vec![("retry-after", "1".to_owned())], String::new())
}

fn half(_: &Request) -> Response {
    Response::HalfThenHang(r#"{"mysfits": [{"mysfitId": "#.repeat(2))
}

/// The first half arrives a second later.
fn late_half(request: &Request) -> Response {
    half(request).after_ms(1000)
}

/// A list of ids without attributes.
fn list_alone(request: &Request) -> Response {
    match request.path.as_str() {
        "/mysfits" => Response::json(&json!({ "mysfits": [{ "mysfitId": MYSFIT }] })),
        _ => Response::Hang,
    }
}

/// Puts clicks, none of which is enriched before the deadline.
#[track_caller]
fn fails_in_time(up: &Up, case: &str, clicks: &Range<usize>, codes: &[&str]) {
    put_and_wait(up, clicks);
    let found = check_in(up, case, clicks, Counts::failed(clicks.len()));
    assert!(found.codes().is_subset(&codes.iter().copied().collect()), "{case}: {:?}\n{}", found.codes(), up.stderr());
    if codes.contains(&FAILED) {
        assert!(found.errors.iter().all(|(_, attempts)| *attempts == 4), "{case}: {:?}", found.errors);
        assert!(
            up.stderr().contains("the function click-processor failed: ServiceUnavailable: "),
            "{case}\n{}",
            up.stderr()
        );
    }
}

#[test]
fn the_deadline_in_each_step_ends_in_the_error_output() {
    thread::scope(|scope| {
        for step in &STEPS {
            scope.spawn(|| {
                let service = Misbehaving::start(step.answer);
                let url = service.url();
                let variables = [PATIENT, step.variable];
                let up = Up::start(&[&with_service(&url, &variables)[..], &TWO_SECONDS].concat());
                let case = format!("the deadline within {}", step.name);
                fails_in_time(&up, &case, &event(0), step.codes);
                if step.codes == [FAILED] {
                    // Each attempt sends two requests, or one if the first response took most of the time.
                    assert!((4..=8).contains(&service.paths().len()), "{case}: {:?}", service.paths());
                }

                service.now(healthy);
                if step.codes == [REPLIED] {
                    // A mysfit of a fresh list is requested again ten seconds after an error.
                    thread::sleep(Duration::from_millis(10_500));
                }
                delivers(&up, &format!("{case}, over"), &event(1));
            });
        }
    });
}

/// An address with a full queue of connections that are not accepted.
struct Full {
    _waiting: Vec<TcpStream>,
    _listener: TcpListener,
    _runtime: Runtime,
}

impl Full {
    fn at(address: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let listen = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            runtime.block_on(async { socket.listen(1) })
        };
        let listener = patiently(listen);
        let waiting = std::iter::from_fn(|| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok());
        Self { _waiting: waiting.take(100).collect(), _listener: listener, _runtime: runtime }
    }
}

#[test]
fn the_deadline_while_connecting_ends_in_the_error_output() {
    let mut service = Mysfits::start();
    let url = service.url();
    service.switch_off();
    let full = Full::at(service.address());
    let up = Up::start(&[&with_service(&url, &[PATIENT])[..], &TWO_SECONDS].concat());
    fails_in_time(&up, "the deadline within connecting", &event(0), &AT_THE_DEADLINE);
    drop(full);
    service.switch_on();
    delivers(&up, "the deadline within connecting, over", &event(1));
}

#[test]
fn the_deadline_in_the_tls_handshake_ends_in_the_error_output() {
    let authority = CertificateAuthority::new();
    let certificate = authority.sign("localhost");
    let silence = Arc::new(Mutex::new(()));
    let waiting = Arc::clone(&silence);
    let service = Misbehaving::with_tls(acceptor(move || {
        drop(waiting.lock());
        certificate.clone()
    }));
    // No handshake completes while this is held. It is dropped before the service, also after a failed assertion.
    let silent = silence.lock().unwrap();
    let roots = authority.file();
    let url = format!("https://localhost:{}", service.port());
    let variables = [&format!("SSL_CERT_FILE={}", roots.path().display()), PATIENT];
    let up = Up::start(&[&with_service(&url, &variables)[..], &TWO_SECONDS].concat());
    fails_in_time(&up, "the deadline within the TLS handshake", &event(0), &AT_THE_DEADLINE);
    assert!(service.paths().is_empty());
    drop(silent);
    delivers(&up, "the deadline within the TLS handshake, over", &event(1));
}

/// A large event reserves more time for its reply: 100 ms for each megabyte.
#[test]
fn the_deadline_of_a_large_event_ends_in_the_error_output() {
    /// About 4.1 MB as an event, and 4.9 MB as a reply.
    const CLICKS: usize = 18_000;
    let service = Misbehaving::start(|_| Response::Hang);
    let url = service.url();
    let one_event =
        ["--timeout-seconds", "3", "--buffer-mb", "3", "--buffer-seconds", "900", "--buffer-records", "18000"];
    let up = Up::start(&[&with_service(&url, &[PATIENT])[..], &one_event].concat());
    let case = "the deadline within the look-up of an event of 4 MB";
    fails_in_time(&up, case, &(0..CLICKS), &AT_THE_DEADLINE);
    let lines = summaries(&up, 4);
    assert!(lines.iter().all(|line| line["event_bytes"].as_u64() > Some(4_000_000)), "{lines:?}");
    // Of three seconds, 250 ms and 400 ms are reserved. The least busy attempt shows it.
    let look_up_ms = lines.iter().map(|line| line["look_up_ms"].as_f64().unwrap()).fold(f64::INFINITY, f64::min);
    assert!(look_up_ms < 2_500.0, "{look_up_ms} ms");

    service.now(healthy);
    delivers(&up, &format!("{case}, over"), &(CLICKS..2 * CLICKS));
}

#[test]
fn responses_close_to_the_deadline_deliver_or_fail_whole_events() {
    let mut random = crate::chaos::random();
    // Of two seconds, 1750 ms are for look-ups.
    let service = Misbehaving::start(move |request| healthy(request).after_ms(random.u64(1500..2000)));
    let url = service.url();
    let variables = [PATIENT, "LOOKUP_CACHE_SECONDS=0", "LOOKUP_STALE_SECONDS=0"];
    let records = BATCH.to_string();
    // One attempt, so that both outcomes occur.
    let events = [&TWO_SECONDS[..], &["--buffer-records", &records, "--retries", "0"]].concat();
    let up = Up::start(&[&with_service(&url, &variables)[..], &events].concat());
    let clicks = 0..16 * BATCH;
    put_and_wait(&up, &clicks);
    let found = Found::of(&up.folder().join("out/bucket"), &NUMBERED, &clicks);
    let counts = found.counts();
    counts.print("responses close to the deadline");
    // The timing decides the outcome, but each click has one, and it is that of the whole event.
    assert_eq!(counts, Counts::split(clicks.len() - counts.failed, counts.failed));
    assert!(counts.failed.is_multiple_of(BATCH) && found.others.is_empty(), "{counts:?}");
    assert!(found.codes().is_subset(&BTreeSet::from(AT_THE_DEADLINE)), "{:?}\n{}", found.codes(), up.stderr());
}
