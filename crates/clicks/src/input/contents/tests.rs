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
        Ok(contents) => contents.collect::<Result<Vec<_>, _>>().unwrap_err().to_string(),
        Err(error) => error.to_string(),
    }
}

fn record(data: &str) -> Item {
    Item::Record(data.as_bytes().to_vec())
}

#[test]
fn clicks_are_lines_whatever_comes_after_the_first() {
    let text = "\n{\"a\":1}\r\nnot JSON\n\n{\"records\":[]}\n  {\"b\":2}";
    let expected = [record("{\"a\":1}"), record("not JSON"), record("{\"records\":[]}"), record("  {\"b\":2}")];
    assert_eq!(items(text), expected);
}

#[test]
fn error_objects_are_their_original_bytes() {
    assert_eq!(
        items("{\"rawData\":\"e30=\"}\n{\"rawData\":\"AP8=\",\"errorCode\":\"x\"}\n"),
        [record("{}"), Item::Record(vec![0, 0xff]),]
    );
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
        ("{\"rawData\":\"?\"}", "the-file, line 1: found a JSON object"),
        ("{\"records\":[]}\nx", "the-file, line 2: found what is not JSON: `x`; accepted is a Firehose event"),
        ("{\"records\":7}", "the-file, line 1: found an event whose `records` is not an array of objects"),
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
    let message = "the-file, line 1: found an event of 6291";
    assert!(error(&event.to_string()).starts_with(message), "{}", error(&event.to_string()));
    assert_eq!(error(&line(MAX_LINE_BYTES + 1)), "could not read the-file");
}
