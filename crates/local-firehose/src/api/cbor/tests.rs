use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::json;

use super::*;

const LIMIT: usize = 1024;

#[test]
fn a_request_has_the_members_of_json() {
    for (cbor, json) in [
        (&b"\xa0"[..], "{}"),
        (b"\xbf\xff", "{}"),
        // As the AWS SDK for Java writes it: maps and arrays have no lengths.
        (b"\xbf\x6aStreamName\x66orders\x64Data\x42hi\xff", r#"{"StreamName":"orders","Data":"aGk="}"#),
        (b"\xbf\x67Records\x9f\xbf\x64Data\x40\xff\xbf\xff\xff\xff", r#"{"Records":[{"Data":""},{}]}"#),
        // Captured of the AWS SDK for Java 2.x by the floci project (issue 2368).
        (b"\xa1\x69Timestamp\xc1\x1b\x00\x00\x01\xa0\x13\xac\xcc\x38", r#"{"Timestamp":1787036486.712}"#),
        (b"\xa1\x69Timestamp\x19\x03\xe8", r#"{"Timestamp":1.0}"#),
        (b"\xa1\x69Timestamp\xfb\x40\x97\x70\0\0\0\0\0", r#"{"Timestamp":1.5}"#),
        (b"\xa1\x69Timestamp\xf6", r#"{"Timestamp":null}"#),
        // Byte strings and text in parts, also names.
        (b"\xa1\x64Data\x5f\x41h\x40\x42ij\xff", r#"{"Data":"aGlq"}"#),
        (b"\xa1\x7f\x61D\x63ata\xff\x7f\x61\"\x60\x62\xc3\xa9\xff", r#"{"Data":"\"é"}"#),
        (b"\x9f\x9f\xff\xbf\x61a\x80\xff\xff", r#"[[],{"a":[]}]"#),
        (b"\x88\x00\x18\x18\x20\xfa\x3f\xc0\0\0\xf4\xf5\xf6\xf7", "[0,24,-1,1.5,false,true,null,null]"),
        (
            b"\x82\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x3b\xff\xff\xff\xff\xff\xff\xff\xff",
            "[18446744073709551615,-18446744073709551616]",
        ),
        // The reader of JSON decides what is done with a member that is there twice.
        (b"\xa2\x61a\x01\x61a\x02", r#"{"a":1,"a":2}"#),
        // The tag of CBOR itself.
        (b"\xd9\xd9\xf7\xa0", "{}"),
    ] {
        let found = to_json(cbor, LIMIT).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), json);
    }
}

#[test]
fn other_requests_are_errors_with_their_place() {
    let deepest = [vec![0x81; 127], vec![0x80]].concat();
    assert!(to_json(&deepest, LIMIT).is_ok());
    let too_deep = [vec![0x81; 128], vec![0x80]].concat();
    for (cbor, message) in [
        (&b""[..], "end of input bytes"),
        (b"\xa1", "end of input bytes"),
        (b"\xbf", "end of input bytes"),
        (b"\xc1", "end of input bytes"),
        // Lengths that lie.
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "end of input bytes"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x00", "end of input bytes"),
        (b"\x7b\xff\xff\xff\xff\xff\xff\xff\xffa", "end of input bytes"),
        (b"\xa1\x64Data\x5b\xff\xff\xff\xff\xff\xff\xff\xffa", "end of input bytes"),
        (b"\xa1\x64Data\x5f\x61a\xff", "expected bytes"),
        (b"\xa1\x01\x02", "expected text"),
        (b"\x61\xff", "utf-8"),
        (b"\xa1\x6aStreamName\x41a", "unexpected type bytes at position 12: accepted are maps"),
        (b"\xff", "type break at position 0"),
        (b"\xa1\x61a\xff", "type break at position 3"),
        (b"\x1c", "type 0x1c at position 0"),
        (b"\xe0", "type simple at position 0"),
        (b"\xf9\x3c\x00", "type f16 at position 0"),
        (b"\xfb\x7f\xf0\0\0\0\0\0\0", "position 0: a number is not finite"),
        (b"\xa0\xa0", "position 1: more bytes follow the request"),
        (&too_deep, "position 128: maps and arrays are nested too deep"),
    ] {
        let found = to_json(cbor, LIMIT).unwrap_err().to_string();
        assert!(found.starts_with("invalid CBOR: ") && found.contains(message), "{cbor:x?}: {found}");
    }
}

#[test]
fn the_json_has_a_limit() {
    for (cbor, bytes) in [
        (&b"\x63aaa"[..], 5),
        // Escapes.
        (b"\x62\0\0", 14),
        (b"\xa1\x64Data\x46aaaaaa", 19),
        (b"\xa1\x64Data\x41a", 15),
        (b"\x82\x00\x00", 5),
    ] {
        assert_eq!(to_json(cbor, bytes).unwrap().len(), bytes);
        for limit in 0..bytes {
            assert!(matches!(to_json(cbor, limit), Err(CborError::TooLarge(_))), "{cbor:x?} {limit}");
        }
    }
}

#[test]
fn a_response_has_the_members_of_json() {
    for (json, cbor) in [
        (json!({}), &b"\xa0"[..]),
        (json!({ "Data": "aGk=", "Key": "aGk=" }), b"\xa2\x64Data\x42hi\x63Key\x64aGk="),
        (
            json!({ "StreamCreationTimestamp": 1_787_036_486.712 }),
            b"\xa1\x77StreamCreationTimestamp\xc1\x1b\x00\x00\x01\xa0\x13\xac\xcc\x38",
        ),
        (
            json!([{ "ApproximateArrivalTimestamp": 1.0 }]),
            b"\x81\xa1\x78\x1bApproximateArrivalTimestamp\xc1\x19\x03\xe8",
        ),
        (json!([0, -1, 24, 1.5, true, false, null]), b"\x87\x00\x20\x18\x18\xfb\x3f\xf8\0\0\0\0\0\0\xf5\xf4\xf6"),
        (json!({ "__type": "É" }), b"\xa1\x66__type\x62\xc3\x89"),
    ] {
        assert_eq!(from_json(&json), cbor, "{json}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(bytes: Vec<u8>, data in prop::collection::vec(any::<u8>(), 0..40)) {
        for cbor in [bytes, [&b"\xa1\x64Data"[..], &data].concat()] {
            if let Ok(json) = to_json(&cbor, LIMIT) {
                prop_assert!(serde_json::from_slice::<IgnoredAny>(&json).is_ok());
            }
        }
    }

    #[test]
    fn what_is_written_is_read(members: BTreeMap<String, (i64, String, Vec<Option<bool>>)>) {
        prop_assume!(!members.keys().any(|name| name == DATA || TIMES.contains(&name.as_str())));
        let json = serde_json::to_value(members).unwrap();
        let read = to_json(&from_json(&json), usize::MAX).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&read).unwrap(), json);
    }

    #[test]
    fn milliseconds_are_exact(ms in 0..4_102_444_800_000_u64) {
        let seconds: f64 = format!("{}.{:03}", ms / 1000, ms % 1000).parse().unwrap();
        let json = json!({ "Timestamp": seconds });
        let read = to_json(&from_json(&json), LIMIT).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&read).unwrap(), json);
    }
}
