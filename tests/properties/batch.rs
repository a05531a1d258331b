//! For any batch, every record gets one result, in order, within the budget.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use click_processor::config::Config;
use click_processor::{Invocation, Processor, Report};
use firehose_transform::RESPONSE_BUDGET_BYTES;
use proptest::prelude::*;
use serde_json::{Value, json};
use service_kit::env::Env;

/// A processor without time for look-ups: it sends no request and delivers every click with `null`s.
fn processor() -> Processor {
    let variables = [("LOOKUP_API_URL", "http://127.0.0.1:9"), ("ON_LOOKUP_UNAVAILABLE", "pass")];
    Processor::new(&Config::read(&Env::from_iter(variables)).unwrap()).unwrap()
}

fn handle(processor: &Processor, payload: &str) -> Result<(Value, usize, Report), String> {
    let invocation = Invocation { lookup_deadline: Instant::now(), trace_id: None };
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let reply =
        runtime.block_on(processor.handle(payload.as_bytes(), &invocation, &mut report)).map_err(|e| e.to_string())?;
    assert_eq!(report.requests.sent, 0);
    Ok((serde_json::from_slice(&reply).unwrap(), reply.len(), report))
}

fn click() -> impl Strategy<Value = String> {
    ("\\PC{0,20}", "[A-Za-z0-9_-]{1,40}")
        .prop_map(|(user, mysfit)| json!({"userId": user, "mysfitId": mysfit}).to_string())
}

/// The data of a record, and the expected number of lines; `None` if unknown.
fn data() -> impl Strategy<Value = (Vec<u8>, Option<usize>)> {
    let separator = prop_oneof![Just(""), Just("\n"), Just(" \r\n\t")];
    prop_oneof![
        3 => (prop::collection::vec(click(), 1..5), separator).prop_map(|(clicks, separator)| {
            (clicks.join(separator).into_bytes(), Some(clicks.len()))
        }),
        1 => any::<Vec<u8>>().prop_map(|data| (data, None)),
        1 => any::<String>().prop_map(|data| (data.into_bytes(), None)),
        // A truncated click.
        1 => (click(), 0_usize..40).prop_map(|(click, cut)| {
            let bytes = click.into_bytes();
            let length = bytes.len().saturating_sub(cut + 1);
            (bytes[..length].to_vec(), None)
        }),
    ]
}

proptest! {
    #[test]
    fn every_record_gets_one_result_in_order(records in prop::collection::vec(data(), 0..20)) {
        let event: Vec<Value> = records
            .iter()
            .enumerate()
            .map(|(index, (data, _))| json!({"recordId": index.to_string(), "data": STANDARD.encode(data)}))
            .collect();
        let (reply, _, report) = handle(&processor(), &json!({"records": event}).to_string()).unwrap();
        let answers = reply["records"].as_array().unwrap();
        prop_assert_eq!(answers.len(), records.len());
        prop_assert_eq!(report.ok + report.dropped + report.failed(), records.len());
        for (index, (answer, (_, lines))) in answers.iter().zip(&records).enumerate() {
            prop_assert_eq!(&answer["recordId"], &json!(index.to_string()));
            match answer["result"].as_str().unwrap() {
                "Ok" => {
                    let data = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
                    let text = String::from_utf8(data).unwrap();
                    prop_assert!(text.ends_with('\n'));
                    prop_assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()));
                    prop_assert!(lines.is_none_or(|lines| text.lines().count() == lines));
                }
                "ProcessingFailed" => {
                    prop_assert_eq!(answer.get("data"), None);
                    prop_assert_eq!(*lines, None);
                }
                result => prop_assert!(false, "{}", result),
            }
        }
    }

    #[test]
    fn any_text_as_a_batch_is_handled(payload: String) {
        let _ = handle(&processor(), &payload);
    }

    #[test]
    fn any_json_as_a_batch_is_handled(records in "[\\[\\]{}:,\"a-z0-9\\\\ ]{0,60}") {
        let _ = handle(&processor(), &format!("{{\"records\":[{records}]}}"));
    }
}

proptest! {
    // Each case has megabytes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_response_stays_within_the_budget(
        repeats in prop::collection::vec(1_usize..12_000, 1..6),
        id_chars in 0_usize..300,
    ) {
        let id = "i".repeat(id_chars);
        let click = r#"{"userId":"u","mysfitId":"4e53920c-505a-4a90-a694-b9300791f0ae"}"#;
        let event: Vec<Value> = repeats
            .iter()
            .map(|repeat| json!({"recordId": id, "data": STANDARD.encode(click.repeat(*repeat))}))
            .collect();
        let (reply, bytes, report) = handle(&processor(), &json!({"records": event}).to_string()).unwrap();
        prop_assert!(bytes <= RESPONSE_BUDGET_BYTES, "{} bytes", bytes);
        prop_assert_eq!(reply["records"].as_array().unwrap().len(), repeats.len());
        // A record fails only if it does not fit.
        if report.failed() > 0 {
            let longest = 110 * 12_000 * 4 / 3;
            prop_assert!(bytes + longest > RESPONSE_BUDGET_BYTES, "{} bytes", bytes);
        }
    }
}

#[test]
fn more_records_than_a_response_can_hold_are_an_error() {
    let records = "{},".repeat(250_000);
    let payload = format!("{{\"records\":[{}]}}", records.trim_end_matches(','));
    let message = handle(&processor(), &payload).map(|_| ()).unwrap_err();
    assert_eq!(message, "found 250000 records, whose results do not fit into a response of 6000000 bytes");
}

#[test]
fn a_batch_without_time_left_fails_for_firehose_to_retry() {
    let config = Config::read(&Env::from_iter([("LOOKUP_API_URL", "http://127.0.0.1:9")]));
    let payload = json!({"records": [{"data": STANDARD.encode(r#"{"userId":"u","mysfitId":"m"}"#)}]}).to_string();
    let message = handle(&Processor::new(&config.unwrap()).unwrap(), &payload).map(|_| ()).unwrap_err();
    assert_eq!(message, "the service is unavailable: no time left for a request");
}
