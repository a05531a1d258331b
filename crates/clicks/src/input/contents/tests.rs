use std::io::Write;

use serde_json::json;

use super::*;

fn contents(text: &[u8]) -> Result<Contents, InputError> {
    Contents::of("the-file".to_owned(), io::Cursor::new(text.to_vec()))
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

fn record(data: &str) -> Item {
    Item::Record(encode(data.as_bytes()))
}

#[test]
fn clicks_are_lines_whatever_comes_after_the_first() {
    let text = "\n{\"a\":1}\r\nnot JSON\n\n{\"records\":[]}\n  {\"b\":2}";
    let expected = [record("{\"a\":1}"), record("not JSON"), record("{\"records\":[]}"), record("  {\"b\":2}")];
    assert_eq!(items(text), expected);
}

#[test]
fn error_objects_are_their_original_bytes_or_what_stands_in_their_place() {
    let text = "{\"rawData\":\"e30=\"}\n{\"rawData\":\"AP8=\",\"errorCode\":1e400}\n{\"rawData\":\"###\"}\n";
    assert_eq!(items(text), ["e30=", "AP8=", "###"].map(|data| Item::Record(data.to_owned())));
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    assert_eq!(items("\u{feff}{\"a\":1}\n\u{feff}{}\n"), [record("{\"a\":1}"), record("\u{feff}{}")]);
    assert_eq!(items("\u{feff}\n{\"a\":1}"), [record("{\"a\":1}")]);
    assert!(matches!(items("\u{feff}{\n\"records\": []}")[..], [Item::Event(_)]));
}

#[test]
fn an_event_is_one_however_it_is_written() {
    let event = json!({ "records": [{ "recordId": "a", "data": "e30=", "approximateArrivalTimestamp": 1 }] });
    let minified = event.to_string();
    let pretty = serde_json::to_string_pretty(&event).unwrap();
    let expected = items(&minified);
    assert!(matches!(&expected[..], [Item::Event(event)] if event.records().len() == 1));
    assert_eq!(items(&pretty), expected);
    assert_eq!(items(&format!("{minified}\n{minified}\n")).len(), 2);
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
fn what_is_not_accepted_is_told_with_its_place() {
    for (text, start) in [
        ("", "the-file: found nothing; accepted are Firehose events"),
        ("a,b\n", "the-file: found what is not JSON: `a,b`; accepted are"),
        ("[1]", "the-file: found a JSON array; accepted are"),
        ("[\n1]", "the-file: found a JSON array; accepted are"),
        ("{\n\"userId\":\"u\"}", "the-file: found a JSON object over several lines with `userId`; accepted"),
        ("{\"rawData\":\"\"}\n\n{\"a\":1}\n", "the-file, line 3: found a JSON object"),
        (
            "{\"rawData\":7}",
            "the-file, line 1: found a JSON object with `rawData`; accepted is an object with a failed",
        ),
        ("{\"records\":[]}\nx", "the-file, line 2: found what is not JSON: `x`; accepted is a Firehose event"),
        ("{\"records\":7}", "the-file, line 1: found an event whose `records` is not an array of objects"),
        ("{\"records\":[{\"result\":\"Dropped\"}]}", "the-file, line 1: found a function's reply"),
    ] {
        let error = error(text);
        assert!(error.starts_with(start), "{text:?}: {error}");
    }
}

#[test]
fn records_events_and_lines_have_a_largest_size() {
    let line = |size: usize| format!("{{}}\n{}", "x".repeat(size));
    assert_eq!(items(&line(MAX_RECORD_BYTES)).len(), 2);
    assert_eq!(
        error(&line(MAX_RECORD_BYTES + 1)),
        "the-file, line 2: found a record of more than 1024000 bytes, which Firehose does not accept",
    );
    let event = json!({ "records": [{ "recordId": "a", "data": "x".repeat(MAX_EVENT_BYTES) }] });
    let message = "the-file, line 1: found an event of ";
    assert!(error(&event.to_string()).starts_with(message), "{}", error(&event.to_string()));
    // It fits as it is, and not with the ids that it lacks.
    let without_ids = json!({ "records": vec![json!({}); 100_000] }).to_string();
    assert!(error(&without_ids).starts_with(message), "{}", error(&without_ids));
    assert_eq!(error(&line(MAX_LINE_BYTES + 1)), "the-file, line 2: found a line of more than 16777216 bytes");
    let pretty = |spaces: usize| format!("{{\n{}\"records\": []}}", " ".repeat(spaces));
    assert!(matches!(items(&pretty(MAX_EVENT_BYTES + 1))[..], [Item::Event(_)]));
    assert_eq!(
        error(&pretty(MAX_LINE_BYTES)),
        "the-file: found JSON of more than 16777216 bytes over several lines; an event has at most 6291456, \
         the white space between its values not counted",
    );
}
