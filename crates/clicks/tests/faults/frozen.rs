//! A function that Lambda froze between two events, and whose connections were lost.

use serde_json::json;
use test_support::mysfits_service::{Response, healthy};
use test_support::put_client::BATCH;
use test_support::up::Up;

use crate::clicks::{event, put_and_wait};
use crate::counts::{Counts, check_in};
use crate::misbehaving::{Misbehaving, summaries, with_service};
use crate::mysfits::Mysfits;
use crate::processes::signal_children;

/// Each event sends a request, and an error is not hidden by a stale list.
const VARIABLES: [&str; 3] = ["LOOKUP_CACHE_SECONDS=0", "LOOKUP_STALE_SECONDS=0", "LOOKUP_TIMEOUT_MS=60000"];

/// Puts clicks before and after the function is frozen.
fn freezes(name: &str, url: &str, mut while_frozen: impl FnMut()) {
    let mut options = with_service(url, &VARIABLES);
    // One attempt only.
    options.extend(["--retries", "0"]);
    let up = Up::start(&options);
    for nth in 0..4 {
        put_and_wait(&up, &event(nth));
        assert_eq!(signal_children(up.process(), "-STOP"), 1, "one function");
        while_frozen();
        assert_eq!(signal_children(up.process(), "-CONT"), 1, "one function");
    }
    check_in(&up, name, &(0..4 * BATCH), Counts::delivered(4 * BATCH));
    let requests: Vec<_> = summaries(&up, 9)
        .iter()
        .map(|line| (line["service_requests"].clone(), line["service_errors"].clone()))
        .collect();
    assert_eq!(requests, vec![(json!(1), json!(0)); 4], "{name}");
}

#[test]
fn connections_that_were_closed_while_a_function_was_frozen_cause_no_error() {
    let mut service = Mysfits::start();
    let url = service.url();
    freezes("a frozen function, its connections closed", &url, || {
        service.switch_off();
        service.switch_on();
    });
}

#[test]
fn connections_that_were_lost_while_a_function_was_frozen_cause_no_error() {
    let service = Misbehaving::start(|request| Response::ThenHang(Box::new(healthy(request))));
    freezes("a frozen function, its connections lost", &service.url(), || {});
    assert_eq!(service.paths().len(), 4);
}
