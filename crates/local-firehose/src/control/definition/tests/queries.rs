//! Dynamic partitioning by a query.

use super::*;

/// A stream with dynamic partitioning, and only these processors.
fn by_query(prefix: &str, processors: &[Value]) -> Value {
    json!({
        "Prefix": prefix, "ErrorOutputPrefix": "e/", "DynamicPartitioningConfiguration": { "Enabled": true },
        "ProcessingConfiguration": { "Enabled": true, "Processors": processors },
    })
}

fn extraction(query: &str) -> Value {
    processor("MetadataExtraction", &[("MetadataExtractionQuery", query), ("JsonParsingEngine", "JQ-1.6")])
}

#[test]
fn a_query_partitions_with_and_without_a_function() {
    let processors = [extraction("{a: .b}"), json!({ "Type": "AppendDelimiterToRecord" })];
    let settings = plan(by_query("!{partitionKeyFromQuery:a}/", &processors)).unwrap().settings;
    let keys = settings.processors.query.as_ref().map(|query| query.keys_of(br#"{"b":7}"#));
    assert_eq!(keys, Some(Ok([("a".to_owned(), "7".to_owned())].into())));
    assert!(settings.dynamic_partitioning && settings.function_arn.is_none(), "{settings:?}");

    let mut both = with_processors(&processors);
    both["Prefix"] = json!("!{partitionKeyFromLambda:k}/!{partitionKeyFromQuery:a}/");
    let settings = plan(both).unwrap().settings;
    assert!(settings.processors.query.is_some() && settings.function.is_some(), "{settings:?}");
}

#[test]
fn a_refused_query_names_its_field() {
    let at = "ProcessingConfiguration.Processors[0]";
    let prefix = "!{partitionKeyFromQuery:a}/";
    for (change, field, problem) in [
        (by_query(prefix, &[extraction("{a: .b")]), ".Parameters[0].ParameterValue", "expected closing brace"),
        (by_query(prefix, &[extraction("{a: ..}")]), ".Parameters[0].ParameterValue", "`..` is not supported"),
        (
            by_query(prefix, &[processor("MetadataExtraction", &[("MetadataExtractionQuery", "{a: .b}")])]),
            ".Parameters",
            "JsonParsingEngine is required; accepted is JQ-1.6",
        ),
        (
            by_query(prefix, &[processor("MetadataExtraction", &[("JsonParsingEngine", "JQ-1.7")])]),
            ".Parameters[0].ParameterValue",
            "JsonParsingEngine is JQ-1.7; accepted is JQ-1.6",
        ),
        (
            by_query(prefix, &[processor("MetadataExtraction", &[("JsonParsingEngine", "JQ-1.6")])]),
            ".Parameters",
            "MetadataExtractionQuery is required",
        ),
        (
            json!({ "ProcessingConfiguration": { "Enabled": true, "Processors": [extraction("{a: .b}")] } }),
            "",
            "MetadataExtraction needs dynamic partitioning",
        ),
    ] {
        let error = plan(change).unwrap_err();
        assert_eq!(error.field, format!("{AT}.{at}{field}"), "{error}");
        assert!(error.problem.contains(problem), "{error}");
    }
    for prefix in ["p/", "!{partitionKeyFromQuery:b}/", "!{partitionKeyFromQuery:a}/!{partitionKeyFromLambda:a}/"] {
        let error = plan(by_query(prefix, &[extraction("{a: .b}")])).unwrap_err();
        assert_eq!(error.field, format!("{AT}.Prefix"), "{error}");
    }
}
