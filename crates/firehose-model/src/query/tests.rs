use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The value of the key `k`.
#[track_caller]
fn value(filter: &str, record: &str) -> Result<Option<String>, ErrorCode> {
    let query = Query::parse(&format!("{{k: {filter}}}")).unwrap_or_else(|problem| panic!("{filter}: {problem}"));
    assert_eq!(query.keys(), ["k"]);
    Ok(query.keys_of(record.as_bytes())?.remove("k"))
}

/// The expected texts are those that jq 1.6 prints, without quotes.
#[test]
fn values_are_those_of_jq() {
    for (filter, record, expected) in [
        // The guide's examples.
        (".customer_id", r#"{"customer_id":"1234567890"}"#, "1234567890"),
        (".type.device", r#"{"type":{"device":"mobile"}}"#, "mobile"),
        (r#".event_timestamp| strftime("%Y")"#, r#"{"event_timestamp":1565382027}"#, "2019"),
        (r#".event_timestamp| strftime("%m/%d/%H")"#, r#"{"event_timestamp":1565382027}"#, "08/09/20"),
        // Public stacks.
        (r#"(.ts/1000) | strftime("%Y-%m-%d")"#, r#"{"ts":1565382027123}"#, "2019-08-09"),
        (r#".ts|fromdate|strftime("%j")"#, r#"{"ts":"2020-01-02T03:04:05Z"}"#, "002"),
        (".at[0:4]", r#"{"at":"2020-01-02"}"#, "2020"),
        (
            r#".at | split(".")[0] | strptime("%Y-%m-%dT%H:%M:%S") | strftime("%d")"#,
            r#"{"at":"2020-01-02T03:04:05.6Z"}"#,
            "02",
        ),
        (
            r#"(if (.owner // "") == "" then "control" else (.owner | ltrimstr("/")) end)"#,
            r#"{"owner":"/aws/x"}"#,
            "aws/x",
        ),
        (r#"(if (.owner // "") == "" then "control" else .owner end)"#, r#"{"owner":""}"#, "control"),
        (r#"(.value.att[0].can | sub("\/"; "_"))"#, r#"{"value":{"att":[{"can":"a/b/c"}]}}"#, "a_b/c"),
        (".bar.baz|ascii_upcase", r#"{"bar":{"baz":"Partition1"}}"#, "PARTITION1"),
        // Numbers and booleans.
        (".a", r#"{"a":7}"#, "7"),
        (".a", r#"{"a":-0.5}"#, "-0.5"),
        (".a", r#"{"a":1.0}"#, "1"),
        (".a", r#"{"a":9007199254740993}"#, "9007199254740992"),
        (".a", r#"{"a":12345678901234567890}"#, "12345678901234567000"),
        (".a", r#"{"a":true}"#, "true"),
        // Paths and literals.
        (r#".["a b"]"#, r#"{"a b":"x"}"#, "x"),
        (r#"."a b"[-1:]"#, r#"{"a b":"xyé"}"#, "é"),
        (r#"(.["a"]."b"["c"] + (if .["d"] then .["d"] else . end))"#, r#"{"a":{"b":{"c":"x"}},"d":"y"}"#, "xy"),
        (r#""\(.["a"])""#, r#"{"a":"x"}"#, "x"),
        (".a[-1].b?", r#"{"a":[1,{"b":"x"}]}"#, "x"),
        (r#""\u00e9\t""#, "0", "é\t"),
        (r#""\(.a)-\(.b)""#, r#"{"a":1}"#, "1-null"),
        (". # a comment\n", r#""x""#, "x"),
        // Operators.
        (r#"(.a.b // "none")"#, "{}", "none"),
        (r#"(.a + "-" + .b)"#, r#"{"a":"x","b":"y"}"#, "x-y"),
        ("(.a % 10)", r#"{"a":1565382027}"#, "7"),
        ("(.a - 1 | -.)", r#"{"a":3}"#, "-2"),
        ("(.a and .b == 1 or (.b < 0))", r#"{"a":"x","b":1}"#, "true"),
        (r#"((try .a.b) // "x")"#, r#"{"a":{"b":"y"}}"#, "y"),
        (r#"["a", .a, (.b|tostring)] | join("-")"#, r#"{"a":"x","b":[1,"y"]}"#, r#"a-x-[1,"y"]"#),
        (r#".a|join("-")"#, r#"{"a":[1,null,"x",true]}"#, "1--x-true"),
        // Filters.
        (".a|tostring", "{}", "null"),
        (".a|tonumber", r#"{"a":"12"}"#, "12"),
        (".a|round", r#"{"a":1.5}"#, "2"),
        (".a|length", r#"{"a":"xyé"}"#, "3"),
        (".a|length|tostring", r#"{"a":-5}"#, "5"),
        (".a|length", r#"{"a":-9223372036854775808}"#, "9223372036854776000"),
        (".a|type", r#"{"a":[]}"#, "array"),
        (".a|first", r#"{"a":["x","y"]}"#, "x"),
        (".a|not", r#"{"a":null}"#, "true"),
        (r#".a|test("^X+$")"#, r#"{"a":"XX"}"#, "true"),
        (r#".a|split("/")|join("_")"#, r#"{"a":"x/y/z"}"#, "x_y_z"),
        (
            r#"(if .a|test("^(x|y)") then 1 elif .a|test("^z") then 2 else .a|sub("[ac]";"b")|test("^ba$") end)"#,
            r#"{"a":"aa"}"#,
            "true",
        ),
        (r#".a|strptime("%Y-%m-%d")|mktime"#, r#"{"a":"2020-01-02"}"#, "1577923200"),
        (".a|fromdateiso8601|todate", r#"{"a":"2020-01-02T03:04:05Z"}"#, "2020-01-02T03:04:05Z"),
        (r#".a|rtrimstr("x")|endswith("y")"#, r#"{"a":"yx"}"#, "true"),
    ] {
        assert_eq!(value(filter, record), Ok(Some(expected.to_owned())), "{filter} of {record}");
    }
}

#[test]
fn each_accepted_filter_is_defined() {
    for filter in syntax::FILTERS.split(' ') {
        let (name, arguments) = filter.split_once('/').unwrap();
        let call = match arguments {
            "0" => name.to_owned(),
            "1" => format!(r#"{name}("x")"#),
            _ => format!(r#"{name}("x"; "y")"#),
        };
        let query = Query::parse(&format!("{{k: .|{call}}}"));
        assert!(query.is_ok(), "{call}: {query:?}");
    }
}

#[test]
fn the_keys_are_those_of_the_object() {
    let query = Query::parse(r#"{a, "b c": .b, d: .d, "e": "x",}"#).unwrap();
    assert_eq!(query.keys(), ["a", "b c", "d", "e"]);
    let keys = query.keys_of(br#" {"a":1,"b":"y","c":"z"} "#).unwrap();
    // What is no text, number or boolean is missing.
    assert_eq!(json!(keys), json!({ "a": "1", "b c": "y", "e": "x" }));
}

#[test]
fn a_record_without_keys_fails() {
    let long = |length: usize| json!({ "a": "x".repeat(length), "n": "1".repeat(length) }).to_string();
    for (filter, record, expected) in [
        (".a", "{}", Ok(None)),
        (".a", r#"{"a":null}"#, Ok(None)),
        (".a", r#"{"a":["x"]}"#, Ok(None)),
        (".a", r#"{"a":{}}"#, Ok(None)),
        (".a", "7", Err(ErrorCode::NoPartition)),
        (".a[0]", r#"{"a":"x"}"#, Err(ErrorCode::NoPartition)),
        (".a.b?", r#"{"a":"x"}"#, Err(ErrorCode::NoPartition)),
        (".a|ascii_upcase", "{}", Err(ErrorCode::NoPartition)),
        // With a fraction, jq 1.6 parses no date.
        (".a|fromdate", r#"{"a":"2020-01-02T03:04:05.6Z"}"#, Err(ErrorCode::NoPartition)),
        (r#".a|strftime("%Y")"#, r#"{"a":1565382027000000}"#, Err(ErrorCode::NoPartition)),
        (r#".a|strftime("%Y")"#, r#"{"a":9223372036854775807}"#, Err(ErrorCode::NoPartition)),
        (r#".a|strftime("%Y")"#, r#"{"a":[2020,127,1,0,0,0]}"#, Err(ErrorCode::NoPartition)),
        (r#".a|test("(")"#, r#"{"a":"x"}"#, Err(ErrorCode::NoPartition)),
        (r#".a|test("x")"#, &long(4_097), Err(ErrorCode::NoPartition)),
        (r#".a|sub("x";"")"#, &long(4_097), Err(ErrorCode::NoPartition)),
        (r#".a|split("")[0]"#, &long(4_097), Err(ErrorCode::NoPartition)),
        (".n|tonumber", &long(33), Err(ErrorCode::NoPartition)),
        (r#".|join("")"#, &json!(vec!["x"; 257]).to_string(), Err(ErrorCode::NoPartition)),
        (".", "", Err(ErrorCode::NotJson)),
        (".", "text", Err(ErrorCode::NotJson)),
        (".a", r#"{"a":"x"}{"a":"y"}"#, Err(ErrorCode::NotJson)),
        (".", "# no comment\n1", Err(ErrorCode::NotJson)),
        (".a", &("[".repeat(100_000) + &"]".repeat(100_000)), Err(ErrorCode::NotJson)),
    ] {
        assert_eq!(value(filter, record), expected, "{filter} of {}", &record[..record.len().min(80)]);
    }
    let query = Query::parse("{k: .}").unwrap();
    assert_eq!(query.keys_of(b"\"\xff\""), Err(ErrorCode::NotJson));
    // The longest texts of the guards.
    for filter in [r#".a|test("x$")"#, r#"(.a|split("")[0]|. == "x")"#] {
        assert_eq!(value(filter, &long(4_096)), Ok(Some("true".to_owned())), "{filter}");
    }
}

/// An element takes up to eight times the memory of its JSON.
#[test]
fn large_arrays_and_objects_are_not_copied() {
    let array = |length: usize| json!(vec![0; length]).to_string();
    let object =
        |length: usize| json!((0..length).map(|key| (key.to_string(), 0)).collect::<BTreeMap<_, _>>()).to_string();
    let sum = format!("(.{}|length)", "+.".repeat(30));
    for (filter, record, expected) in [
        (sum.as_str(), array(256), Some("7936")),
        (&sum, array(257), None),
        (&sum, object(256), Some("256")),
        (&sum, object(257), None),
        ("([] + .|length)", array(257), None),
        ("(.[0:200] + . + .[0:200]|length)", array(257), None),
        ("(. - []|length)", array(257), None),
        ("(. - [0]|length)", array(256), Some("0")),
        (".[0:]|length", array(256), Some("256")),
        (".[0:]|length", array(257), None),
        ("[.[0:], .[0:]?, .[:-1][0:]]|length", array(258), None),
        (".[-2:]|length", array(257), Some("2")),
        // As they are, they are shared.
        ("[., ., .]|length", array(257), Some("3")),
        (".[256]", array(257), Some("0")),
    ] {
        let expected = expected.map_or(Err(ErrorCode::NoPartition), |text| Ok(Some(text.to_owned())));
        assert_eq!(value(filter, &record), expected, "{filter} of {} bytes", record.len());
    }
}

/// `docs/reference/delivery-streams.md` documents it.
#[test]
fn numbers_within_a_query_differ_from_those_of_jq() {
    for (filter, record, expected) in [
        ("tostring", "12345678901234567", "12345678901234567"),
        (r#""\(.)""#, "1.0", "1.0"),
        ("tojson", "[1.0,1]", "[1.0,1]"),
        (r#"join("-")"#, "[1.0,1]", "1.0-1"),
    ] {
        assert_eq!(value(filter, record), Ok(Some(expected.to_owned())), "{filter} of {record}");
    }
}

#[test]
fn a_refused_query_has_a_reason() {
    let (doubled, steps) = ("(. + .".to_owned() + &" | . + .".repeat(7) + ")", "|.".repeat(100));
    let nested = "(".repeat(127) + "." + &")".repeat(127);
    let many = (0..51).fold(String::new(), |mut keys, key| {
        write!(keys, "k{key}: .,").unwrap();
        keys
    });
    for (query, expected) in [
        // No object.
        (".a", "accepted is an object"),
        ("({a: .a})", "accepted is an object"),
        ("{a: .a} | .b", "accepted is an object"),
        ("", "accepted is an object"),
        ("{}", "it has 0 keys; accepted are 1 to 50"),
        (&format!("{{{many}}}"), "it has 51 keys"),
        ("{(.a): .b}", "a key is neither"),
        ("{$a}", "a key is neither"),
        (r#"{"\(.a)": .b}"#, "a key is neither"),
        (r#"{"": .b}"#, "a key is neither"),
        // No syntax of jq.
        ("{a: .a", "expected closing brace, found its end"),
        ("{a: }", "expected term, found `}`"),
        ("{a: .a|}", "expected term, found `}`"),
        ("{a: .b c}", "expected comma or right brace, found `c`"),
        (r#"{a: "}"#, "expected closing"),
        ("{a: &}", "expected closing brace, found `&}`"),
        // No syntax of jq 1.6.
        ("{a: if .a then 1 else 2 end}", "jq 1.6 accepts `if` in a value only in parentheses"),
        (r#"{a: .a.["b"]}"#, r#"jq 1.6 accepts no `.` before the brackets of `.["b"]`"#),
        ("{a: .[0].[1]}", "jq 1.6 accepts no `.` before the brackets of `.[1]`"),
        ("{a: (1 | .a?.[0:1])}", "jq 1.6 accepts no `.` before the brackets of `.[0:1]`"),
        (r#"{a: "\(first.["b"])"}"#, "jq 1.6 accepts no `.` before the brackets"),
        (r#"{a: .a // "b"}"#, "jq 1.6 accepts `//` in a value only in parentheses"),
        ("{a: .a|if . then 1 else 2 end}", "jq 1.6 accepts `if`"),
        ("{a: (if .a then 1 end)}", "a: `if` without `else` is not supported"),
        // Loops, several values and other inputs.
        ("{a: (def f: f; f)}", "a: `def` is not supported"),
        ("{a: (reduce .a as $x (0; . + $x))}", "a: `reduce` is not supported"),
        ("{a: (foreach .a as $x (0; .))}", "a: `foreach` is not supported"),
        ("{a: (label $out | .a)}", "a: `label` is not supported"),
        ("{a: (.a as $x | $x)}", "a: `$x` is not supported"),
        ("{a: $ENV}", "a: `$ENV` is not supported"),
        ("{a: ..}", "a: `..` is not supported"),
        ("{a: .a[]}", "a: `.[]` or a computed index is not supported"),
        ("{a: .a[.b]}", "a: `.[]` or a computed index is not supported"),
        ("{a: (.a, .b)}", "a: `,` outside of `[…]` is not supported"),
        ("{a: {b: .c}}", "a: an object as a value is not supported"),
        ("{a: (try .a catch .)}", "a: `catch` is not supported"),
        ("{a: (.a |= 1)}", "a: an assignment is not supported"),
        ("{a: (.a * 1000000000)}", "a: this use of `*` is not supported"),
        ("{a: (.a / .b)}", "a: this use of `/` is not supported"),
        ("{a: .a|@base64}", "a: this use of `@base64` is not supported"),
        (r#"{a: @base64 "\(.a)"}"#, "a: `@base64` is not supported"),
        ("{a: range(1000000000)}", "a: this use of `range` is not supported"),
        ("{a: input}", "a: this use of `input` is not supported"),
        ("{a: env}", "a: this use of `env` is not supported"),
        ("{a: .a|unknown}", "a: this use of `unknown` is not supported"),
        ("{a: .a|split(.b)}", "a: this use of `split` is not supported"),
        ("{a: .a|split}", "a: this use of `split` is not supported"),
        (r#"{a: .a|test("x{9}")}"#, "a: the regular expression of `test` is not supported"),
        (&format!(r#"{{a: .a|test("{}")}}"#, "x".repeat(65)), "a: the regular expression of `test`"),
        (r#"{a: .a|sub("((a)|(b))*"; "")}"#, "a: the regular expression of `sub` is not supported"),
        (r#"{a: .a|gsub("a.*?z|a"; "")}"#, "a: this use of `gsub` is not supported"),
        // Sizes.
        (
            r#"{sub: "\(.|join("")|join(""))", b: (if .|test("x") then .|test("x") else [.|sub("x"; "y")] end)}"#,
            "it has 5 filters `join`, `sub` and `test`; this local Firehose accepts 4",
        ),
        (&format!("{{a: {doubled}}}"), "it can hold a record 256 times; this local Firehose accepts 128 times"),
        (&format!("{{a: .{}}}", "|tojson".repeat(8)), "it can hold a record 256 times"),
        (&format!("{{a: .|join(\"{}\")}}", "x".repeat(128)), "it can hold a record 129 times"),
        (&format!("{{a: .{steps}}}"), "a key and its value have 204 words and signs; this local Firehose"),
        (&format!("{{a: {nested}}}"), "a key and its value have 258 words and signs"),
        (&format!("{{a: {nested}{nested}}}"), "it has 255 brackets; this local Firehose accepts 128"),
    ] {
        let problem = Query::parse(query).unwrap_err();
        assert!(problem.starts_with(expected), "{query}: {problem}");
    }
    let problem = Query::parse("{a: .a|unknown}").unwrap_err();
    assert!(problem.ends_with("true/0, type/0"), "{problem}");
}

/// Filters may be nested as deeply as the limits of size allow.
#[test]
fn the_largest_queries_fit_into_the_stack() {
    for filter in [
        "(".repeat(60) + "." + &")".repeat(60),
        format!("({}.)", "-".repeat(120)),
        ".".to_owned() + &"|.".repeat(60),
        format!("({}.{})", "if . then ".repeat(14), " else . end".repeat(14)),
        format!("({} .)", "try ".repeat(90)),
        "[".repeat(30) + "." + &"]".repeat(30) + &"[0]".repeat(10),
        ".".to_owned() + &"[0]?".repeat(20),
        ".[0:]".to_owned() + &"|.[0:]".repeat(20),
        format!("(.{})", "+.".repeat(60)),
        r#""\("#.repeat(6) + "." + &r#")""#.repeat(6),
    ] {
        let query = Query::parse(&format!("{{k: {filter}}}")).unwrap_or_else(|problem| panic!("{filter}: {problem}"));
        for record in ["1", "[]", "{}", r#"[[["x"]]]"#] {
            let _keys = query.keys_of(record.as_bytes());
        }
    }
}

/// Pieces of which many queries are accepted.
fn filters() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ".",
        ".a",
        ".a[0]",
        "[1:2]",
        "\"x\"",
        "1",
        "-1",
        "0",
        "|",
        "|",
        "+",
        "-",
        "/ 2",
        "% 0",
        "//",
        "==",
        "<",
        "(",
        ")",
        "[",
        "]",
        ",",
        "?",
        " and ",
        " or ",
        "if . then ",
        " else ",
        " end",
        "try ",
        "\"\\(",
        ")\"",
        "tostring",
        "tojson",
        "tonumber",
        "strftime(\"%Y\")",
        "strptime(\"%Y\")",
        "mktime",
        "fromdate",
        "todate",
        "split(\"\")",
        "join(\"-\")",
        "sub(\"\";\"x\")",
        "[0:]",
        "test(\"x*\")",
        "length",
        "first",
        "last",
        "round",
        "not",
        "type",
        "ascii_upcase",
        "has(\"a\")",
        "{",
        "}",
        ":",
        "#",
        "$x",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn records() -> impl Strategy<Value = Vec<u8>> {
    let scalar = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|bool| json!(bool)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,9}".prop_map(|text| json!(text)),
    ];
    let json = scalar.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| json!(items)),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|members| json!(members)),
        ]
    });
    prop_oneof![
        4 => json.prop_map(|json| json.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn no_query_and_no_record_panics(filter in filters(), text in "\\PC{0,40}", record in records()) {
        for query in [format!("{{k: ({filter})}}"), format!("{{k: {filter}}}"), format!("{{k: {text}}}"), text] {
            if let Ok(query) = Query::parse(&query)
                && let Ok(keys) = query.keys_of(&record)
            {
                prop_assert!(keys.keys().all(|key| query.keys().contains(key)));
            }
        }
    }
}
