//! A service that is down, slow, or has invalid responses: with a cold function, for a moment, with a warm function, and after the
//! outage.

use std::thread;

use serde_json::json;
use test_support::mysfits_service::{Request, Response, healthy};
use test_support::put_client::BATCH;
use test_support::up::Up;

use crate::clicks::{event, put};
use crate::counts::{Counts, check_failed, check_in, delivers, fails};
use crate::misbehaving::{Misbehaving, summaries, with_service};
use crate::mysfits::Mysfits;
use crate::processes::signal_children;

struct Outage {
    name: &'static str,
    answer: fn() -> Response,
    /// The requests for one event during the outage: four attempts of the function with four requests each, or fewer if a retry is
    /// of no use.
    requests: usize,
    timeout_ms: &'static str,
}

/// Long enough for a busy machine.
const PATIENT: &str = "LOOKUP_TIMEOUT_MS=10000";
/// For outages that last until the timeout.
const SHORT: &str = "LOOKUP_TIMEOUT_MS=1000";

const OUTAGES: [Outage; 16] = [
    Outage { name: "slow", answer: || list().after_ms(60_000), requests: 16, timeout_ms: SHORT },
    Outage { name: "hanging", answer: || Response::Hang, requests: 16, timeout_ms: SHORT },
    Outage {
        name: "half a body, then nothing",
        answer: || Response::HalfThenHang(body()),
        requests: 16,
        timeout_ms: SHORT,
    },
    Outage { name: "429 with Retry-After: 1", answer: || retry_after("1"), requests: 16, timeout_ms: PATIENT },
    Outage { name: "resetting connections", answer: || Response::Reset, requests: 16, timeout_ms: PATIENT },
    Outage { name: "closing connections", answer: || Response::Close, requests: 16, timeout_ms: PATIENT },
    Outage { name: "garbage", answer: || Response::Garbage, requests: 16, timeout_ms: PATIENT },
    Outage { name: "HTML", answer: html, requests: 16, timeout_ms: PATIENT },
    Outage { name: "other JSON", answer: message, requests: 16, timeout_ms: PATIENT },
    Outage { name: "half a body", answer: || Response::Half(body()), requests: 16, timeout_ms: PATIENT },
    Outage { name: "half a list", answer: half_a_list, requests: 16, timeout_ms: PATIENT },
    Outage { name: "an endless body", answer: || Response::Endless, requests: 16, timeout_ms: PATIENT },
    Outage { name: "503", answer: || Response::status(503), requests: 16, timeout_ms: PATIENT },
    Outage { name: "429", answer: || Response::status(429), requests: 16, timeout_ms: PATIENT },
    // Longer than the deadline of the invocation, which fails at once.
    Outage { name: "429 with Retry-After: 3600", answer: || retry_after("3600"), requests: 4, timeout_ms: PATIENT },
    Outage { name: "403", answer: || Response::status(403), requests: 4, timeout_ms: PATIENT },
];

fn list() -> Response {
    healthy(&Request { path: "/mysfits".to_owned(), ..Request::default() })
}

fn body() -> String {
    let Response::With(200, _, body) = list() else { unreachable!("the list") };
    body
}

/// The body of API Gateway's own errors.
fn message() -> Response {
    Response::json(&json!({ "message": "Internal server error" }))
}

fn half_a_list() -> Response {
    let body = body();
    Response::text(200, &body[..body.len() / 2])
}

fn html() -> Response {
    Response::With(
        200,
        vec![("content-type", "text/html".to_owned())],
        "<!DOCTYPE html><title>Sorry</title>".to_owned(),
    )
}

fn retry_after(seconds: &str) -> Response {
    Response::With(429, vec![("retry-after", seconds.to_owned())], String::new())
}

#[test]
fn outages_of_the_service_fail_a_cold_function_and_not_a_warm_one() {
    // They wait most of the time; the first of them wait longest.
    for outages in OUTAGES.chunks(8) {
        thread::scope(|scope| {
            for outage in outages {
                scope.spawn(|| test_outage(outage));
            }
        });
    }
}

fn test_outage(outage: &Outage) {
    let Outage { name, answer, requests, timeout_ms } = outage;
    let answer = *answer;
    let service = Misbehaving::start(move |_| answer());
    let url = service.url();
    // Each event sends a request. The cached list is used during an outage only.
    let up = Up::start(&with_service(&url, &["LOOKUP_CACHE_SECONDS=0", timeout_ms]));

    fails(&up, &format!("{name}, lasting, a cold function"), &event(0), "Lambda.FunctionError");
    assert_eq!(service.paths(), vec!["/mysfits"; *requests], "{name}");

    let mut wrong = 3;
    service.now(move |request| {
        if wrong == 0 {
            return healthy(request);
        }
        wrong -= 1;
        answer()
    });
    delivers(&up, &format!("{name}, three times"), &event(1));
    assert_eq!(service.paths().len(), 4, "{name}");

    service.now(move |_| answer());
    let retries = up.snapshot()["retries"].clone();
    delivers(&up, &format!("{name}, lasting, a warm function"), &event(2));
    assert_eq!(summaries(&up, 1)[0]["stale_served"], 1, "{name}");
    assert!(service.paths().len() <= 4, "{name}: {:?}", service.paths());

    service.now(healthy);
    delivers(&up, &format!("{name}, over"), &event(3));
    let summary = &summaries(&up, 1)[0];
    assert_eq!((&summary["service_requests"], &summary["stale_served"]), (&json!(1), &json!(0)), "{name}: {summary}");
    assert_eq!(up.snapshot()["retries"], retries, "{name}");
}

#[test]
fn a_slow_service_within_the_timeout_delivers_all() {
    let service = Misbehaving::start(|request| healthy(request).after_ms(1000));
    let url = service.url();
    let up = Up::start(&with_service(&url, &["LOOKUP_CACHE_SECONDS=0", PATIENT]));
    delivers(&up, "slow, and in time", &(0..8 * BATCH));
    assert!(up.snapshot()["retries"] == 0 && summaries(&up, 9).iter().all(|line| line["service_errors"] == 0));
}

#[test]
fn a_service_that_is_down_fails_a_cold_function_and_not_a_warm_one() {
    let mut service = Mysfits::start();
    let url = service.url();
    service.switch_off();
    let no_cache = with_service(&url, &["LOOKUP_CACHE_SECONDS=0"]);
    let up = Up::start(&no_cache);
    fails(&up, "down, lasting, a cold function", &event(0), "Lambda.FunctionError");
    service.switch_on();
    delivers(&up, "down, over", &event(1));
    service.switch_off();
    delivers(&up, "down, lasting, a warm function", &event(2));

    // Firehose retries until the service is back.
    let up = Up::start(&[&no_cache[..], &["--retries", "300"]].concat());
    put(&up, event(0));
    up.until(|view| view["retries"].as_u64() > Some(1));
    service.switch_on();
    up.until_processed(BATCH as u64);
    check_in(&up, "down, for two attempts", &event(0), Counts::delivered(BATCH));
}

#[test]
fn a_function_that_is_killed_at_each_attempt_fails_the_batch() {
    let service = Misbehaving::start(|_| Response::Hang);
    let url = service.url();
    let up = Up::start(&with_service(&url, &["LOOKUP_TIMEOUT_MS=60000"]));
    put(&up, event(0));
    let mut kills = 0;
    while up.snapshot()["failed"] != BATCH {
        // While it waits for the service, because then it has the event.
        up.until(|view| service.paths().len() > kills || view["failed"] == BATCH);
        kills += signal_children(up.process(), "-KILL");
    }
    check_failed(&up, "functions killed at each attempt", &event(0), "Lambda.FunctionError");
    assert_eq!(service.paths().len(), 4);
    service.now(healthy);
    delivers(&up, "functions killed, over", &event(1));
    assert_eq!(up.snapshot()["retries"], 3);
}
