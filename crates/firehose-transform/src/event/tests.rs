use jiff::Timestamp;

use super::*;

fn read(json: &str) -> Records<'_> {
    let mut records = Records::of(json);
    let _decoded = records.push(&serde_json::from_str(json).unwrap());
    records
}

fn data(json: &str) -> Result<String, DataError> {
    let Records { kept, data, .. } = read(json);
    kept[0].error.map_or_else(|| Ok(String::from_utf8(data).unwrap()), Err)
}

fn arrival(json: &str) -> Option<String> {
    let raw = &read(json).kept[0];
    let record = Record { raw, data: b"", text: None };
    record.arrived_at().map(|at| format!("{:.3}", Timestamp::try_from(at).unwrap()))
}

#[test]
fn data_is_decoded_or_has_a_reason() {
    for (json, expected) in [
        (r#"{"data":"aGk="}"#, Ok("hi")),
        (r#"{"data":"aGk\u003d"}"#, Ok("hi")),
        (r#"{"kafkaRecordValue":"aGk="}"#, Ok("hi")),
        (r#"{"data":""}"#, Ok("")),
        ("{}", Err(DataError::Missing)),
        (r#"{"data":null}"#, Err(DataError::Missing)),
        (r#"{"data":7}"#, Err(DataError::InvalidBase64)),
        (r#"{"data":["aGk="]}"#, Err(DataError::InvalidBase64)),
        (r#"{"data":"aGk"}"#, Err(DataError::InvalidBase64)),
        (r#"{"data":"aGl="}"#, Err(DataError::InvalidBase64)),
        (r#"{"data":"a-k_"}"#, Err(DataError::InvalidBase64)),
        (r#"{"data":"aG k="}"#, Err(DataError::InvalidBase64)),
    ] {
        assert_eq!(data(json), expected.map(str::to_owned), "{json}");
    }
}

#[test]
fn one_bad_record_leaves_its_neighbours_data_in_place() {
    let event = br#"{"records":[{"data":"YQ=="},{"data":"YmI="},{"data":"YWF!"},{},{"data":"Yw=="}]}"#;
    let event = Event::parse(event).unwrap();
    let expected: [Result<&[u8], DataError>; 5] =
        [Ok(b"a"), Ok(b"bb"), Err(DataError::InvalidBase64), Err(DataError::Missing), Ok(b"c")];
    assert_eq!(event.records().map(|record| record.map(|record| record.data())).collect::<Vec<_>>(), expected);
}

#[test]
fn text_is_what_a_check_of_each_record_finds() {
    // Of "é", one record has the first byte, and the next one the second.
    let event = br#"{"records":[{"data":"YQ=="},{"data":"YcM="},{"data":"qWI="},{},{"data":"w6k="},{"data":""}]}"#;
    let last_is_not = br#"{"records":[{"data":"YQ=="},{"data":"w6k="},{"data":"/w=="}]}"#;
    for event in [&event[..], last_is_not] {
        for record in Event::parse(event).unwrap().records().flatten() {
            assert_eq!(record.text(), str::from_utf8(record.data()));
        }
    }
}

#[test]
fn arrival_times_of_every_form() {
    for (json, expected) in [
        (r#"{"approximateArrivalTimestamp":1495072949453}"#, Some("2017-05-18T02:02:29.453Z")),
        (r#"{"approximateArrivalTimestamp":1495072949453.0}"#, Some("2017-05-18T02:02:29.453Z")),
        (r#"{"approximateArrivalTimestamp":1.495072949453E12}"#, Some("2017-05-18T02:02:29.453Z")),
        // As seconds, this float is slightly less than its decimal form.
        (r#"{"approximateArrivalTimestamp":1495072949451.0}"#, Some("2017-05-18T02:02:29.451Z")),
        (r#"{"approximateArrivalTimestamp":1495072949000}"#, Some("2017-05-18T02:02:29.000Z")),
        (
            r#"{"approximateArrivalTimestamp":null,"mskRecordMetadata":{"approximateArrivalTimestamp":0}}"#,
            Some("1970-01-01T00:00:00.000Z"),
        ),
        (r#"{"approximateArrivalTimestamp":-1}"#, Some("1969-12-31T23:59:59.999Z")),
        // As aws_lambda_events writes it.
        (r#"{"approximateArrivalTimestamp":"1495072949453"}"#, Some("2017-05-18T02:02:29.453Z")),
        (r#"{"approximateArrivalTimestamp":"2017-05-18T02:02:29.453Z"}"#, Some("2017-05-18T02:02:29.453Z")),
        (r#"{"approximateArrivalTimestamp":"2017-05-18T04:02:29.453+02:00"}"#, Some("2017-05-18T02:02:29.453Z")),
        (
            r#"{"kinesisRecordMetadata":{"approximateArrivalTimestamp":1495072949453}}"#,
            Some("2017-05-18T02:02:29.453Z"),
        ),
        (r#"{"mskRecordMetadata":{"approximateArrivalTimestamp":1495072949453}}"#, Some("2017-05-18T02:02:29.453Z")),
        (r#"{"approximateArrivalTimestamp":"soon"}"#, None),
        (r#"{"approximateArrivalTimestamp":99999999999999999999}"#, None),
        (r#"{"approximateArrivalTimestamp":1e300}"#, None),
        (r#"{"kinesisRecordMetadata":7}"#, None),
        ("{}", None),
    ] {
        assert_eq!(arrival(json).as_deref(), expected, "{json}");
    }
}

#[test]
fn metadata_is_of_its_source() {
    for (json, kinesis, msk) in [
        (r#"{"data":"","kinesisRecordMetadata":{}}"#, true, false),
        (r#"{"kafkaRecordValue":"","mskRecordMetadata":{}}"#, false, true),
        // Of an emulator, perhaps.
        (r#"{"data":"","mskRecordMetadata":{}}"#, false, true),
        (r#"{"data":""}"#, false, false),
    ] {
        let record = Record { raw: &read(json).kept[0], data: b"", text: None };
        assert_eq!((record.kinesis_metadata().is_some(), record.msk_metadata().is_some()), (kinesis, msk), "{json}");
    }
}

#[test]
fn both_readers_agree() {
    for payload in [
        r#"{"records":[]}"#,
        "{ \"invocationId\" : \"i\" ,\n \"records\" : [ { } , { \"recordId\" : 7 } ] }",
        r#"{"region":null,"records":[{"recordId":"a","data":"aGk=","mskRecordMetadata":{"offset":"0"}}],"x":[1,{}]}"#,
        // The second record has the form of the first one, and the others have not.
        r#"{"records":[{"recordId":"a","approximateArrivalTimestamp":1,"data":"aGk="},{"recordId":"b","approximateArrivalTimestamp":22,"data":""},{"data":"","recordId":"c"},{"recordId":"d","approximateArrivalTimestamp":null,"data":""}]}"#,
        r#"{"invocationId":"i","invocationId":"j","records":[{"recordId":"a","recordId":"b","data":"","data":null}]}"#,
    ] {
        let scanned = Event::scan(payload).unwrap_or_else(|| panic!("{payload}"));
        let (parsed, unread) = deserialize::event(payload).unwrap();
        assert_eq!((format!("{scanned:?}"), 0), (format!("{parsed:?}"), unread));
    }
}

#[test]
fn the_last_of_repeated_members_counts() {
    let twice = r#"{"recordId":"a","data":7,"recordId":"b","data":"aGk="}"#;
    assert_eq!(read(twice).kept[0].id().as_deref(), Some("b"));
    assert!(data(twice).is_ok());
    let kafka = r#"{"kafkaRecordValue":7,"approximateArrivalTimestamp":"soon","kafkaRecordValue":"aGk=","approximateArrivalTimestamp":0}"#;
    assert!(data(kafka).is_ok());
    assert_eq!(arrival(kafka).as_deref(), Some("1970-01-01T00:00:00.000Z"));
    let event = br#"{"records":[{}],"invocationId":"i","records":[],"invocationId":"j"}"#;
    let event = Event::parse(event).unwrap();
    assert_eq!((event.invocation_id().as_deref(), event.len()), (Some("j"), 0));
}

#[test]
fn more_records_than_a_response_holds_are_counted_and_refused() {
    let payload = format!("{{\"records\":[{}{{}}]}}", "{},".repeat(300_000));
    let (parsed, unread) = deserialize::event(&payload).unwrap();
    assert_eq!((parsed.len() + unread, parsed.len() < 215_000), (300_001, true));
    assert_eq!(Event::parse(payload.as_bytes()).unwrap_err(), EventError::TooManyRecords { records: 300_001 });
}

#[test]
fn an_invalid_event_is_an_error() {
    for payload in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        r#"{"Records":[]}"#,
        r#"{"records":{}}"#,
        r#"{"records":null}"#,
        r#"{"records":[1]}"#,
        r#"["i",[]]"#,
        r#"{"records":[["r0","e30="]]}"#,
        r#"{"records":[null]}"#,
        // Each has the form of the record before, but for what is no JSON.
        "{\"records\":[{\"data\":\"\"},{\"data\":\"\x01\"}]}",
        r#"{"records":[{"data":""},{"data":"\q"}]}"#,
        r#"{"records":[{"data":""},{"data":"aGk\"}]}"#,
        r#"{"records":[{"data":"","data":""},{"data":"\q","data":""}]}"#,
        r#"{"records":[{"kafkaRecordValue":"","data":""},{"kafkaRecordValue":"\q","data":""}]}"#,
        r#"{"records":[{"recordId":"a","data":""},{"recordId":"\q","data":""}]}"#,
    ] {
        let message = Event::parse(payload.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with("not a Firehose transformation event"), "{payload}: {message}");
    }
    for (payload, expected) in [
        (&br#"{"records":"a visitor"}"#[..], "no object with an array `records` of objects at line 1, column 22"),
        (b"{\n\"records\":[}", "invalid JSON at line 2, column 12"),
        (b"{\n\"\xff", "invalid UTF-8 at line 2, column 2"),
    ] {
        let message = Event::parse(payload).unwrap_err().to_string();
        assert!(message.ends_with(expected), "{message}");
    }
}
