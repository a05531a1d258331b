use super::*;

fn format_of(variables: &[(&str, &str)]) -> ItemFormat {
    let url = ("LOOKUP_API_URL", "http://127.0.0.1");
    let key = ("EVENT_FIELDS", "userId");
    ItemFormat::new(&Config::read(&variables.iter().copied().chain([url, key]).collect()).unwrap())
}

fn names(names: &[&str]) -> ItemFormat {
    format_of(&[("LOOKUP_ATTRIBUTES", &names.join(","))])
}

#[test]
fn attributes_are_encoded_members() {
    let wanted = names(&["goodevil", "age", "likes"]);
    for (body, expected) in [
        (r#"{"mysfitId":"m","goodevil":"Good","age":43,"likes":"0"}"#, r#""goodevil":"Good","age":43,"likes":"0""#),
        (
            r#"{"mysfitId":"m","GoodEvil":"Good","AGE":2000000000,"likes":null}"#,
            r#""goodevil":"Good","age":2000000000,"likes":null"#,
        ),
        (
            r#"{"mysfitId":"m","GoodEvil":"x","goodevil":"y","age":[ 1 ],"likes":"\u00e9\""}"#,
            r#""goodevil":"y","age":[1],"likes":"é\"""#,
        ),
        (r#"{"mysfitId":"m","goodEvil":"x","GOODEVIL":"y","age":1,"likes":2}"#, r#""goodevil":"y","age":1,"likes":2"#),
    ] {
        let attributes = parse_item(body.as_bytes(), "m", &wanted).unwrap();
        assert_eq!(attributes.view().members(), expected);
        let values = expected.split(',').map(|member| member.split_once(':').unwrap().1);
        assert_eq!((0..3).map(|index| attributes.view().value(index)).collect::<Vec<_>>(), values.collect::<Vec<_>>());
    }
}

#[test]
fn invalid_items() {
    let wanted = names(&["goodevil", "species"]);
    let missing = |name: &str| ServiceResponseError::MissingAttribute(name.to_owned());
    for (body, expected) in [
        ("<html>", ServiceResponseError::Shape),
        ("", ServiceResponseError::Shape),
        ("[]", ServiceResponseError::Shape),
        ("null", ServiceResponseError::Shape),
        (r#"{"mysfitId":"m","goodevil":"Good","species":"Yeti"} x"#, ServiceResponseError::Shape),
        ("{}", ServiceResponseError::Shape),
        (r#"{"message":"Internal server error"}"#, ServiceResponseError::Shape),
        (r#"{"mysfitId":null,"goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
        (r#"{"mysfitId":"n","goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
        (r#"{"mysfitId":"M","goodevil":"Good","species":"Yeti"}"#, ServiceResponseError::Shape),
        (r#"{"mysfitId":"m"}"#, missing("goodevil")),
        (r#"{"mysfitId":"m","goodevil":"Good"}"#, missing("species")),
        (r#"{"mysfitId":"m","goodevil":"Good","species":"\ud800"}"#, missing("species")),
        (r#"{"mysfitId":"m","goodevil":1e999,"species":"Yeti"}"#, missing("goodevil")),
    ] {
        assert_eq!(parse_item(body.as_bytes(), "m", &wanted), Err(expected), "{body}");
    }
}

#[test]
fn lists() {
    let wanted = names(&["species"]);
    for (body, expected) in [
        ("{}", Ok(vec![])),
        (r#"{"mysfits":[]}"#, Ok(vec![])),
        (r#"{"mysfits":null}"#, Ok(vec![])),
        (r#"{"mysfits":[{"mysfitId":"a","Species":"Yeti"},{"MysfitId":"b"}]}"#, Ok(vec![("a", true), ("b", false)])),
        (r#"{"mysfits":[{"mysfitId":"a"},{"mysfitId":"a","species":"Yeti"}]}"#, Ok(vec![("a", true)])),
        (r#"{"mysfits":[7,{"species":"Yeti"},{"mysfitId":8},{"mysfitId":"a"}]}"#, Ok(vec![("8", false), ("a", false)])),
        (r#"{"mysfits":[{"mysfitId":7},{"mysfitId":"7","species":"Yeti"}]}"#, Ok(vec![("7", true)])),
        (r#"{"next":null,"items":[{"mysfitId":"a"}],"count":1}"#, Ok(vec![("a", false)])),
        (r#" [{"mysfitId":"a"}] "#, Ok(vec![("a", false)])),
        ("[]", Ok(vec![])),
        ("", Err(ServiceResponseError::Shape)),
        ("<html>", Err(ServiceResponseError::Shape)),
        ("7", Err(ServiceResponseError::Shape)),
        ("[] x", Err(ServiceResponseError::Shape)),
        (r#"{"message":"Internal server error"}"#, Err(ServiceResponseError::NoArray)),
        (r#"{"mysfits":[],"errors":[]}"#, Err(ServiceResponseError::NoArray)),
        (r#"{"mysfits":null,"errors":null}"#, Err(ServiceResponseError::NoArray)),
        (r#"{"mysfits":null,"error":"busy"}"#, Err(ServiceResponseError::NoArray)),
        (r#"{"errors":[{"message":"busy"}]}"#, Err(ServiceResponseError::NoKeys)),
        (
            r#"[{"mysfitId":1.0},{"mysfitId":-0},{"mysfitId":1e3},{"mysfitId":null},7,[]]"#,
            Err(ServiceResponseError::NoKeys),
        ),
        (r#"{"mysfits":{}}"#, Err(ServiceResponseError::NoArray)),
        (r#"{"mysfits":[{"mysfitId":"a""#, Err(ServiceResponseError::Shape)),
    ] {
        let found = parse_list(body.as_bytes(), &wanted);
        match (&found, &expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.len(), expected.len(), "{body}");
                for (id, is_complete) in expected {
                    let entry = found.get(id).unwrap();
                    assert_eq!(matches!(entry, ListEntry::Complete(_)), *is_complete, "{id} of {body}");
                }
            }
            (found, expected) => assert_eq!(found.as_ref().err(), expected.as_ref().err(), "{body}"),
        }
    }
}

#[test]
fn an_array_at_a_pointer() {
    let wanted = format_of(&[("LOOKUP_LIST", "/mysfits#/data/items"), ("LOOKUP_ATTRIBUTES", "species")]);
    for (body, expected) in [
        (r#"{"data":{"items":[{"mysfitId":"a","species":"Yeti"}],"links":[]},"errors":[]}"#, Ok(1)),
        (r#"{"Data":{"Items":[{"mysfitId":"a","species":"Yeti"}]}}"#, Err(ServiceResponseError::NothingAtPointer)),
        (r#"{"data":{"items":[ ]}}"#, Ok(0)),
        (r#"{"data":{"items":null}}"#, Ok(0)),
        (r#"{"data":{"items":{"mysfitId":"a"}}}"#, Err(ServiceResponseError::NothingAtPointer)),
        (r#"{"items":[{"mysfitId":"a","species":"Yeti"}]}"#, Err(ServiceResponseError::NothingAtPointer)),
        (r#"{"data":{"items":[{"id":"a"}]}}"#, Err(ServiceResponseError::NoKeys)),
        (r#"{"data":{"items":[]}} x"#, Err(ServiceResponseError::Shape)),
        ("[]", Err(ServiceResponseError::Shape)),
        ("7", Err(ServiceResponseError::Shape)),
    ] {
        assert_eq!(parse_list(body.as_bytes(), &wanted).map(|list| list.len()), expected, "{body}");
    }
}

#[test]
fn items_with_equal_attributes_share_them() {
    let body = br#"{"mysfits":[{"mysfitId":"a","species":"Yeti"},{"mysfitId":"x"},{"mysfitId":"b","species":"Yeti"},{"mysfitId":"c","species":"Troll"}]}"#;
    let list = parse_list(body, &names(&["species"])).unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|id| match list.get(id) {
        Some(ListEntry::Complete(attributes)) => attributes,
        other => panic!("{id}: {other:?}"),
    });
    assert_eq!(a, b);
    assert_eq!([a, c].map(|id| list.attributes(id).members()), [r#""species":"Yeti""#, r#""species":"Troll""#]);
    assert_eq!([a, c].map(|id| list.attributes(id).value(0)), [r#""Yeti""#, r#""Troll""#]);
    assert_eq!(list.members.len(), r#""species":"Yeti""species":"Troll""#.len());
}

#[test]
fn repeated_members_take_no_memory() {
    let wanted = names(&["s"]);
    let repeated = |member: &str| member.repeat(10_000);
    for body in [
        format!(r#"{{"mysfits":[{{"mysfitId":"m",{}"s":2}}]}}"#, repeated(r#""s":1,"#)),
        format!(r#"{{{}"mysfits":[{{"mysfitId":"m","s":2}}]}}"#, repeated(r#""mysfits":1,"#)),
    ] {
        let mut read = None;
        let heap = allocation_counter::measure(|| {
            read = Some(parse_list(body.as_bytes(), &wanted).unwrap());
        });
        assert!(matches!(read.unwrap().get("m"), Some(ListEntry::Complete(_))));
        // The buffer for members has the length of the body, and nothing else is allocated.
        let most = usize::try_from(heap.bytes_max).unwrap();
        assert!(most < body.len() + 1_000, "{most} bytes of a body of {}", body.len());
    }
}

fn heap_bytes(list: &List) -> usize {
    let ends = list.keys.ends.capacity() + list.members_ends.capacity() + list.value_ends.capacity();
    list.keys.bytes.capacity()
        + list.keys.index_bytes()
        + list.members.capacity()
        + (ends + list.attributes.capacity()) * size_of::<u32>()
}

#[test]
fn a_list_takes_no_more_than_two_and_a_half_times_its_body() {
    const BODY_BYTES: usize = 1 << 18;
    let one = &names(&["a"]);
    // The shortest distinct names: names are alphanumeric, and case is ignored.
    let names_of_many: Vec<String> = ('a'..='z').chain('0'..='5').map(String::from).collect();
    let all = |id: usize| {
        let member = |(name, n): (&String, usize)| format!(r#""{name}":{}"#, (id >> n) % 10);
        names_of_many.iter().zip(0..).map(member).collect::<Vec<_>>().join(",")
    };
    let many = &names(&names_of_many.iter().map(String::as_str).collect::<Vec<_>>());
    let id = &names(&["mysfitId"]);
    for (name, names, most_percent, entry) in [
        (
            "without attributes",
            one,
            150,
            &(|id: usize| format!(r#"{{"mysfitId":"{id:x}"}}"#)) as &dyn Fn(usize) -> String,
        ),
        ("with the same", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":1}}"#)),
        ("each with its own", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":{id}}}"#)),
        ("with many", many, 170, &|id| format!(r#"{{"mysfitId":"{id:x}",{}}}"#, all(id))),
        ("with its id", id, 250, &|id| format!(r#"{{"mysfitId":"{id:x}"}}"#)),
        ("with long ones", one, 150, &|id| {
            format!(r#"{{"mysfitId":"{id:x}","a":"{}"}}"#, id.to_string().repeat(5_000))
        }),
        ("with escapes", one, 150, &|id| format!(r#"{{"mysfitId":"{id:x}","a":"\u0001\u007f\n{id}"}}"#)),
        ("the same one", one, 150, &|_| r#"{"mysfitId":"","a":1}"#.to_owned()),
    ] {
        let mut body = r#"{"mysfits":["#.to_owned();
        let mut id = 0;
        while body.len() < BODY_BYTES {
            body += if id == 0 { "" } else { "," };
            body += &entry(id);
            id += 1;
        }
        body += "]}";
        let mut read = None;
        let heap = allocation_counter::measure(|| read = Some(parse_list(body.as_bytes(), names).unwrap()));
        let taken = usize::try_from(heap.bytes_current).unwrap();
        assert!(taken <= heap_bytes(&read.unwrap()), "{name}: {heap:?}");
        assert!(taken * 100 <= body.len() * most_percent, "{name}: {taken} bytes of a body of {}", body.len());
        let most = usize::try_from(heap.bytes_max).unwrap();
        assert!(most <= body.len() * 4, "{name}: {most} bytes while it is read, of a body of {}", body.len());
    }
}

proptest::proptest! {
    #[test]
    fn any_body_is_parsed(body: Vec<u8>) {
        let wanted = names(&["species"]);
        let _ = (parse_list(&body, &wanted), parse_item(&body, "m", &wanted));
    }
}
