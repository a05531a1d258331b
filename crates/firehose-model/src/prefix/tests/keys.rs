//! Keys of functions and queries.

use super::*;

#[test]
fn keys_of_a_query_are_others_than_those_of_a_function() {
    let time = utc("2026-11-20T08:22:01Z");
    let text = "!{partitionKeyFromQuery:a}/!{partitionKeyFromLambda:a}/!{partitionKeyFromQuery:b}/";
    let query = ["a", "b"].map(str::to_owned);
    let prefix = Prefix::with_keys(text, true, &query).unwrap();
    let (function, query) = (record_keys(&[("a", "1"), ("b", "2")]), record_keys(&[("a", "3"), ("b", "4")]));
    let partition = prefix.partition(&function, &query).unwrap();
    assert_eq!(prefix.evaluate(&time, &partition, "", Uuid::new_v4), "3/1/4/");
    assert_eq!(prefix.partition(&record_keys(&[]), &query), None);
    for query in [&[("a", "3")][..], &[("a", "3"), ("b", "")]] {
        assert_eq!(prefix.partition(&function, &record_keys(query)), None);
    }
}

#[test]
fn a_prefix_has_the_keys_of_its_sources() {
    for (text, function, query, expected) in [
        ("!{partitionKeyFromQuery:a}/", false, &["a"][..], None),
        ("!{partitionKeyFromQuery:a}/!{timestamp:yyyy}/!{partitionKeyFromQuery:a}/", true, &["a"], None),
        ("!{partitionKeyFromLambda:b}/!{partitionKeyFromQuery:a}/", true, &["a"], None),
        (
            "!{partitionKeyFromLambda:b}/!{partitionKeyFromQuery:a}/",
            false,
            &["a"],
            Some("`!{partitionKeyFromLambda:b}` needs a processor of type Lambda"),
        ),
        (
            "!{partitionKeyFromQuery:a}/!{partitionKeyFromQuery:b}/",
            false,
            &["a"],
            Some("`!{partitionKeyFromQuery:b}` is not a key of the MetadataExtractionQuery"),
        ),
        (
            "!{partitionKeyFromQuery:a}/",
            false,
            &["a", "b"],
            Some("`!{partitionKeyFromQuery:b}` is missing: a prefix needs each key of the MetadataExtractionQuery"),
        ),
        ("p/", false, &["a"], Some("`!{partitionKeyFromQuery:a}` is missing")),
        ("!{partitionKeyFromLambda:a}/", true, &["a"], Some("`!{partitionKeyFromQuery:a}` is missing")),
    ] {
        let query: Vec<String> = query.iter().map(|&key| key.to_owned()).collect();
        let parsed = Prefix::with_keys(text, function, &query);
        match expected {
            None => assert_eq!(parsed.map(|prefix| prefix.text().to_owned()).as_deref(), Ok(text)),
            Some(expected) => {
                let message = parsed.unwrap_err();
                assert!(message.starts_with(expected), "{text}: {message}");
            }
        }
    }
}
