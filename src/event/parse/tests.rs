use super::*;
use crate::config::Config;
use crate::event::{InputEvents, LineFormat, RecordMetadata};
use crate::lookup::OwnedAttributes;

fn config(variables: &[(&str, &str)]) -> Config {
    let url = ("LOOKUP_API_URL", "http://127.0.0.1");
    Config::read(&variables.iter().copied().chain([url]).collect()).unwrap()
}

fn format_of(variables: &[(&str, &str)]) -> EventFormat {
    EventFormat::new(&config(variables))
}

fn parsed<'a>(text: &'a str, format: &EventFormat) -> Result<Parsed<'a>, Reason> {
    let mut parsed = Parsed::default();
    parsed.record(text, format).map(|()| parsed)
}

/// The keys, and the event fields of the lines.
fn read(data: &str, variables: &[(&str, &str)]) -> Result<Vec<(String, String)>, Reason> {
    let config = config(variables);
    let (line, nothing) = (LineFormat::new(&config), OwnedAttributes::unknown(&config.attributes));
    let events = InputEvents::parse([Ok(data)].into_iter(), line.event_format());
    let keys = events.keys();
    let read = events.records().next().unwrap()?.map(|(event, key)| {
        let mut out = Vec::new();
        line.write(event, nothing.view(), &RecordMetadata::default(), usize::MAX, &mut out);
        let written = String::from_utf8(out).unwrap();
        let end = written.find(nothing.view().members()).unwrap();
        (keys[key].to_owned(), written[1..end].trim_end_matches(',').to_owned())
    });
    Ok(read.collect())
}

#[test]
fn events_are_read() {
    let long_user = "é".repeat(128);
    let long_id = "a".repeat(128);
    let longest = format!(r#"{{"userId":"{long_user}","mysfitId":"{long_id}"}}"#);
    for (data, expected) in [
        (r#"{"userId":"u","mysfitId":"m"}"#, vec![("u", "m")]),
        ("{\"userId\":\"u\",\"mysfitId\":\"m\"}\n", vec![("u", "m")]),
        (r#"{"mysfitId":"m","userId":""}"#, vec![("", "m")]),
        (" {\"userId\" : \"u\" , \"mysfitId\" : \"m\"}\r\n", vec![("u", "m")]),
        (r#"{"userId":"\u00e9\n","mysfit\u0049d":"\u006d"}"#, vec![(r"é\n", "m")]),
        (r#"{"userId":"u","mysfitId":"m","mysfitId":"n","x":[1,{"y":null}]}"#, vec![("u", "n")]),
        (r#"{"userId":"u","mysfitId":"m"}{"userId":"v","mysfitId":"n"}"#, vec![("u", "m"), ("v", "n")]),
        (
            "{\"userId\":\"u\",\"mysfitId\":\"m\"}\n\n{\"userId\":\"v\",\"mysfitId\":\"n\"}\n",
            vec![("u", "m"), ("v", "n")],
        ),
        (&longest, vec![(&long_user, &long_id)]),
    ] {
        let line = |(user, key): (&str, &str)| (key.to_owned(), format!(r#""userId":"{user}","mysfitId":"{key}""#));
        assert_eq!(read(data, &[]), Ok(expected.into_iter().map(line).collect()), "{data}");
    }
}

#[test]
fn an_invalid_event_has_a_reason() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let with = |member: &str| format!(r#"{{"userId":"u","mysfitId":"m",{member}}}"#);
    let user = |id: &str| format!(r#"{{"userId":{id},"mysfitId":"m"}}"#);
    let mysfit = |id: &str| format!(r#"{{"userId":"u","mysfitId":{id}}}"#);
    let cases = [
        (String::new(), Reason::Empty),
        (" \r\n\t".to_owned(), Reason::Empty),
        ("\u{a0}".to_owned(), Reason::InvalidJson),
        ("click".to_owned(), Reason::InvalidJson),
        ("{".to_owned(), Reason::InvalidJson),
        (r#"{"userId":"u","mysfitId":"m"},"#.to_owned(), Reason::InvalidJson),
        (r#"{"userId":"u","mysfitId":"m"} x"#.to_owned(), Reason::InvalidJson),
        (r#"{"userId":"u","mysfitId":"m",}"#.to_owned(), Reason::InvalidJson),
        (with("\"x\":NaN"), Reason::InvalidJson),
        (with("\"x\":\"\n\""), Reason::InvalidJson),
        (with("\"\n\":1"), Reason::InvalidJson),
        (with(r#""x":"\ud8""#), Reason::InvalidJson),
        (with(r#""\ud8":1"#), Reason::InvalidJson),
        (with(r#""x":[1}"#), Reason::InvalidJson),
        (user(r#""\ud800""#), Reason::InvalidJson),
        ("\u{feff}{}".to_owned(), Reason::InvalidJson),
        ("[]".to_owned(), Reason::NotAnObject),
        ("null".to_owned(), Reason::NotAnObject),
        ("7".to_owned(), Reason::NotAnObject),
        (r#""click""#.to_owned(), Reason::NotAnObject),
        (r#"{"userId":"u","mysfitId":"m"}[]"#.to_owned(), Reason::NotAnObject),
        (user(&nested(100_000)), Reason::TooDeep),
        (nested(100_000), Reason::NotAnObject),
        (mysfit("1e400"), Reason::NumberTooLarge),
        (r#"{"x":1e400}"#.to_owned(), Reason::MissingField),
        ("{}".to_owned(), Reason::MissingField),
        (r#"{"userId":"u"}"#.to_owned(), Reason::MissingField),
        (r#"{"mysfitId":"m"}"#.to_owned(), Reason::MissingField),
        (r#"{"userid":"u","mysfitid":"m"}"#.to_owned(), Reason::MissingField),
        (r#"{"userId":"u","mysfitId":"m"}{}"#.to_owned(), Reason::MissingField),
        (user("null"), Reason::WrongType),
        (user(r#"{"sub":"u"}"#), Reason::WrongType),
        (mysfit("true"), Reason::WrongType),
        (mysfit("1.0"), Reason::WrongType),
        (mysfit("1e3"), Reason::WrongType),
        (mysfit("-0"), Reason::WrongType),
        (mysfit(&"1".repeat(21)), Reason::TooLong),
        (mysfit(&"9".repeat(400)), Reason::NumberTooLarge),
        (user(&format!("\"{}\"", "u".repeat(257))), Reason::TooLong),
        (user(&format!("\"{}\"", "é".repeat(129))), Reason::TooLong),
        (mysfit(&format!("\"{}\"", "m".repeat(129))), Reason::TooLong),
        (mysfit("\"\""), Reason::InvalidKey),
        (mysfit("\"../admin\""), Reason::InvalidKey),
        (mysfit("\"..\""), Reason::InvalidKey),
        (mysfit("\"a:b\""), Reason::InvalidKey),
        (mysfit("\"a?b\""), Reason::InvalidKey),
        (mysfit("\"a%2fb\""), Reason::InvalidKey),
        (mysfit("\"é\""), Reason::InvalidKey),
        (mysfit(&format!("\"{}\"", "é".repeat(128))), Reason::InvalidKey),
    ];
    for (data, reason) in cases {
        let shown: String = data.chars().take(80).collect();
        assert_eq!(read(&data, &[]), Err(reason), "{shown}");
    }
}

#[test]
fn ignored_fields_need_only_be_json_and_kept_fields_must_fit_into_a_line() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let click = |members: &str| format!(r#"{{"userId":"u",{members},"mysfitId":"m"}}"#);
    let page = |value: &str| click(&format!(r#""page":{value}"#));
    for (data, kept) in [
        // From `JSON.stringify("ab😀".slice(0, 3))`.
        (page(r#""ab\ud83d""#), Err(Reason::InvalidJson)),
        (page(r#"[{"x":["\udc00\ud800"]}]"#), Err(Reason::InvalidJson)),
        (page(r#"{"\ud800":1}"#), Err(Reason::InvalidJson)),
        (page("1e400"), Err(Reason::NumberTooLarge)),
        (page(&"9".repeat(400)), Err(Reason::NumberTooLarge)),
        (page(&nested(129)), Err(Reason::TooDeep)),
        (page(&nested(100_000)), Err(Reason::TooDeep)),
        (click(&format!(r#""page":{},"at":1e400"#, nested(129))), Err(Reason::TooDeep)),
        (page(&nested(128)), Ok(())),
        // Of repeated members, the first is not kept.
        (click(r#""page":"\ud83d","page":1"#), Ok(())),
        (click(r#""userId":"\ud83d","userId":"u""#), Ok(())),
        // A name with a lone surrogate is never kept.
        (click(r#""\ud83d":1,"pag\u0065":2"#), Ok(())),
        (click(r#""\ud83d":"\ud83d""#), Ok(())),
    ] {
        let shown: String = data.chars().take(80).collect();
        let two = data.repeat(2);
        for (data, events) in [(&data, 1), (&two, 2)] {
            assert_eq!(read(data, &[]).map(|found| found.len()), Ok(events), "{shown}");
            let found = read(data, &[("EVENT_FIELDS", "page,at")]).map(|found| found.len());
            assert_eq!(found, kept.map(|()| events), "{shown}, kept");
        }
    }
}

#[test]
fn fields_are_kept_in_their_configured_order() {
    const NESTED: &str = r#"{"id":1,"order":{"id":7,"lines":[{"sku":"a/b"},{"sku":{"x~y":[2.50]}}],"Total":3},"total":4,"mysfitId":"m","userId":"u"}"#;
    let key = ("LOOKUP_KEY", "productId=/order/id");
    for (fields, data, expected) in [
        ("page,at", r#"{"at":17, "userId":"u","mysfitId":"m"}"#, r#""at":17"#),
        ("page,at", r#"{"at":17, "userId":"u","mysfitId":"m","page":"p"}"#, r#""page":"p","at":17"#),
        ("page,at", r#"{"at":17, "page":1,"at":18,"userId":"u","mysfitId":"m"}"#, r#""page":1,"at":18"#),
        ("page,at", r#"{"userId":"u","mysfitId":"m"}"#, ""),
        ("page=/page,at", r#"{"userId":"u","mysfitId":"m"}"#, r#""page":null"#),
        ("at=/at,mysfitId", r#"{"at":"\u0061","userId":"u","mysfitId":"m"}"#, r#""at":"a","mysfitId":"m""#),
        ("mysfitId,userId", r#"{"mysfitId":"m","userId":"u"}"#, r#""mysfitId":"m","userId":"u""#),
        ("a=/order/lines/0/sku,b=/order/lines/1/sku/x~0y", NESTED, r#""a":"a/b","b":[2.50]"#),
        ("a=/order/lines/01,b=/order/lines/2,c=/order/lines/-", NESTED, r#""a":null,"b":null,"c":null"#),
        ("a=/order/total,b=/order/Total/x,c=/order/lines/sku", NESTED, r#""a":null,"b":null,"c":null"#),
        ("a=/order/lines/1,b=/order/lines/1/sku", NESTED, r#""a":{"sku":{"x~y":[2.50]}},"b":{"x~y":[2.50]}"#),
        ("a=/a~1b/,b=/", r#"{"":1,"a/b":{"":2},"mysfitId":"m","userId":"u"}"#, r#""a":2,"b":1"#),
        // The last of repeated members counts, on each level.
        ("a=/x/y", r#"{"x":{"y":1},"x":{"y":2,"y":3},"mysfitId":"m","userId":"u"}"#, r#""a":3"#),
        ("a=/x/y", r#"{"x":{"y":1},"x":7,"mysfitId":"m","userId":"u"}"#, r#""a":null"#),
    ] {
        assert_eq!(
            read(data, &[("EVENT_FIELDS", fields)]),
            Ok(vec![("m".to_owned(), expected.to_owned())]),
            "{fields} of {data}"
        );
    }
    for (fields, expected) in [
        ("productId,id", r#""productId":7,"id":1"#),
        ("id", r#""id":1"#),
        ("id,productId=/total", r#""id":1,"productId":4"#),
    ] {
        let read = read(NESTED, &[key, ("EVENT_FIELDS", fields)]);
        assert_eq!(read, Ok(vec![("7".to_owned(), expected.to_owned())]), "{fields}");
    }
}

#[test]
fn all_members_are_kept_as_they_came() {
    let all = |fields| [("EVENT_FIELDS", fields), ("LOOKUP_KEY", "id=/product/id"), ("REQUIRED_FIELDS", "none")];
    for (fields, data, expected) in [
        (
            "*",
            r#" {"product" : {"id":7}, "n":1.0e2 ,"s":"\u00e9\/","z":-0} "#,
            r#""product":{"id":7},"n":1.0e2,"s":"\u00e9\/","z":-0"#,
        ),
        ("*", r#"{"product":{"id":7},"big":1e999,"\u0061":1}"#, r#""product":{"id":7},"big":1e999,"\u0061":1"#),
        ("*", r#"{"product":{"id":"7"},"id":8}"#, r#""product":{"id":"7"},"id":8"#),
        ("id,*", r#"{"ID":1,"a":1,"product":{"id":7},"id":8}"#, r#""id":7,"a":1,"product":{"id":7}"#),
        ("*,id", r#"{"a":1,"product":{"id":7}}"#, r#""a":1,"product":{"id":7},"id":7"#),
        (
            "b=/product/b,*,s",
            r#"{"s":"\u0061","a":1,"B":2,"product":{"id":7}}"#,
            r#""b":null,"a":1,"product":{"id":7},"s":"a""#,
        ),
        ("*", r#"{"product":{"id":7},"Species":1,"SPECIES":2,"GoodEvil":3,"x":4}"#, r#""product":{"id":7},"x":4"#),
        // Of members that share a name, the last counts.
        (
            "*",
            r#"{"a":1,"b":2,"a":3,"product":{"id":7},"B":4,"\u00c9":5,"é":6}"#,
            r#""a":3,"B":4,"product":{"id":7},"é":6"#,
        ),
    ] {
        assert_eq!(read(data, &all(fields)), Ok(vec![("7".to_owned(), expected.to_owned())]), "{fields} of {data}");
    }
    let nested = format!("{}{}", "[".repeat(129), "]".repeat(129));
    for (member, reason) in [
        (r#""a":"\ud800""#.to_owned(), Reason::InvalidJson),
        (r#""\ud800":1"#.to_owned(), Reason::InvalidJson),
        (format!(r#""a":{nested}"#), Reason::TooDeep),
    ] {
        let data = format!(r#"{{"product":{{"id":7}},{member}}}"#);
        assert_eq!(read(&data, &all("*")), Err(reason), "{data}");
        assert_eq!(read(&data, &all("id")).map(|read| read.len()), Ok(1), "{data}, not kept");
    }
    let two = r#"{"product":{"id":7},"a":1}{"a":2,"product":{"id":8}}"#;
    assert_eq!(read(two, &all("*")).unwrap()[1], ("8".to_owned(), r#""a":2,"product":{"id":8}"#.to_owned()));
}

#[test]
fn required_fields() {
    for (required, data, expected) in [
        ("none", r#"{"mysfitId":7}"#, None),
        ("mysfitId", r#"{"mysfitId":7}"#, None),
        ("userId", r#"{"mysfitId":7}"#, Some(Reason::MissingField)),
        ("userId,page", r#"{"mysfitId":7,"userId":"","page":""}"#, None),
        ("userId,page", r#"{"mysfitId":7,"userId":"u"}"#, Some(Reason::MissingField)),
        ("page", r#"{"mysfitId":7,"page":7}"#, Some(Reason::WrongType)),
        ("u=/user/id", r#"{"mysfitId":7,"user":{"id":"u"}}"#, None),
        ("u=/user/id", r#"{"mysfitId":7,"user":{"id":null}}"#, Some(Reason::WrongType)),
        ("u=/user/id", r#"{"mysfitId":7,"user":"u"}"#, Some(Reason::MissingField)),
        // A kept field's output name is that field.
        ("customer", r#"{"mysfitId":7,"user":{"name":"u"}}"#, None),
        ("customer", r#"{"mysfitId":7,"customer":"u"}"#, Some(Reason::MissingField)),
    ] {
        let variables = [("REQUIRED_FIELDS", required), ("EVENT_FIELDS", "customer=/user/name,mysfitId")];
        assert_eq!(read(data, &variables).err(), expected, "{required} of {data}");
    }
}

#[test]
fn keys() {
    let longest = "a".repeat(128);
    for (json, key) in [
        (r#""7""#, "7"),
        ("7", "7"),
        ("0", "0"),
        ("-5", "-5"),
        ("18446744073709551615", "18446744073709551615"),
        ("-99999999999999999999", "-99999999999999999999"),
        (&format!("\"{longest}\""), &longest),
    ] {
        let data = format!(r#"{{"userId":"u","mysfitId":{json}}}"#);
        let line = format!(r#""userId":"u","mysfitId":{json}"#);
        assert_eq!(read(&data, &[]), Ok(vec![(key.to_owned(), line)]), "{json}");
    }
}

#[test]
fn missing_fields_take_no_memory() {
    let fields = (0..30).map(|index| format!("f{index}")).collect::<Vec<_>>().join(",");
    let format = format_of(&[("EVENT_FIELDS", &fields)]);
    for (data, values) in [
        (r#"{"userId":"u","mysfitId":"m"}"#, 0),
        (r#"{"userId":"","mysfitId":"m","x":1}"#, 0),
        (r#"{"userId":"u","mysfitId":"m","f29":1}"#, 1),
    ] {
        let parsed = parsed(data, &format).unwrap();
        assert_eq!((parsed.events.len(), parsed.values.len()), (1, values), "{data}");
    }
    assert!(size_of::<ParsedEvent>() <= 40);
}

#[test]
fn events_like_the_first_are_read_by_plan() {
    let digits = |count: usize| "9".repeat(count);
    let click = |at: &str, key: &str| format!(r#"{{"userId":"u","at":{at},"mysfitId":{key}}}"#);
    for (first, second, is_planned) in [
        (click("1", r#""m""#), click("22", r#""-m_7""#), true),
        // Nanoseconds, and the longest integers that a 64-bit float can hold.
        (click("1", r#""m""#), click(&digits(19), r#""m""#), true),
        (click("1", r#""m""#), click(&digits(308), r#""m""#), true),
        (click("1", r#""m""#), click(&digits(309), r#""m""#), false),
        (click("1", "7"), click("1", &digits(20)), true),
        (click("1", "7"), click("1", &digits(21)), false),
        (click("1", "7"), click("1", "-0"), false),
        (click("1", r#""m""#), click("1", r#""m.""#), false),
        (click("1", r#""m""#), click("1.5", r#""m""#), false),
        (click("1", r#""m""#), click("1", r#""m""#).replace("\"u\"", "\"\\n\""), false),
    ] {
        let mut parsed = Parsed::default();
        parsed.record(&first, &format_of(&[("EVENT_FIELDS", "userId,at")])).unwrap();
        assert_eq!(parsed.planned(&second).is_some(), is_planned, "{second}");
    }
}

#[test]
fn a_failed_record_leaves_nothing() {
    let mut parsed = Parsed::default();
    let format = format_of(&[]);
    for invalid in [r#" {"userId":"u","mysfitId":"m"} {}"#, r#" {"userId":"u","mysfitId":"!"}"#] {
        parsed.record(invalid, &format).unwrap_err();
        assert_eq!((parsed.events.len(), parsed.values.len()), (0, 0), "{invalid}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_parsed(text: String) {
        let _ = (parsed(&text, &format_of(&[])), parsed(&text, &format_of(&[("EVENT_FIELDS", "*,a=/b/0/c")])));
    }

    #[test]
    fn any_pair_of_texts_is_validated(user_id: String, mysfit_id: String) {
        let event = serde_json::json!({"userId": user_id, "mysfitId": mysfit_id}).to_string();
        let valid = user_id.len() <= 256
            && (1..=128).contains(&mysfit_id.len())
            && mysfit_id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        proptest::prop_assert_eq!(read(&event, &[]).is_ok(), valid);
    }
}
