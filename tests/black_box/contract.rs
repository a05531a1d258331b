//! Events of every source, and the responses to them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use runtime_api::{Function, FunctionSettings};
use serde_json::{Value, json};

use crate::harness::{
    COCO, EVANGELINE, PAULY, click, clicks_on, data, event, fixture, fixture_json, invoke, invoke_failing, once,
    processor,
};
use test_support::mysfits_service::{Response, ScriptedMysfitsService};

#[tokio::test]
async fn fixtures_get_the_expected_responses() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    for name in ["direct-put", "kinesis", "msk", "localstack", "poisoned"] {
        let result = invoke(&mut function, fixture(&format!("{name}.json"))).await;
        assert_eq!(result.response, fixture_json(&format!("expected/{name}.json")), "{name}");
    }
    assert_eq!(service.paths(), ["/mysfits"]);
}

#[tokio::test]
async fn lines_equal_those_of_the_workshops_processor() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], fixture("direct-put.json")).await;
    let records = result.response["records"].as_array().unwrap();
    let lines: String = records.iter().map(data).collect();
    let expected = fixture("expected/direct-put.workshop.jsonl");
    assert_eq!(lines.lines().count(), expected.lines().count());
    for (line, expected) in lines.lines().zip(expected.lines()) {
        // A map would lose the order of the keys.
        assert_eq!(members(line), members(expected));
    }
}

#[tokio::test]
async fn a_line_has_the_bytes_of_module_5_once_python_writes_it() {
    const EXPECTED: &str = concat!(
        r#"{"userId": "randomuser", "mysfitId": "b6d16e02-6aeb-413c-b457-321151bb403d", "#,
        r#""goodevil": "Evil", "lawchaos": "Chaotic", "species": "Troll"}"#,
        "\n",
    );
    let service = ScriptedMysfitsService::healthy().await;
    let click = r#"{"userId":"randomuser","mysfitId":"b6d16e02-6aeb-413c-b457-321151bb403d"}"#;
    let result = once(&service, &[], event(&[click])).await;
    let line = &result.results()[0].1;
    // `json.dumps` writes a space after each comma and colon.
    let dumped = line.replace("\":\"", "\": \"").replace("\",\"", "\", \"");
    assert_eq!(dumped, EXPECTED);
}

fn members(line: &str) -> Vec<(String, Value)> {
    struct Members(Vec<(String, Value)>);

    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;

            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;

                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a line")
                }

                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }

            deserializer.deserialize_map(Visitor)
        }
    }

    serde_json::from_str::<Members>(line).unwrap().0
}

#[tokio::test]
async fn every_kind_of_invalid_record_fails_alone_for_its_reason() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], fixture("poisoned.json")).await;
    let expected = fixture_json("expected/poisoned-reasons.json");
    let records = result.response["records"].as_array().unwrap();
    for record in records {
        let id = record["recordId"].as_str().unwrap();
        let failed = record["result"] == "ProcessingFailed";
        assert_eq!(failed, expected.get(id).is_some(), "{id}");
        assert_eq!(record.get("data").is_some(), !failed, "{id}");
    }
    let logged = result.reasons();
    assert_eq!(logged.len(), 20);
    for (id, reason) in logged {
        assert_eq!(expected[&id], reason, "{id}");
    }
    let mut counts = serde_json::Map::new();
    for reason in expected.as_object().unwrap().values() {
        let name = format!("failed.{}", reason.as_str().unwrap());
        let count = counts.get(&name).and_then(Value::as_u64).unwrap_or(0) + 1;
        counts.insert(name, count.into());
    }
    let summary = result.summary().as_object().unwrap();
    let logged: serde_json::Map<String, Value> =
        summary.iter().filter(|(name, _)| name.starts_with("failed.")).map(|(n, v)| (n.clone(), v.clone())).collect();
    assert_eq!(logged, counts);
}

#[tokio::test]
async fn a_payload_that_is_not_a_firehose_event_is_an_error() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    for event in [
        "{}",
        "[]",
        "null",
        r#""records""#,
        r#"{"Records":[{"eventSource":"aws:s3"}]}"#,
        r#"{"records":{"a":[]}}"#,
        r#"{"records":[7]}"#,
        r#"["i",[]]"#,
        r#"{"records":[["r0","e30="]]}"#,
    ] {
        let (error_type, message) = invoke_failing(&mut function, event).await;
        assert_eq!(error_type, "NotAFirehoseEvent", "{event}");
        assert!(message.contains("not a Firehose transformation event"), "{event}: {message}");
    }
    // The function keeps running.
    let result = invoke(&mut function, clicks_on(&[COCO])).await;
    assert_eq!(result.counts(), (1, 0, 0));
}

#[tokio::test]
async fn an_empty_batch_needs_no_request() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], r#"{"records":[]}"#.to_owned()).await;
    assert_eq!(result.response, json!({"records": []}));
    assert_eq!(service.paths(), Vec::<String>::new());
}

#[tokio::test]
async fn each_record_id_is_returned_once_in_order() {
    let service = ScriptedMysfitsService::healthy().await;
    let ids = [json!("shardId-000000000000"), json!("é\"\\\n"), json!(7), json!(""), json!({"a": [1]})];
    let data = STANDARD.encode(click(PAULY));
    let mut records: Vec<Value> = ids.iter().map(|id| json!({"recordId": id, "data": data})).collect();
    records.push(json!({"data": data}));
    records.push(json!({"recordId": null, "data": data}));
    let result = once(&service, &[], json!({"records": records}).to_string()).await;
    let logged: Vec<Option<&Value>> =
        result.response["records"].as_array().unwrap().iter().map(|record| record.get("recordId")).collect();
    let expected: Vec<Option<&Value>> = ids.iter().map(Some).chain([None, None]).collect();
    assert_eq!(logged, expected);
    assert_eq!(result.counts(), (7, 0, 0));
}

#[tokio::test]
async fn a_record_with_both_kinds_of_data_counts_as_direct_put() {
    let service = ScriptedMysfitsService::healthy().await;
    let (direct, kafka) = (STANDARD.encode(click(PAULY)), STANDARD.encode(click(COCO)));
    let event = json!({"records": [{"recordId": "r0", "kafkaRecordValue": kafka, "data": direct}]});
    let result = once(&service, &[], event.to_string()).await;
    let record = &result.response["records"][0];
    assert!(record["data"].is_string() && record.get("kafkaRecordValue").is_none(), "{record}");
    assert!(result.results()[0].1.contains("Cyclops"));
}

#[tokio::test]
async fn several_clicks_in_a_record_give_as_many_lines() {
    let service = ScriptedMysfitsService::healthy().await;
    let (a, b, c) = (click(EVANGELINE), click(PAULY), click(COCO));
    let records = [format!("{a}{b}{c}"), format!("{a}\n{b}\r\n\n {c}\n"), format!("{a}{b}[]")];
    let result = once(&service, &[], event(&records)).await;
    let lines: Vec<usize> = result.results().iter().map(|(_, data)| data.lines().count()).collect();
    assert_eq!((result.counts(), lines), ((2, 0, 1), vec![3, 3, 0]));
    assert!(result.results()[0].1.ends_with("\"species\":\"Dragon\"}\n"));
    assert_eq!(result.summary()["lines"], 6);
}

#[tokio::test]
async fn the_response_stays_within_its_budget_and_small_records_survive() {
    let service = ScriptedMysfitsService::healthy().await;
    // 40,000 clicks in one record are about 3.4 MB, and their lines 6.4 MB. The event also has two small records.
    let long = format!("{}\n", click(EVANGELINE)).repeat(40_000);
    let result = once(&service, &[], event(&[click(PAULY), long, click(COCO)])).await;
    let results: Vec<String> = result.results().into_iter().map(|(result, _)| result).collect();
    assert_eq!(results, ["Ok", "ProcessingFailed", "Ok"]);
    assert_eq!(result.reasons(), [("r1".to_owned(), "response_budget".to_owned())]);

    // Records of 4,000 clicks have 0.65 MB of lines each: as many as fit are delivered.
    let long = format!("{}\n", click(EVANGELINE)).repeat(4_000);
    let result = once(&service, &[], event(&vec![long; 12])).await;
    assert!(result.bytes <= 6_000_000, "{}", result.bytes);
    assert_eq!(result.counts(), (9, 0, 3));
    assert_eq!(result.summary()["response_bytes"], result.bytes);
}

#[tokio::test]
async fn the_budget_includes_the_record_id() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    let line = invoke(&mut function, clicks_on(&[EVANGELINE])).await.results()[0].1.len();
    // As many lines as base64 of 6 MB can hold, in a record whose id leaves fewer bytes.
    let clicks = click(EVANGELINE).repeat(4_499_980 / line);
    let event = json!({"records": [{"recordId": "i".repeat(1_000), "data": STANDARD.encode(clicks)}]});
    let result = invoke(&mut function, event.to_string()).await;
    assert_eq!((result.counts(), &result.summary()["failed.response_budget"]), ((0, 0, 1), &json!(1)));
}

#[tokio::test]
async fn more_records_than_a_response_can_hold_are_an_error() {
    let service = ScriptedMysfitsService::healthy().await;
    let mut function = processor(&service, &[]).await;
    let event = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(250_000));
    let (error_type, message) = invoke_failing(&mut function, event).await;
    assert_eq!(error_type, "TooManyRecords");
    assert_eq!(message, "found 250001 records, whose results do not fit into a response of 6000000 bytes");
}

#[tokio::test]
async fn failed_records_leave_their_bytes_to_the_others() {
    let service = ScriptedMysfitsService::healthy().await;
    // The failed records take 0.5 MB of the response. The rest holds eight long records, and would hold seven if the bytes
    // reserved for each as failed were never released.
    let long = format!("{}\n", click(EVANGELINE)).repeat(4_000);
    let mut records = vec!["{".to_owned(); 10_000];
    records.extend(vec![long; 9]);
    let result = once(&service, &[], event(&records)).await;
    assert_eq!(result.counts(), (8, 0, 10_001));
}

#[tokio::test]
async fn a_record_that_exceeds_the_response_fails_before_it_takes_the_memory() {
    // 36,000 clicks with 10 kB of attributes each would be 360 MB of lines. The process has 300 MB of address space,
    // several times what it needs.
    let species = "s".repeat(10_000);
    let service = ScriptedMysfitsService::start(move |_| {
        Response::json(&json!({"mysfits": [{"mysfitId": "m", "goodevil": "", "lawchaos": "", "species": species}]}))
    })
    .await;
    // Not a script that the test writes: executing it fails with ETXTBSY while another test's new process has it open.
    let bounded = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/black_box/bounded.sh");

    let one = r#"{"userId":"","mysfitId":"m"}"#;
    let settings = FunctionSettings::new(bounded)
        .env("EXECUTABLE", env!("CARGO_BIN_EXE_click-processor"))
        .env("LOOKUP_API_URL", service.url());
    let mut function = Function::start(settings).await.unwrap();
    let result = invoke(&mut function, event(&[&one.repeat(36_000), one])).await;
    assert_eq!(result.reasons(), [("r0".to_owned(), "response_budget".to_owned())]);
    assert_eq!(result.counts(), (1, 0, 1));
}

#[tokio::test]
async fn the_metadata_is_there_only_with_partition_keys() {
    let service = ScriptedMysfitsService::healthy().await;
    let result = once(&service, &[], clicks_on(&[COCO])).await;
    assert_eq!(result.response["records"][0].get("metadata"), None);

    let keys = [("PARTITION_KEYS", "species,userId")];
    let result = once(&service, &keys, clicks_on(&[COCO])).await;
    assert_eq!(
        result.response["records"][0]["metadata"],
        json!({"partitionKeys": {"species": "Dragon", "userId": "u"}})
    );
}

#[tokio::test]
async fn a_batch_of_ten_thousand_clicks_is_one_request() {
    let service = ScriptedMysfitsService::healthy().await;
    let ids: Vec<String> = fixture_json("mysfits.json")
        .as_array()
        .unwrap()
        .iter()
        .map(|mysfit| mysfit["mysfitId"].as_str().unwrap().to_owned())
        .collect();
    let clicks: Vec<String> = (0..10_000).map(|index| click(&ids[index % ids.len()])).collect();
    let result = once(&service, &[], event(&clicks)).await;
    assert_eq!(result.counts(), (10_000, 0, 0));
    assert_eq!(service.paths(), ["/mysfits"]);
}
