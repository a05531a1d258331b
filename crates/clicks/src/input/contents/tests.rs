use std::io::Write;

use serde_json::json;

use super::*;
use firehose_model::error_object::MAX_HEAD_PIECES;
use firehose_model::event::EventError;

fn contents(text: &[u8]) -> Result<Contents, UsageError> {
    contents_of(text, SourceType::DirectPut)
}

fn contents_of(text: &[u8], source_type: SourceType) -> Result<Contents, UsageError> {
    Contents::of("the-file".to_owned(), source_type, io::Cursor::new(text.to_vec()))
}

#[track_caller]
fn items(text: &str) -> Vec<Item> {
    contents(text.as_bytes()).unwrap().collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn error(text: &str) -> String {
    match contents(text.as_bytes()) {
        Ok(contents) => contents.collect::<Result<Vec<_>, _>>().map(|items| items.len()).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

fn skipped(line: u64, offset: u64, problem: Unusable, content: &str) -> Item {
    let content = content.as_bytes().to_vec();
    Item::Skipped(Skipped { name: "the-file".to_owned(), line, offset, problem, content })
}

fn record(data: &str) -> Item {
    Item::Record(encode(data.as_bytes()))
}

#[test]
fn clicks_are_values_of_any_kind_after_the_first() {
    let text = "\n{\"a\":1}\r\nnot JSON\n\n{\"records\":[]}\n  {\"b\":2}{\n\"c\": 3}[4] 5";
    let expected = [
        record("{\"a\":1}"),
        skipped(3, 10, Unusable::NotJson, "not JSON"),
        record("{\"records\":[]}"),
        record("{\"b\":2}"),
        record("{\n\"c\": 3}"),
        record("[4]"),
        record("5"),
    ];
    assert_eq!(items(text), expected);
    // A source backup of records without a newline.
    let clicks = (0..1_000).map(|n| format!("{{\"n\":{n}}}"));
    assert_eq!(items(&clicks.clone().collect::<String>()), clicks.map(|click| record(&click)).collect::<Vec<_>>());
}

#[test]
fn a_file_of_clicks_may_start_with_other_values() {
    assert_eq!(items("\0{}")[..], [skipped(1, 0, Unusable::NotJson, "\0"), record("{}")]);
    for (line, found) in [("x\n", "what is not JSON: `x`"), ("7\n", "a JSON value that is not an object")] {
        let lines = |count: usize| line.repeat(count) + "{}";
        assert_eq!(items(&lines(MAX_HEAD_PIECES)).len(), MAX_HEAD_PIECES + 1);
        assert!(error(&lines(MAX_HEAD_PIECES + 1)).starts_with(&format!("the-file: found {found}; accepted are")));
    }
}

#[test]
fn the_first_object_decides_the_kind_of_a_file() {
    for first in ["7", "\"text\"", "[1]", "null"] {
        let file = |object: &str| items(&format!("{first}\n{object}"));
        let unusable = |problem| skipped(1, 0, problem, first);
        assert_eq!(file("{\"a\":1}"), [record(first), record("{\"a\":1}")]);
        assert_eq!(file("{\"rawData\":\"e30=\"}"), [unusable(Unusable::NoErrorRecord), record("{}")]);
        let [skipped, Item::Event(_)] = &file("{\"records\":[]}")[..] else { panic!("{first}") };
        assert_eq!(*skipped, unusable(Unusable::NotAnEvent));
    }
}

#[test]
fn error_objects_are_read_as_their_raw_data() {
    let text = "{\"rawData\":\"e30=\"}{\n\"rawData\":\"AP8=\",\"errorCode\":1e400}\n{\"rawData\":\"###\"}\n";
    assert_eq!(items(text), ["e30=", "AP8=", "###"].map(|data| Item::Record(data.to_owned())));
}

#[test]
fn a_byte_order_mark_is_ignored_at_the_start_only() {
    let mark = skipped(2, 11, Unusable::NotJson, "\u{feff}");
    assert_eq!(items("\u{feff}{\"a\":1}\n\u{feff}{}\n"), [record("{\"a\":1}"), mark, record("{}")]);
    assert_eq!(items("\u{feff}\n{\"a\":1}"), [record("{\"a\":1}")]);
    assert!(matches!(items("\u{feff}{\n\"records\": []}")[..], [Item::Event(_)]));
}

#[test]
fn an_event_may_have_any_white_space() {
    let event = json!({ "records": [{ "recordId": "a", "data": "e30=", "approximateArrivalTimestamp": 1 }] });
    let minified = event.to_string();
    let pretty = serde_json::to_string_pretty(&event).unwrap();
    let expected = items(&minified);
    assert!(matches!(&expected[..], [Item::Event(event)] if event.records.len() == 1));
    assert_eq!(items(&pretty), expected);
    assert_eq!(items(&format!("{minified}\n{pretty}{minified}")).len(), 3);
}

#[test]
fn gzip_is_unzipped_and_its_members_joined() {
    let zip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zipped = [zip(b"{\"rawData\":\"e30=\"}\n"), zip(b"{\"rawData\":\"W10=\"}\n")].concat();
    let read: Result<Vec<Item>, _> = contents(&zipped).unwrap().collect();
    assert_eq!(read.unwrap(), [record("{}"), record("[]")]);
}

#[test]
fn a_file_that_is_not_accepted_is_refused() {
    for (text, start) in [
        ("", "the-file is empty; accepted are Firehose events"),
        ("\u{feff}\n \n", "the-file is empty; accepted are Firehose events"),
        ("a,b\n1,2\n", "the-file: found what is not JSON: `a,b`; accepted are"),
        ("[1]", "the-file: found a JSON array; accepted are"),
        ("[\n1]", "the-file: found a JSON array; accepted are"),
        ("7\n\"text\"", "the-file: found a JSON value that is not an object; accepted are"),
        ("{\n\"userId\":\"u\"", "the-file: found what is not JSON: `{\\n\"userId\":\"u\"`; accepted are"),
        ("{\"records\":7}", "the-file, line 1: found an event whose `records` is not an array of objects"),
        ("7\n{\"records\":7}", "the-file, line 2: found an event whose `records` is not an array of objects"),
        ("x\n{\"records\":[{\"result\":\"Dropped\"}]}", "the-file, line 2: found a function's response"),
    ] {
        let error = error(text);
        assert!(error.starts_with(start), "{text:?}: {error}");
    }
}

#[test]
fn a_value_of_another_kind_is_skipped() {
    let errors = "{\"rawData\":\"\"}\n\n{\"a\":1}\n{\"rawData\":7}{\"rawData\":\"e30=\"}";
    assert_eq!(
        items(errors),
        [
            record(""),
            skipped(3, 16, Unusable::NoErrorRecord, "{\"a\":1}"),
            skipped(4, 24, Unusable::NoErrorRecord, "{\"rawData\":7}"),
            record("{}"),
        ]
    );
    let events = "{\"records\":[]}7{\"a\":1}{\"records\":7}{\"records\":[]}";
    let [Item::Event(_), others @ .., Item::Event(_)] = &items(events)[..] else { panic!("events") };
    assert_eq!(
        others,
        [
            skipped(1, 14, Unusable::NotAnEvent, "7"),
            skipped(1, 15, Unusable::NotAnEvent, "{\"a\":1}"),
            skipped(1, 22, Unusable::Event(EventError::NoRecords), "{\"records\":7}"),
        ]
    );
}

#[test]
fn a_record_over_the_limit_of_its_source_is_skipped() {
    let string = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    let [most, kinesis] = [SourceType::DirectPut, SourceType::Kinesis].map(SourceType::max_record_bytes);
    let too_large = |bytes, source_type| Unusable::RecordTooLarge { bytes, source_type };
    let fits = MAX_EVENT_BYTES / 4 * 3 - 3_000;
    for (source_type, bytes, problem) in [
        (SourceType::DirectPut, most, None),
        (SourceType::DirectPut, most + 1, Some(too_large(most + 1, SourceType::DirectPut))),
        (SourceType::Kinesis, most + 1, None),
        (SourceType::Kinesis, fits, None),
        (SourceType::Kinesis, fits + 6_000, Some(Unusable::FitsNoEvent { bytes: fits + 6_000 })),
        (SourceType::Kinesis, kinesis + 1, Some(too_large(kinesis + 1, SourceType::Kinesis))),
    ] {
        let large = string(bytes);
        let error = |data: &str| format!("{{\"rawData\":\"{}\"}}", encode(data.as_bytes()));
        for text in [["{}".to_owned(), large.clone(), "{}".to_owned()], [error("{}"), error(&large), error("{}")]] {
            let found =
                contents_of(text.concat().as_bytes(), source_type).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
            let [before, found, after] = &found[..] else { panic!("{} items", found.len()) };
            assert!((before, after) == (&record("{}"), &record("{}")));
            match &problem {
                None => assert!(*found == record(&large), "{source_type} {bytes}"),
                Some(problem) => {
                    let Item::Skipped(skipped) = found else { panic!("{source_type} {bytes}") };
                    assert_eq!((&skipped.problem, skipped.offset), (problem, text[0].len() as u64));
                    assert!(skipped.content == text[1].as_bytes());
                }
            }
        }
    }
    // Data that is not base64 is escaped in JSON, so that it may be six times as large.
    let escapes = format!("{{\"rawData\":\"{}\"}}", "\\u0001".repeat(1_200_000));
    let found = contents(format!("{{\"rawData\":\"\"}}{escapes}").as_bytes()).unwrap().nth(1).unwrap().unwrap();
    assert!(matches!(found, Item::Skipped(Skipped { problem: Unusable::FitsNoEvent { bytes: 900_000 }, .. })));
}

#[test]
fn events_have_the_limits_of_their_source_and_of_lambda() {
    let event =
        |data: usize| json!({ "records": [{ "recordId": "a", "data": "x".repeat(data) }, { "recordId": "b" }] });
    let large = event(1_400_000);
    let found = items(&format!("{{\"records\":[]}}{large}{large}"));
    let [_, Item::Skipped(skipped), Item::Event(rest), ..] = &found[..] else { panic!("{} items", found.len()) };
    assert_eq!((found.len(), rest.records.len(), skipped.offset), (5, 1, 14));
    assert_eq!(
        skipped.problem.to_string(),
        "records[0]: found a record of 1050000 bytes; Direct PUT accepts at most 1024000"
    );
    assert!(skipped.content == large["records"][0].to_string().as_bytes());
    // No record is left.
    let alone = json!({ "records": [large["records"][0]] }).to_string();
    assert!(matches!(&items(&alone)[..], [Item::Skipped(_)]));

    // It fits without its missing ids only.
    let without_ids = json!({ "records": vec![json!({}); 100_000] });
    let records = vec![json!({ "kafkaRecordValue": "x".repeat(3_200_000) }); 2];
    for event in [without_ids, json!({ "records": records })] {
        let found = items(&format!("{event}{{\"records\":[]}}"));
        let [Item::Skipped(skipped), Item::Event(_)] = &found[..] else { panic!("{} items", found.len()) };
        assert!(matches!(skipped.problem, Unusable::EventTooLarge { .. }), "{}", skipped.problem);
    }
    let pretty = |spaces: usize| format!("{{\n{}\"records\": []}}", " ".repeat(spaces));
    assert!(matches!(items(&pretty(MAX_EVENT_BYTES + 1))[..], [Item::Event(_)]));
}

#[test]
fn a_line_or_a_value_has_a_maximum_size() {
    for long in ["x".repeat(MAX_VALUE_BYTES + 1), format!("{{\n\"a\":\"{}\"}}", "x".repeat(MAX_VALUE_BYTES))] {
        let found = items(&format!("{{}}{long}\n{{}}"));
        let [_, Item::Skipped(skipped), Item::Record(_)] = &found[..] else { panic!("{} items", found.len()) };
        assert_eq!(skipped.problem.to_string(), "found a line or a value of more than 16777216 bytes");
        assert!(skipped.content == long.as_bytes()[..MAX_VALUE_BYTES]);
    }
    let message = "the-file: found a line or a value of more than 16777216 bytes; accepted are";
    assert!(error(&"x".repeat(MAX_VALUE_BYTES + 1)).starts_with(message));
}

proptest::proptest! {
    #[test]
    fn error_records_are_those_of_the_shared_reader(
        lines in proptest::collection::vec(
            r#"(\{"rawData":"[A-Za-z0-9+/=]{0,8}"\}|\{"x":1\}|\[1\]|[ a-z{}",:\[\]]{0,12})"#,
            0..6,
        ),
    ) {
        let text = format!("{{\"rawData\":\"\"}}\n{}", lines.join("\n"));
        let values = Values::open(text.as_bytes(), usize::MAX - 1).unwrap().map(Result::unwrap);
        let records = values.filter(|piece| piece.kind == PieceKind::Value).filter_map(|piece| {
            let record = ErrorRecord::parse(piece.bytes.trim_ascii_start()).ok()?;
            Some(Item::Record(record.raw_data.into_owned()))
        });
        let replayed = items(&text).into_iter().filter(|item| matches!(item, Item::Record(_)));
        proptest::prop_assert_eq!(replayed.collect::<Vec<_>>(), records.collect::<Vec<_>>());
    }
}

#[test]
fn content_is_described() {
    for (content, description) in [
        ("[1,\n2]", "a JSON array"),
        ("7", "a JSON value that is not an object"),
        ("{\"a\":\n1}", "a JSON object with `a`"),
        ("{\"b\":1,\"a\":1}", "a JSON object with `b`, `a`"),
        ("[1e400]", "a JSON array"),
        ("{}", "a JSON object with nothing"),
        ("{\"\\u001b\":1}", r"a JSON object with `\u{1b}`"),
        ("a,b\nc", r"what is not JSON: `a,b\nc`"),
        ("0123456789012345678901234567890123456789x", "what is not JSON: `0123456789012345678901234567890123456789…`"),
    ] {
        assert_eq!(describe(content.as_bytes()), description);
    }
    assert_eq!(describe(b"{\"a\":\"\xff\"}"), "a JSON object that is not UTF-8");
}
