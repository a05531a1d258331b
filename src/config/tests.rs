use super::*;

const URL: (&str, &str) = ("LOOKUP_API_URL", "https://example.com/prod/");

fn config(variables: &[(&str, &str)]) -> Result<Config, VariableError> {
    Config::read(&variables.iter().copied().collect())
}

#[test]
fn defaults() {
    let config = config(&[URL]).unwrap();
    assert_eq!(config.output_fields().collect::<Vec<_>>(), ["userId", "mysfitId", "goodevil", "lawchaos", "species"]);
    assert_eq!((config.key, config.list_key), (Field::named("mysfitId"), Some(Field::named("mysfitId"))));
    assert_eq!((config.required_fields, config.partition_keys.len()), (vec![Field::named("userId")], 0));
    let (list, item) = ("/mysfits".to_owned(), "/mysfits/{key}".to_owned());
    assert_eq!(config.lookup_mode, LookupMode::List { list, array: None, item: Some(item) });
    assert_eq!((config.cache, config.stale), (Duration::from_secs(300), Duration::from_secs(86_400)));
    assert_eq!((config.timeout, config.concurrency), (Duration::from_secs(2), 32));
    assert!(matches!(config.auth, Auth::None));
    assert_eq!(config.on_unknown_key, OnUnknownKey::Fail);
    assert_eq!(config.on_lookup_unavailable, OnLookupUnavailable::Retry);
}

#[test]
fn an_empty_value_is_no_value() {
    let empty = [URL, ("LOOKUP_ATTRIBUTES", ""), ("LOOKUP_CACHE_SECONDS", ""), ("MYSFITS_API_URL", "")];
    let config = config(&empty).unwrap();
    assert_eq!((config.attributes.len(), config.cache.as_secs()), (3, 300));
}

#[test]
fn values_are_read() {
    let config = config(&[
        ("LOOKUP_API_URL", "http://127.0.0.1:8080"),
        ("LOOKUP_ATTRIBUTES", "GoodEvil, age"),
        ("EVENT_FIELDS", "mysfitId,userId,page"),
        ("RECORD_FIELDS", "recordId,arrivedAt"),
        ("PARTITION_KEYS", "GoodEvil,arrivedAt"),
        ("LOOKUP_MODE", "item"),
        ("LOOKUP_ITEM", "/v1/items?id={key}&full={key}"),
        ("LOOKUP_LIST", "none"),
        ("LOOKUP_LIST_KEY", "none"),
        ("REQUIRED_FIELDS", "none"),
        ("ON_UNKNOWN_KEY", "drop"),
        ("ON_LOOKUP_UNAVAILABLE", "pass"),
    ])
    .unwrap();
    let fields: Vec<_> = config.output_fields().collect();
    assert_eq!(fields, ["mysfitId", "userId", "page", "GoodEvil", "age", "recordId", "arrivedAt"]);
    assert_eq!(config.lookup_mode, LookupMode::Item { item: "/v1/items?id={key}&full={key}".to_owned() });
    assert_eq!((config.list_key, config.required_fields.len()), (None, 0));
    assert_eq!(config.on_unknown_key, OnUnknownKey::Drop);
    assert_eq!(config.on_lookup_unavailable, OnLookupUnavailable::Pass);
}

#[test]
fn an_invalid_value_is_reported_with_its_variable_and_what_is_accepted() {
    let long = "x".repeat(65);
    let too_deep = format!("id={}", "/a".repeat(17));
    for (variable, value, accepted) in [
        ("LOOKUP_API_URL", "", "an http or https URL"),
        ("LOOKUP_API_URL", "example.com", "an http or https URL"),
        ("LOOKUP_API_URL", "ftp://example.com", "an http or https URL"),
        ("LOOKUP_API_URL", "file:///etc/passwd", "an http or https URL"),
        ("LOOKUP_API_URL", "https://example.com/?stage=prod", "an http or https URL"),
        ("LOOKUP_API_URL", "https://example.com/#prod", "an http or https URL"),
        ("LOOKUP_ATTRIBUTES", "species,,age", FIELD),
        ("LOOKUP_ATTRIBUTES", "species,Species", FIELD),
        ("LOOKUP_ATTRIBUTES", "good evil", FIELD),
        ("EVENT_FIELDS", "user\"Id", FIELD),
        ("EVENT_FIELDS", &long, FIELD),
        ("EVENT_FIELDS", "userId,mysfitId,species", "names differ in more than case"),
        ("EVENT_FIELDS", "userId,mysfitId,Species", "names differ in more than case"),
        ("LOOKUP_ATTRIBUTES", "species,USERID", "names differ in more than case"),
        ("RECORD_FIELDS", "arrivedat", "arrivedAt, recordId"),
        ("RECORD_FIELDS", "arrived at,", "arrivedAt, recordId"),
        ("RECORD_FIELDS", "recordId,recordId", "names differ in more than case"),
        ("PARTITION_KEYS", "genus", "userId, mysfitId, goodevil, lawchaos, species"),
        ("PARTITION_KEYS", "Species", "userId, mysfitId, goodevil, lawchaos, species"),
        ("LOOKUP_MODE", "Item", "list, item"),
        ("LOOKUP_MODE", "catalogue", "list, item"),
        ("LOOKUP_KEY", "id,name", FIELD),
        ("LOOKUP_KEY", "/id", FIELD),
        ("LOOKUP_KEY", "id=", FIELD),
        ("LOOKUP_KEY", "id=name", FIELD),
        ("LOOKUP_KEY", "id=/a~", FIELD),
        ("LOOKUP_KEY", "id=/a~2", FIELD),
        ("LOOKUP_KEY", "=/a", FIELD),
        ("LOOKUP_KEY", &too_deep, FIELD),
        ("LOOKUP_LIST_KEY", "none", "a field, as LOOKUP_MODE is list"),
        ("LOOKUP_LIST", "mysfits", "a path from /"),
        ("LOOKUP_LIST", "/mysfits#all", "the JSON pointer of the array"),
        ("LOOKUP_LIST", "/mysfits#", "the JSON pointer of the array"),
        ("LOOKUP_LIST", "/mysfits#/a#/b", "the JSON pointer of the array"),
        ("LOOKUP_LIST", "/mysfits#/a~2", "the JSON pointer of the array"),
        ("LOOKUP_LIST", "#/mysfits", "a path from /"),
        ("LOOKUP_LIST", "/mys fits", "a path from /"),
        ("LOOKUP_LIST", "/mysfits/{key}", "a path from /"),
        ("LOOKUP_ITEM", "/mysfits/", "with {key}"),
        ("LOOKUP_ITEM", "/mysfits/{key}#/data", "without a fragment"),
        ("EVENT_FIELDS", "*,*", FIELD),
        ("EVENT_FIELDS", "id=/a,ID=/b", FIELD),
        ("EVENT_FIELDS", "none,", FIELD),
        ("REQUIRED_FIELDS", "*", FIELD),
        ("REQUIRED_FIELDS", "userId,userid", FIELD),
        ("LOOKUP_ATTRIBUTES", "*", FIELD),
        ("LOOKUP_CACHE_SECONDS", "-1", "a whole number from 0 to 86400"),
        ("LOOKUP_STALE_SECONDS", "604801", "a whole number from 0 to 604800"),
        ("LOOKUP_TIMEOUT_MS", "2s", "a whole number from 1 to 60000"),
        ("LOOKUP_CONCURRENCY", "0", "a whole number from 1 to 256"),
        ("ON_UNKNOWN_KEY", "ignore", "fail, drop, pass"),
        ("ON_LOOKUP_UNAVAILABLE", "drop", "retry, fail, pass"),
    ] {
        let message = config(&[URL, (variable, value)]).unwrap_err().to_string();
        assert!(message.contains(variable), "{variable}={value}: {message}");
        assert!(message.contains(accepted), "{variable}={value}: {message}");
    }
}

#[test]
fn output_fields_differ_in_more_than_case() {
    for (variables, found) in [
        (vec![("EVENT_FIELDS", "userId,mysfitId,Species")], r#""Species" and "species""#),
        (vec![("LOOKUP_ATTRIBUTES", "species,mysfitid")], r#""mysfitId" and "mysfitid""#),
        (vec![("EVENT_FIELDS", "ArrivedAt"), ("RECORD_FIELDS", "arrivedAt")], r#""ArrivedAt" and "arrivedAt""#),
        (vec![("LOOKUP_ATTRIBUTES", "RECORDID"), ("RECORD_FIELDS", "recordId")], r#""RECORDID" and "recordId""#),
        (vec![("RECORD_FIELDS", "recordId,recordId")], r#""recordId" and "recordId""#),
    ] {
        let message = config(&[vec![URL], variables].concat()).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "EVENT_FIELDS, LOOKUP_ATTRIBUTES and RECORD_FIELDS: found {found}; \
                 accepted: output fields whose names differ in more than case"
            )
        );
    }
}

#[test]
fn the_url_has_a_second_name() {
    let second = ("MYSFITS_API_URL", "https://example.com/prod/");
    for variables in [&[second][..], &[URL, second]] {
        assert_eq!(config(variables).unwrap().api_url.as_str(), URL.1);
    }
    for (variables, expected) in [
        (
            &[URL, ("MYSFITS_API_URL", "https://other.example")][..],
            "LOOKUP_API_URL and MYSFITS_API_URL: found two different values",
        ),
        (&[("MYSFITS_API_URL", "ftp://x")], "MYSFITS_API_URL: found \"ftp://x\""),
        (&[], "LOOKUP_API_URL: found no value"),
    ] {
        let message = config(variables).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_mode_needs_its_path() {
    for (variables, expected) in [
        (
            &[URL, ("LOOKUP_LIST", "none")][..],
            Err("LOOKUP_MODE: found list, and LOOKUP_LIST is none; accepted: another mode, or a path in LOOKUP_LIST"),
        ),
        (
            &[URL, ("LOOKUP_MODE", "item"), ("LOOKUP_ITEM", "none")],
            Err("LOOKUP_MODE: found item, and LOOKUP_ITEM is none; accepted: another mode, or a path in LOOKUP_ITEM"),
        ),
        (
            &[URL, ("LOOKUP_LIST", "/a?b=c"), ("LOOKUP_ITEM", "none")],
            Ok(LookupMode::List { list: "/a?b=c".to_owned(), array: None, item: None }),
        ),
        (
            &[URL, ("LOOKUP_LIST", "/a?b=c#/data/items"), ("LOOKUP_ITEM", "none")],
            Ok(LookupMode::List { list: "/a?b=c".to_owned(), array: Field::parse("array=/data/items"), item: None }),
        ),
        (
            &[URL, ("LOOKUP_MODE", "item"), ("LOOKUP_LIST", "none")],
            Ok(LookupMode::Item { item: "/mysfits/{key}".to_owned() }),
        ),
    ] {
        let found = config(variables).map(|config| config.lookup_mode).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }
}

#[test]
fn secrets_are_never_shown() {
    for (variable, value) in [
        ("LOOKUP_API_URL", "https://user:hunter2@example.com/"),
        ("LOOKUP_API_URL", "https://user:hunter2@/"),
        ("LOOKUP_API_URL", "user:hunter2@example.com"),
        ("LOOKUP_API_URL", "https://user:hunter2@exa mple.com"),
        ("LOOKUP_API_URL", "https://example.com/?key=hunter2"),
        ("LOOKUP_LIST", "/items?key=hunter2#"),
        ("LOOKUP_ITEM", "/items?key=hunter2"),
    ] {
        let message = config(&[URL, (variable, value)]).unwrap_err().to_string();
        assert!(!message.contains("hunter2") && message.contains("not shown"), "{message}");
    }
    let shown = format!("{:?}", config(&[URL, ("LOOKUP_AUTH", "header"), ("LOOKUP_SECRET", "hunter2")]).unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn names_are_limited_in_number_and_a_long_value_is_truncated() {
    let names = |count: usize| (0..count).map(|index| format!("n{index}")).collect::<Vec<_>>().join(",");
    assert!(config(&[URL, ("EVENT_FIELDS", &names(32))]).is_ok());
    assert!(config(&[URL, ("EVENT_FIELDS", &names(33))]).is_err());
    assert!(config(&[URL, ("EVENT_FIELDS", &format!("a-b_c,{}", "x".repeat(64)))]).is_ok());
    let message = config(&[URL, ("LOOKUP_MODE", &"x".repeat(10_000))]).unwrap_err().to_string();
    assert!(message.len() < 300, "{message}");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_reported() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let bytes = OsString::from_vec(vec![0xff]);
    let message = Config::read(&Env::from_iter([("LOOKUP_API_URL", bytes)])).unwrap_err().to_string();
    assert!(message.starts_with("LOOKUP_API_URL: found a value that is not UTF-8"), "{message}");
}
