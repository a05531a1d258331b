//! The cache of a warm function: fresh, stale and expired values.

use serde_json::json;

use crate::harness::{COCO, EVANGELINE, PAULY, UNKNOWN_ID, clicks_on, event, invoke, invoke_failing, processor};
use test_support::mysfits_service::{Request, Response, ScriptedMysfitsService, healthy};

#[tokio::test]
async fn while_the_cache_is_fresh_no_request_is_sent() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    let first = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!(first.summary()["service_requests"], 1);
    service.now(|_| Response::status(500));
    for _ in 0..3 {
        let warm = invoke(&mut function, clicks_on(&[PAULY, EVANGELINE])).await;
        assert_eq!((warm.counts(), &warm.summary()["service_requests"]), ((2, 0, 0), &json!(0)));
        assert_eq!(warm.summary()["stale_served"], 0);
        assert!(warm.summary()["cache_age_ms"].as_f64().unwrap() < 300_000.0);
    }
    assert_eq!(service.paths().len(), 0);
}

#[tokio::test]
async fn no_request_is_sent_before_the_first_click() {
    let service = ScriptedMysfitsService::healthy().await;
    for lookup in ["list", "item"] {
        let mut function = processor(&service, &[("LOOKUP_MODE", lookup)]).await;
        let result = invoke(&mut function, event(&["no click"])).await;
        assert_eq!((result.counts(), service.paths().len()), ((0, 0, 1), 0), "{lookup}");
    }
}

#[tokio::test]
async fn an_unknown_id_is_requested_once() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    for index in 0..5 {
        let unknown = format!("{UNKNOWN_ID}-{index}");
        let result = invoke(&mut function, clicks_on(&[&unknown])).await;
        assert_eq!(result.reasons()[0].1, "unknown_key");
    }
    assert_eq!(service.paths(), ["/mysfits"], "a recent list counts");
}

/// The one test that waits: `src/lookup/cache.rs` tests the other limits with a given clock.
#[tokio::test]
async fn after_ten_seconds_unknown_and_failed_ids_are_requested_again() {
    let without_items = |request: &Request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        _ => Response::status(403),
    };
    let unknown = ScriptedMysfitsService::start(|_| Response::json(&json!({}))).await;
    let mut of_unknown = processor(&unknown, &[]).await;
    let result = invoke(&mut of_unknown, clicks_on(&[COCO])).await;
    assert_eq!(result.reasons()[0].1, "unknown_key");
    let failing = ScriptedMysfitsService::start(without_items).await;
    let mut of_failing = processor(&failing, &[("LOOKUP_ATTRIBUTES", "age")]).await;
    assert_eq!(invoke(&mut of_failing, clicks_on(&[COCO])).await.counts(), (0, 0, 1));
    let down = ScriptedMysfitsService::healthy().await;
    let mut of_down = processor(&down, &[]).await;
    invoke(&mut of_down, clicks_on(&[COCO])).await;

    tokio::time::sleep(std::time::Duration::from_millis(10_200)).await;
    unknown.now(healthy);
    let result = invoke(&mut of_unknown, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), unknown.paths().len()), ((1, 0, 0), 1), "a new mysfit is found");
    failing.now(healthy);
    let result = invoke(&mut of_failing, clicks_on(&[COCO])).await;
    assert_eq!((result.counts(), failing.paths()), ((1, 0, 0), vec![format!("/mysfits/{COCO}")]));
    // A fresh list that can't be requested again is not stale, and lacks no key for certain.
    down.now(|_| Response::status(403));
    let result = invoke(&mut of_down, clicks_on(&[COCO, UNKNOWN_ID])).await;
    assert_eq!((result.counts(), down.paths().len()), ((1, 0, 1), 1));
    assert_eq!(result.reasons(), [("r1".to_owned(), "service_error".to_owned())], "it may be a new mysfit");
    assert_eq!(result.summary()["stale_served"], 0);
}

#[tokio::test]
async fn partial_list_entries_are_cached_and_served_stale_too() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [("LOOKUP_ATTRIBUTES", "age"), ("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_TIMEOUT_MS", "60000")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    // The list is available and the items are not: they are requested, and stale values serve.
    service.now(|request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        _ => Response::status(403),
    });
    let result = invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    assert_eq!((result.counts(), service.paths().len()), ((2, 0, 0), 3));
    assert_eq!(result.summary()["stale_served"], 2);
    // Nothing is available: after a few failures, cached values are served without a request for each.
    service.now(|_| Response::status(403));
    let result = invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    assert_eq!((result.counts(), service.paths()), ((2, 0, 0), vec!["/mysfits".to_owned()]));
    assert_eq!(result.summary()["stale_served"], 2);
}

#[tokio::test]
async fn a_listed_mysfit_whose_item_is_gone_is_unknown() {
    let service = ScriptedMysfitsService::start(|request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        _ => Response::status(404),
    })
    .await;
    let mut function = processor(&service, &[("LOOKUP_ATTRIBUTES", "age")]).await;
    for _ in 0..2 {
        let result = invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(result.reasons(), [("r0".to_owned(), "unknown_key".to_owned())]);
        assert_eq!(service.paths().len(), 2, "it is cached");
    }
}

#[tokio::test]
async fn a_fresh_list_with_the_mysfits_counts_as_a_response() {
    let service = ScriptedMysfitsService::start(|request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        _ => Response::status(403),
    })
    .await;
    let mut function = processor(&service, &[("LOOKUP_ATTRIBUTES", "age")]).await;
    // The list was available, so the failure concerns these mysfits.
    let result = invoke(&mut function, clicks_on(&[COCO, PAULY])).await;
    assert_eq!(result.counts(), (0, 0, 2));
    // Now nothing is available, but the cached list is fresh: any visitor can click on a mysfit that fails.
    service.now(|_| Response::status(403));
    for mysfits in [[COCO, PAULY], [COCO, COCO]] {
        let result = invoke(&mut function, clicks_on(&mysfits)).await;
        assert_eq!(
            (result.counts(), service.paths()),
            ((0, 0, 2), vec![]),
            "a failed id is not requested again immediately"
        );
        assert!(result.reasons().iter().all(|(_, reason)| reason == "service_error"));
    }
}

#[tokio::test]
async fn ids_that_failed_in_an_outage_are_requested_once_the_list_is_back() {
    let service = ScriptedMysfitsService::healthy().await;
    let env = [("LOOKUP_ATTRIBUTES", "age"), ("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_STALE_SECONDS", "3600")];
    let mut function = processor(&service, &env).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    service.now(|_| Response::status(403));
    invoke_failing(&mut function, clicks_on(&[PAULY])).await;
    assert_eq!(service.paths(), ["/mysfits".to_owned(), format!("/mysfits/{PAULY}")]);
    service.now(healthy);
    assert_eq!(invoke(&mut function, clicks_on(&[PAULY])).await.counts(), (1, 0, 0));
}

#[tokio::test]
async fn a_cache_of_zero_seconds_sends_a_request_every_time() {
    let service = ScriptedMysfitsService::healthy().await;
    for env in [
        [("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_MODE", "list")],
        [("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_MODE", "item")],
    ] {
        service.now(healthy);
        let mut function = processor(&service, &env).await;
        for _ in 0..3 {
            invoke(&mut function, clicks_on(&[COCO])).await;
        }
        assert_eq!(service.paths().len(), 3, "{env:?}");
    }
}

#[tokio::test]
async fn a_stale_list_is_served_while_the_service_is_unavailable() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[("LOOKUP_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;

    service.now(|_| Response::status(403));
    let result = invoke(&mut function, clicks_on(&[COCO, PAULY, UNKNOWN_ID, COCO])).await;
    assert_eq!(result.counts(), (3, 0, 1));
    // It may be newer than the list, so it is not unknown; and it does not fail the others.
    assert_eq!(result.reasons(), [("r2".to_owned(), "service_error".to_owned())]);
    assert_eq!(result.summary()["stale_served"], 2);
    let result = invoke(&mut function, clicks_on(&[UNKNOWN_ID])).await;
    assert_eq!(result.counts(), (0, 0, 1), "an unknown id alone does not fail the batch either");

    service.now(healthy);
    let result = invoke(&mut function, clicks_on(&[COCO, UNKNOWN_ID])).await;
    assert_eq!((result.counts(), &result.summary()["stale_served"]), ((1, 0, 1), &json!(0)));
    assert_eq!(result.reasons()[0].1, "unknown_key");
}

#[tokio::test]
async fn a_long_outage_costs_one_attempt_a_batch_while_a_stale_list_is_acceptable() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[("LOOKUP_CACHE_SECONDS", "0")]).await;
    invoke(&mut function, clicks_on(&[COCO])).await;
    for expected in [4, 1, 1] {
        service.now(|_| Response::status(500));
        let result = invoke(&mut function, clicks_on(&[COCO])).await;
        assert_eq!((result.counts(), service.paths().len()), ((1, 0, 0), expected));
    }
    // The first batch after the outage detects its end, and the next fault is retried as usual.
    let mut first = true;
    service.now(move |request| if std::mem::take(&mut first) { healthy(request) } else { Response::status(500) });
    assert_eq!(invoke(&mut function, clicks_on(&[COCO])).await.summary()["stale_served"], 0);
    assert_eq!(invoke(&mut function, clicks_on(&[COCO])).await.summary()["service_requests"], 4);
}

#[tokio::test]
async fn a_long_outage_takes_every_attempt_without_a_list_to_serve() {
    let service = ScriptedMysfitsService::start(|_| Response::status(500)).await;
    let mut function = processor(&service, &[]).await;
    for expected in [4, 8] {
        invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(service.paths().len(), expected);
    }
}

#[tokio::test]
async fn expired_values_are_not_served() {
    for lookup in ["list", "item"] {
        let service = ScriptedMysfitsService::healthy().await;
        let env = [("LOOKUP_CACHE_SECONDS", "0"), ("LOOKUP_STALE_SECONDS", "0"), ("LOOKUP_MODE", lookup)];
        let mut function = processor(&service, &env).await;
        invoke(&mut function, clicks_on(&[COCO])).await;
        service.now(|_| Response::status(403));
        let (error_type, _) = invoke_failing(&mut function, clicks_on(&[COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable", "{lookup}");
    }
}

#[tokio::test]
async fn an_id_without_attributes_beside_a_cached_mysfit_does_not_hide_an_outage() {
    let service = ScriptedMysfitsService::start(|request| match request.path.as_str() {
        "/mysfits" => healthy(request),
        path if path.ends_with(PAULY) => Response::json(&json!({"mysfitId": PAULY})),
        path if path.ends_with(EVANGELINE) => Response::status(404),
        _ => Response::status(403),
    })
    .await;
    let env = [("LOOKUP_ATTRIBUTES", "age"), ("LOOKUP_CACHE_SECONDS", "0")];
    let mut function = processor(&service, &env).await;
    assert_eq!(invoke(&mut function, clicks_on(&[COCO, PAULY, EVANGELINE])).await.counts(), (0, 0, 3));
    // The cached list has COCO, whose attributes are unavailable. The others are not in the list, or cached as items without attributes.
    service.now(|_| Response::status(403));
    for other in [UNKNOWN_ID, PAULY, EVANGELINE] {
        let (error_type, _) = invoke_failing(&mut function, clicks_on(&[other, COCO])).await;
        assert_eq!(error_type, "ServiceUnavailable", "{other}");
    }
}

#[tokio::test]
async fn a_warm_function_keeps_the_memory_of_a_batch_for_the_next() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    let event = clicks_on(&vec![COCO; 10_000]);
    let mut faults = Vec::new();
    for _ in 0..8 {
        invoke(&mut function, event.clone()).await;
        faults.push(page_faults(function.process_id().unwrap()));
    }
    // Without it, each batch causes about 500 page faults; with it, only a batch that is larger than all before.
    let fewest = faults.windows(2).map(|pair| pair[1] - pair[0]).min();
    assert!(fewest < Some(100), "page faults, all in all: {faults:?}");
}

/// The page faults of a process so far (proc_pid_stat(5), "minflt").
fn page_faults(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').nth(7).unwrap().parse().unwrap()
}
