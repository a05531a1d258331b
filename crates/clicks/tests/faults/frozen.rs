//! A function that Lambda froze between two events, and whose connections did not outlive that.

use serde_json::json;
use test_support::put_client::BATCH;
use test_support::up::Up;

use crate::clicks::{event, put_through};
use crate::counts::{Counts, check_in};
use crate::misbehaving::{Misbehaving, asking, summaries};
use crate::mysfits::Mysfits;
use crate::processes::signal_children;
use crate::service::{Answer, well_built};

/// Each event asks, so that it has a use for a connection; and what is asked in vain is not made up for.
const VARIABLES: [&str; 3] = ["MYSFITS_CACHE_SECONDS=0", "MYSFITS_STALE_SECONDS=0", "MYSFITS_TIMEOUT_MS=60000"];

/// Puts clicks before and after the function is frozen, with what happens meanwhile.
fn freezes(name: &str, url: &str, mut meanwhile: impl FnMut()) {
    let mut options = asking(url, &VARIABLES);
    // No attempt more than the first.
    options.extend(["--retries", "0"]);
    let up = Up::start(&options);
    for nth in 0..4 {
        put_through(&up, &event(nth));
        assert_eq!(signal_children(up.process(), "-STOP"), 1, "one function");
        meanwhile();
        assert_eq!(signal_children(up.process(), "-CONT"), 1, "one function");
    }
    check_in(&up, name, &(0..4 * BATCH), Counts::delivered(4 * BATCH));
    let asked: Vec<_> = summaries(&up, 9)
        .iter()
        .map(|line| (line["service_requests"].clone(), line["service_errors"].clone()))
        .collect();
    assert_eq!(asked, vec![(json!(1), json!(0)); 4], "{name}");
}

#[test]
fn connections_that_were_closed_while_a_function_was_frozen_cost_nothing() {
    let mut service = Mysfits::start();
    let url = service.url();
    freezes("a frozen function, its connections closed meanwhile", &url, || {
        service.switch_off();
        service.switch_on();
    });
}

#[test]
fn connections_that_went_dead_without_a_word_while_a_function_was_frozen_cost_nothing() {
    let service = Misbehaving::start(|request| Answer::ThenHang(Box::new(well_built(request))));
    freezes("a frozen function, its connections dead without a word", &service.url(), || {});
    assert_eq!(service.paths().len(), 4);
}
