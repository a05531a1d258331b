use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A configuration with the fields a, b and c, and the partition key a.
fn config(variables: &[(&str, &str)]) -> Config {
    let defaults = [
        ("COLLECTOR_STREAM", "s"),
        ("COLLECTOR_FIELDS", "a,b,c"),
        ("COLLECTOR_PARTITION_KEY_FIELD", "a"),
        ("COLLECTOR_HASH_KEY", SECRET),
    ];
    Config::read(&defaults.iter().chain(variables).copied().collect()).unwrap()
}

fn records(body: impl AsRef<[u8]>) -> Result<Vec<Record>, BodyError> {
    super::records(&config(&[]), body.as_ref())
}

fn lines(body: &str) -> Vec<String> {
    records(body).unwrap().into_iter().map(|record| String::from_utf8(record.data).unwrap()).collect()
}

/// The record of an object, with `variables`.
fn one(variables: &[(&str, &str)], body: &str) -> Record {
    super::records(&config(variables), body.as_bytes()).unwrap().remove(0)
}

fn is_random(key: &str) -> bool {
    Uuid::parse_str(key).is_ok_and(|uuid| uuid.get_version_num() == 4)
}

#[test]
fn an_object_is_a_line_of_the_selected_fields() {
    for (body, line) in [
        ("{}", r#"{"a":null,"b":null,"c":null}"#),
        (r#"{"c":3,"a":"x","b":true}"#, r#"{"a":"x","b":true,"c":3}"#),
        (r#" { "a" : 1.0 , "d" : 2 } "#, r#"{"a":1.0,"b":null,"c":null}"#),
        (
            "{\"a\":123456789012345678901234567890,\"b\":1E400}",
            r#"{"a":123456789012345678901234567890,"b":1E400,"c":null}"#,
        ),
        (r#"{"A":1,"a ":2}"#, r#"{"a":null,"b":null,"c":null}"#),
        (r#"{"\u0061":"escaped"}"#, r#"{"a":"escaped","b":null,"c":null}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2,"c":null}"#),
        (r#"{"a":1,"a":null}"#, r#"{"a":null,"b":null,"c":null}"#),
        (r#"{"b":{ "x" : [ 1, {"y":null} ] }}"#, r#"{"a":null,"b":{"x":[1,{"y":null}]},"c":null}"#),
        ("{\"a\":\"l1\\nl2 \u{2028} é\"}", "{\"a\":\"l1\\nl2 \u{2028} é\",\"b\":null,\"c\":null}"),
        (r#"{"zz":"\ud800","a":1}"#, r#"{"a":1,"b":null,"c":null}"#),
    ] {
        assert_eq!(lines(body), [format!("{line}\n")], "{body}");
    }
}

#[test]
fn an_array_is_a_line_for_each_object() {
    assert_eq!(records(" [ ] "), Ok(vec![]));
    assert_eq!(
        lines(r#"[{"a":1},{"a":2}]"#),
        ["{\"a\":1,\"b\":null,\"c\":null}\n", "{\"a\":2,\"b\":null,\"c\":null}\n"]
    );
}

#[test]
fn a_body_with_an_invalid_part_is_rejected_as_a_whole() {
    let nested = |depth: usize| format!("{{\"b\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(records(nested(128)).is_ok());
    let array = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    assert_eq!(records(array(MAX_OBJECTS)).unwrap().len(), MAX_OBJECTS);
    let bytes = |count: usize| format!("{{\"d\":\"{}\"}}", "x".repeat(count - 8));
    assert!(records(bytes(MAX_BODY_BYTES)).is_ok());
    for (body, refusal) in [
        ("", BodyError::NOT_JSON),
        ("  ", BodyError::NOT_JSON),
        ("{", BodyError::NOT_JSON),
        ("{\"a\":1}{\"a\":2}", BodyError::NOT_JSON),
        ("{\"a\":01}", BodyError::NOT_JSON),
        ("{\"a\":NaN}", BodyError::NOT_JSON),
        ("{\"a\":\"\n\"}", BodyError::NOT_JSON),
        ("\u{feff}{}", BodyError::NOT_JSON),
        ("null", BodyError::NOT_AN_OBJECT),
        ("1", BodyError::NOT_AN_OBJECT),
        ("\"{}\"", BodyError::NOT_AN_OBJECT),
        ("[[]]", BodyError::NOT_AN_OBJECT),
        ("[{},null]", BodyError::NOT_AN_OBJECT),
        (&"[".repeat(500_000), BodyError::NOT_JSON),
        (&format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)), BodyError::NOT_AN_OBJECT),
        (&format!("{}1{}", "{\"b\":".repeat(100_000), "}".repeat(100_000)), UnsupportedValue::TooDeep.into()),
        (&nested(129), UnsupportedValue::TooDeep.into()),
        (r#"{"b":"\ud800"}"#, UnsupportedValue::Escape.into()),
        (r#"{"\ud800":1}"#, UnsupportedValue::Escape.into()),
        (r#"[{"b":1},{"b":"\ud800"}]"#, UnsupportedValue::Escape.into()),
        (&array(MAX_OBJECTS + 1), BodyError::TOO_MANY_OBJECTS),
        (&bytes(MAX_BODY_BYTES + 1), BodyError::BODY_TOO_LARGE),
    ] {
        assert_eq!(records(body), Err(refusal), "{body:.80}");
    }
    assert_eq!(records(b"{\"a\":\"\xff\"}"), Err(BodyError::NOT_JSON));
    // The depth of ignored fields does not matter.
    assert!(records(format!("{{\"d\":{}{}}}", "[".repeat(400_000), "]".repeat(400_000))).is_ok());
}

#[test]
fn the_record_size_limit_includes_the_key() {
    // {"a":"k","b":"…","c":null} and a newline take 24 bytes besides b, and the key 1.
    let body = |b: usize| format!("{{\"a\":\"k\",\"b\":\"{}\"}}", "x".repeat(b));
    let largest = MAX_RECORD_BYTES - 26 - 1;
    assert_eq!(records(body(largest)).unwrap()[0].size(), MAX_RECORD_BYTES);
    assert_eq!(records(body(largest + 1)), Err(BodyError::RECORD_TOO_LARGE));
}

#[test]
fn the_partition_key_is_a_text_or_a_number() {
    let longest = "é".repeat(256);
    for (value, key) in [
        ("\"x\"", "x"),
        (r#""\u00e9 😀""#, "é 😀"),
        ("1.50", "1.50"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("-1", "-1"),
        ("\"true\"", "true"),
        (&format!("\"{longest}\""), &longest),
    ] {
        assert_eq!(one(&[], &format!("{{\"a\":{value}}}")).partition_key, key, "{value}");
    }
}

#[test]
fn without_a_text_or_a_number_each_key_is_random() {
    let mut seen = HashSet::new();
    let longer = format!("\"{}\"", "é".repeat(257));
    for value in ["null", "true", "false", "\"\"", "{}", "[1]", "{\"x\":1}", &longer, &"1".repeat(257)] {
        let key = one(&[], &format!("{{\"a\":{value}}}")).partition_key;
        assert!(is_random(&key), "{value:.40}: {key:.40}");
        seen.insert(key);
    }
    for record in records("[{},{},{}]").unwrap() {
        seen.insert(record.partition_key);
    }
    for value in ["true", "false", "{}", "[1]"] {
        let key = one(&[("COLLECTOR_HASH_FIELDS", "a")], &format!("{{\"a\":{value}}}")).partition_key;
        assert!(is_random(&key), "hashed {value}: {key}");
        seen.insert(key);
    }
    assert_eq!(seen.len(), 16);
}

#[test]
fn the_key_may_be_a_field_that_is_not_stored() {
    let record = one(&[("COLLECTOR_PARTITION_KEY_FIELD", "d")], r#"{"a":1,"d":"shop"}"#);
    assert_eq!(record.partition_key, "shop");
    assert_eq!(record.data, b"{\"a\":1,\"b\":null,\"c\":null}\n");
    let unread = one(&[("COLLECTOR_PARTITION_KEY_FIELD", "d")], r#"{"d":"\ud800"}"#);
    assert!(is_random(&unread.partition_key));
}

#[test]
fn personal_fields_are_masked_or_hashed_and_null_stays_null() {
    /// HMAC-SHA-256 of `x` with `SECRET`, from openssl.
    const X: &str = "5c92424a8406d6b121fb2ae247be1c20ac8a040352451c84a87f55c6bd406b14";
    let hashed = [("COLLECTOR_HASH_FIELDS", "a"), ("COLLECTOR_MASK_FIELDS", "b")];
    let record = one(&hashed, r#"{"a":"x","b":{"deep":["secret"]},"c":"x"}"#);
    assert_eq!(String::from_utf8(record.data).unwrap(), format!("{{\"a\":\"{X}\",\"b\":\"***\",\"c\":\"x\"}}\n"));
    assert_eq!(record.partition_key, X);

    let empty = one(&hashed, r#"{"a":null,"b":null,"c":1}"#);
    assert_eq!(empty.data, b"{\"a\":null,\"b\":null,\"c\":1}\n");
    assert!(is_random(&empty.partition_key));

    let masked = one(&[("COLLECTOR_MASK_FIELDS", "a")], r#"{"a":"x"}"#);
    assert_eq!(masked.data, b"{\"a\":\"***\",\"b\":null,\"c\":null}\n");
    assert!(is_random(&masked.partition_key), "{}", masked.partition_key);

    // The key's field is not stored, but still hashed.
    let unstored = [("COLLECTOR_PARTITION_KEY_FIELD", "d"), ("COLLECTOR_HASH_FIELDS", "d")];
    assert_eq!(one(&unstored, r#"{"d":"x"}"#).partition_key, X);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![4 => "[abcd]", 1 => any::<String>()];
    prop::collection::btree_map(name, value(), 0..6).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn no_input_panics(body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "[\\[{]{0,3}(\"[abc]\":)?[0-9eE.+tn\"\\\\ud8}, \\]]{0,24}".prop_map(String::into_bytes),
    ]) {
        if let Ok(records) = records(&body) {
            for record in records {
                prop_assert!(serde_json::from_slice::<Map<String, Value>>(&record.data).is_ok());
            }
        }
    }

    #[test]
    fn kept_fields_keep_their_values(objects in prop::collection::vec(object(), 0..4)) {
        let body = serde_json::to_string_pretty(&objects).unwrap();
        let kept: Vec<Value> = lines(&body).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected: Vec<Value> = objects
            .iter()
            .map(|object| ["a", "b", "c"].map(|name| (name.to_owned(), object.get(name).cloned().unwrap_or_default())))
            .map(|members| Value::Object(members.into_iter().collect()))
            .collect();
        prop_assert_eq!(kept, expected);
    }
}
