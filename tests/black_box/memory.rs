//! The executable's peak memory, whatever the service responds. It must fit into a function of 128 MB.

use std::fmt::Write as _;
use std::time::Duration;

use runtime_api::{Function, Request};
use serde_json::json;

use crate::harness::{COCO, click, clicks_on, event, invoke, processor};
use test_support::mysfits_service::{Response, ScriptedMysfitsService};

/// Lambda's own processes take up to a fifth of 128 MB.
const MOST_MIB: u64 = 100;

/// Lambda's largest event has 6 MB.
const EVENT_BYTES: usize = 6_000_000;
const LIST_BYTES: usize = 8 << 20;

const LONG: [(&str, &str); 2] = [("LOOKUP_TIMEOUT_MS", "60000"), ("LOOKUP_CACHE_SECONDS", "0")];

/// The peak resident memory of the function's process (proc_pid_status(5), "VmHWM"); 0 unless on Linux.
fn peak_mib(function: &Function) -> u64 {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    let process = function.process_id().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib / 1024
}

#[track_caller]
fn assert_peak(function: &Function, name: &str) {
    let peak = peak_mib(function);
    assert!(peak <= MOST_MIB, "{name}: {peak} MiB");
}

/// An invocation with time for a busy machine.
fn unhurried(event: String) -> Request {
    let mut request = Request::from(event);
    request.timeout = Some(Duration::from_secs(280));
    request
}

/// An event of nearly 6 MB with a record for each click on `id(0)`, `id(1)` and so on.
fn largest_event(id: impl Fn(usize) -> String) -> String {
    let one = event(&[click(&id(0))]).len();
    let mut ids: Vec<String> = (0..EVENT_BYTES / one).map(&id).collect();
    loop {
        let event = clicks_on(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        if let more @ 20_000.. = EVENT_BYTES.saturating_sub(event.len()) {
            ids.extend((ids.len()..ids.len() + more / 300).map(&id));
        } else {
            assert!(event.len() <= EVENT_BYTES, "{} bytes", event.len());
            return event;
        }
    }
}

/// An event of nearly 6 MB with one record of as many clicks as fit, each with `members` besides the ids.
fn event_of_many_clicks(id: impl Fn(usize) -> String, members: &str) -> String {
    let mut data = String::new();
    let mut index = 0;
    while data.len() < EVENT_BYTES / 4 * 3 - 1_000 {
        write!(data, r#"{{"userId":"","mysfitId":"{}"{members}}}"#, id(index)).unwrap();
        index += 1;
    }
    event(&[data])
}

/// A list of nearly 8 MiB.
fn longest_list(entry: impl Fn(usize) -> String) -> String {
    list_of(LIST_BYTES, entry)
}

fn list_of(bytes: usize, entry: impl Fn(usize) -> String) -> String {
    let mut list = r#"{"mysfits":["#.to_owned();
    let mut index = 0;
    loop {
        let entry = entry(index);
        if list.len() + entry.len() + 3 > bytes {
            return list + "]}";
        }
        list += if index == 0 { "" } else { "," };
        list += &entry;
        index += 1;
    }
}

#[tokio::test]
async fn the_longest_lists_fit_twice_beside_the_largest_event() {
    let tiny = |index: usize| format!("{index:x}");
    let events =
        [largest_event(tiny), event_of_many_clicks(tiny, ""), largest_event(|index| format!("unknown-{index}"))];
    let repeated = |member: &str, bytes: usize| member.repeat((bytes - 100) / member.len());
    for (name, attributes, list) in [
        // A longer list takes more than 14 MiB, and is refused.
        ("ids as attributes", "mysfitId", list_of(5_800_000, |index| format!(r#"{{"mysfitId":"{index:x}"}}"#))),
        (
            "one entry of repeated members",
            "s",
            format!(r#"{{"mysfits":[{{"mysfitId":"m",{}"s":1}}]}}"#, repeated(r#""s":1,"#, LIST_BYTES)),
        ),
        ("repeated lists", "s", format!(r#"{{{}"mysfits":[]}}"#, repeated(r#""mysfits":1,"#, LIST_BYTES))),
        (
            "one value with escapes",
            "s",
            format!(r#"{{"mysfits":[{{"mysfitId":"m","s":"{}"}}]}}"#, repeated(r"\n", LIST_BYTES)),
        ),
        (
            "one name with escapes",
            "s",
            format!(r#"{{"mysfits":[{{"mysfitId":"m","s":1,"{}":1}}]}}"#, repeated(r"\n", LIST_BYTES)),
        ),
        (
            "escapes that stay and those that go",
            "s",
            longest_list(|_| format!(r#"{{"mysfitId":"m","s":"{}"}}"#, r"\u0001\u00e9\/".repeat(100_000))),
        ),
        ("tiny entries", "s", longest_list(|index| format!(r#"{{"mysfitId":"{index:x}","s":1}}"#))),
        ("tiny entries, each another", "s", longest_list(|index| format!(r#"{{"mysfitId":"{index:x}","s":{index}}}"#))),
        (
            "the workshop's attributes",
            "goodevil,lawchaos,species",
            longest_list(|index| {
                json!({"mysfitId": format!("{index:036x}"), "goodevil": "Good", "lawchaos": "Lawful", "species": index})
                    .to_string()
            }),
        ),
        (
            "long values",
            "s",
            longest_list(|i| format!(r#"{{"mysfitId":"{i:x}","s":"{}"}}"#, i.to_string().repeat(9_000))),
        ),
    ] {
        let service = ScriptedMysfitsService::start(move |_| Response::json_text(&list)).await;
        let fields = if attributes == "mysfitId" { "userId" } else { "userId,mysfitId" };
        let env = [LONG.as_slice(), &[("LOOKUP_ATTRIBUTES", attributes), ("EVENT_FIELDS", fields)]].concat();
        let mut function = processor(&service, &env).await;
        invoke(&mut function, unhurried(clicks_on(&[COCO]))).await;
        // Only with the largest lists does the event's size matter.
        let events = if matches!(name, "ids as attributes" | "tiny entries") { &events[..] } else { &events[..1] };
        for event in events {
            // A cache of zero seconds: each batch fetches the list again, while the old list is kept.
            let result = invoke(&mut function, unhurried(event.clone())).await;
            assert_eq!(result.summary()["service_errors"], 0, "{name}");
        }
        assert_eq!(service.paths().len(), 1 + events.len(), "{name}");
        assert_peak(&function, name);
    }
}

#[tokio::test]
async fn a_list_beyond_the_heap_limit_is_refused_beside_the_largest_accepted_one() {
    let entry = |index: usize| format!(r#"{{"mysfitId":"{index:x}"}}"#);
    let (accepted, refused) = (list_of(5_800_000, entry), longest_list(entry));
    let mut first = true;
    let service = ScriptedMysfitsService::start(move |_| {
        Response::json_text(if std::mem::take(&mut first) { &accepted } else { &refused })
    })
    .await;
    let env = [LONG.as_slice(), &[("LOOKUP_ATTRIBUTES", "mysfitId"), ("EVENT_FIELDS", "userId")]].concat();
    let mut function = processor(&service, &env).await;
    invoke(&mut function, unhurried(clicks_on(&[COCO]))).await;
    for _ in 0..2 {
        let result = invoke(&mut function, unhurried(largest_event(|index| format!("{:x}", index % 10)))).await;
        assert_eq!(
            result.summary()["service_first_error"],
            "GET /mysfits responded with a list that takes more than 14680064 bytes of memory"
        );
        assert_eq!(result.summary()["stale_served"], 10);
    }
    assert_eq!(service.paths().len(), 3, "it is not retried");
    assert_peak(&function, "a refused list");
}

#[tokio::test]
async fn many_clicks_fit_with_any_number_of_kept_fields() {
    let names: Vec<String> = ('A'..='Z').chain('0'..='3').map(String::from).collect();
    let fields = format!("userId,mysfitId,{}", names.join(","));
    let all = names.iter().map(|name| format!(r#","{name}":1"#)).collect::<Vec<_>>().concat();
    for (name, members) in [
        ("clicks without any of them", ""),
        ("clicks with one of them", r#","A":1"#),
        ("clicks with one that comes twice", r#","A":1,"A":1"#),
        ("clicks with all of them", &all),
    ] {
        let service = ScriptedMysfitsService::healthy().await;
        let env = [("EVENT_FIELDS", fields.as_str()), ("LOOKUP_TIMEOUT_MS", "60000")];
        let mut function = processor(&service, &env).await;
        for _ in 0..2 {
            let event = event_of_many_clicks(|index| format!("{}", index % 10), members);
            let result = invoke(&mut function, unhurried(event)).await;
            assert_eq!(result.reasons(), [("r0".to_owned(), "unknown_key".to_owned())], "{name}");
        }
        assert_peak(&function, name);
    }
}

#[tokio::test]
async fn a_list_of_partial_entries_fits_with_the_requested_items() {
    let list = longest_list(|index| format!(r#"{{"mysfitId":"{index:x}"}}"#));
    let service = ScriptedMysfitsService::start(move |request| match request.path.strip_prefix("/mysfits/") {
        Some(id) => Response::json(&json!({"mysfitId": id, "s": "x".repeat(1_000)})),
        None => Response::json_text(&list),
    })
    .await;
    let mut function = processor(&service, &[LONG.as_slice(), &[("LOOKUP_ATTRIBUTES", "s")]].concat()).await;
    let ids: Vec<String> = (0..5_000).map(|index| format!("{index:x}")).collect();
    let few = clicks_on(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let largest = largest_event(|index| format!("{:x}", index % 5_000));
    for event in [&few, &largest, &few] {
        let result = invoke(&mut function, unhurried(event.clone())).await;
        assert_eq!(result.summary()["service_errors"], 0);
    }
    assert_peak(&function, "incomplete entries");
}

#[tokio::test]
async fn many_large_attributes_fit_up_to_the_size_of_a_response() {
    let service = ScriptedMysfitsService::start(|request| {
        let id = request.path.strip_prefix("/mysfits/").unwrap();
        Response::json(&json!({"mysfitId": id, "s": "x".repeat(50_000)}))
    })
    .await;
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_ATTRIBUTES", "s"), ("LOOKUP_TIMEOUT_MS", "60000")];
    let mut function = processor(&service, &env).await;
    let ids: Vec<String> = (0..2_000).map(|index| format!("m{index}")).collect();
    let clicks = clicks_on(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..2 {
        let result = invoke(&mut function, unhurried(clicks.clone())).await;
        let (ok, dropped, failed) = result.counts();
        assert!((80..2_000).contains(&ok) && dropped == 0 && ok + failed == 2_000, "{ok} ok, {failed} failed");
        assert!(result.reasons().iter().all(|(_, reason)| reason == "response_budget"), "{:?}", result.reasons());
    }
    // Mysfits that could not be delivered are not requested.
    assert!(service.paths().len() < 1_000, "{} requests", service.paths().len());
    // The others are in batches that can hold them.
    for batch in ids.chunks(80) {
        let clicks = clicks_on(&batch.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(invoke(&mut function, unhurried(clicks)).await.counts(), (batch.len(), 0, 0));
    }
    invoke(&mut function, unhurried(largest_event(|index| format!("m{}", index % 50)))).await;
    assert_peak(&function, "2,000 items of 50 kB");
}

#[tokio::test]
async fn any_number_of_unknown_ids_fits() {
    let service = ScriptedMysfitsService::start(|_| Response::status(404)).await;
    let env = [("LOOKUP_MODE", "item"), ("LOOKUP_TIMEOUT_MS", "60000"), ("LOOKUP_CONCURRENCY", "256")];
    let mut function = processor(&service, &env).await;
    for batch in 0..2 {
        let event = largest_event(|index| format!("{:0128}", batch * 1_000_000 + index));
        let result = invoke(&mut function, unhurried(event)).await;
        assert_eq!(result.reasons()[0].1, "unknown_key");
    }
    assert_peak(&function, "unknown ids");
}

#[tokio::test]
async fn many_concurrent_items_of_any_size_fit() {
    const KIB: usize = 1024;
    let body = |id: &str, wanted: usize, other: usize| {
        format!(r#"{{"mysfitId":"{id}","s":"{}","x":"{}"}}"#, "s".repeat(wanted), "x".repeat(other))
    };
    let largest = largest_event(|index| format!("m{}", index % 3));
    for (name, wanted, other, has_length, count, fails_for) in [
        ("short bodies", 1_000, 31_500, true, 1_000, None),
        ("long bodies", 10, 1_024 * KIB - 100, true, 300, None),
        ("long bodies without a length", 10, 1_024 * KIB - 100, false, 300, None),
        ("large attributes", 1_024 * KIB - 100, 0, true, 300, Some("response_budget")),
        ("bodies above the limit, without a length", 10, 1_024 * KIB, false, 300, Some("service_unavailable")),
    ] {
        let service = ScriptedMysfitsService::start(move |request| {
            let id = request.path.strip_prefix("/mysfits/").unwrap();
            let body = body(id, wanted, other);
            // All responses arrive at the same time.
            let response = if has_length { Response::json_text(&body) } else { Response::Chunked(body) };
            response.after_ms(20)
        })
        .await;
        let env = [
            ("LOOKUP_MODE", "item"),
            ("LOOKUP_ATTRIBUTES", "s"),
            ("LOOKUP_CONCURRENCY", "256"),
            ("LOOKUP_TIMEOUT_MS", "60000"),
            ("ON_LOOKUP_UNAVAILABLE", "fail"),
        ];
        let mut function = processor(&service, &env).await;
        let ids: Vec<String> = (0..count).map(|index| format!("m{index}")).collect();
        let clicks = clicks_on(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        let result = invoke(&mut function, unhurried(clicks)).await;
        let (ok, _, failed) = result.counts();
        assert!(if fails_for.is_none() { ok == count } else { failed > count / 2 }, "{name}: {ok} ok, {failed} failed");
        assert!(result.reasons().iter().all(|(_, reason)| Some(reason.as_str()) == fails_for), "{name}");
        invoke(&mut function, unhurried(largest.clone())).await;
        assert_peak(&function, name);
    }
}
