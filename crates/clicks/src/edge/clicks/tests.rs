use axum::http::{HeaderValue, header};

use super::*;

const ID: &str = "4e53920c-505a-4a90-a694-b9300791f0ae";

fn validate(body: impl AsRef<[u8]>) -> Result<String, String> {
    match super::validate(&click_schema().unwrap(), &HeaderMap::new(), body.as_ref()) {
        Err(EdgeError::Body(reason)) => Err(reason),
        other => Ok(other.unwrap()),
    }
}

#[test]
fn a_click_is_put_unchanged_without_white_space() {
    let longest = format!(r#"{{"userId":"{}","mysfitId":"{}"}}"#, "🐉".repeat(64), "a".repeat(128));
    for (body, record) in [
        (r#"{"userId":"guest","mysfitId":"_-9"}"#, r#"{"userId":"guest","mysfitId":"_-9"}"#),
        (" {\r\n\t\"mysfitId\": \"a\", \"userId\" : \"\" }\n", r#"{"mysfitId":"a","userId":""}"#),
        (r#"{"userId":"a b  \" é \u00e9\n","mysfitId":"a"}"#, r#"{"userId":"a b  \" é \u00e9\n","mysfitId":"a"}"#),
        (r#"{"user\u0049d":"u","mysfitId":"a"}"#, r#"{"user\u0049d":"u","mysfitId":"a"}"#),
        (&longest, &longest),
    ] {
        assert_eq!(validate(body), Ok(record.to_owned()), "{body}");
        let as_value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(as_value(record), as_value(body));
    }
}

#[test]
fn an_invalid_click_is_reported_without_the_values_of_the_visitor() {
    let pattern = "mysfitId does not match ^[A-Za-z0-9_-]{1,128}$";
    let user = |user: &str| format!(r#"{{"userId":{user},"mysfitId":"{ID}"}}"#);
    let mysfit = |mysfit: &str| format!(r#"{{"userId":"guest","mysfitId":{mysfit}}}"#);
    let many = format!("{{{}}}", (0..1000).map(|n| format!(r#""<b>{n}</b>":1"#)).collect::<Vec<_>>().join(","));
    for (body, errors) in [
        ("{}".to_owned(), "userId is missing; mysfitId is missing"),
        (format!(r#"{{"mysfitId":"{ID}"}}"#), "userId is missing"),
        (
            format!(r#"{{"userid":"u","mysfitId":"{ID}"}}"#),
            "userId is missing; it has fields that a click does not have (1)",
        ),
        (many, "userId is missing; mysfitId is missing; it has fields that a click does not have (1000)"),
        (user("null"), "userId is not of type string"),
        (user(r#"{"sub":"secret"}"#), "userId is not of type string"),
        (user(&format!("\"{}\"", "é".repeat(65))), "userId is longer than 64 characters"),
        (mysfit("7"), "mysfitId is not of type string"),
        (mysfit(r#""""#), pattern),
        (mysfit(r#""abc\n""#), pattern),
        (mysfit(r#""\nabc""#), pattern),
        (mysfit(r#""abc\r""#), pattern),
        (mysfit(r#""abc\u2028""#), pattern),
        (mysfit(r#""../secret""#), pattern),
        (mysfit(r#""é""#), pattern),
        (mysfit(r#""\u0661""#), pattern),
        (mysfit(&format!("\"{}\"", "a".repeat(129))), pattern),
        (
            r#"{"userId":1,"mysfitId":"?","time":2}"#.to_owned(),
            "mysfitId does not match ^[A-Za-z0-9_-]{1,128}$; userId is not of type string; \
             it has fields that a click does not have (1)",
        ),
        (format!(r#"{{"userId":"a","userId":"b","mysfitId":"{ID}"}}"#), "a field is in it twice"),
        (format!(r#"{{"userId":"a","mysfitId":"{ID}","mysfitI\u0064":"{ID}"}}"#), "a field is in it twice"),
        ("[]".to_owned(), "it is not of type object"),
        ("\"secret\"".to_owned(), "it is not of type object"),
        ("null".to_owned(), "it is not of type object"),
    ] {
        assert_eq!(validate(&body), Err(errors.to_owned()), "{body}");
    }
}

#[test]
fn invalid_json_is_reported_by_its_place_only() {
    let nested = "[".repeat(8192);
    for (body, error) in [
        (&b""[..], "it is not JSON (EOF while parsing a value at line 1 column 0)"),
        (b"userId=guest", "it is not JSON (expected value at line 1 column 1)"),
        (b"{\"userId\":\"secret", "it is not JSON (EOF while parsing a string at line 1 column 17)"),
        (b"{} {}", "it is not JSON (trailing characters at line 1 column 4)"),
        (b"{\"userId\":\"\\ud800\"}", "it is not JSON (unexpected end of hex escape at line 1 column 18)"),
        (b"\xef\xbb\xbf{}", "it is not JSON (expected value at line 1 column 1)"),
        (nested.as_bytes(), "it is not JSON (recursion limit exceeded at line 1 column 128)"),
        (b"{\"userId\":\"\xff\"}", "it is not UTF-8"),
        (b"{\0}\0", "it is not JSON (key must be a string at line 1 column 2)"),
    ] {
        assert_eq!(validate(body), Err(error.to_owned()), "{}", body.escape_ascii());
    }
}

#[test]
fn only_the_content_type_of_json_is_accepted() {
    let schema = click_schema().unwrap();
    let json: &[&[&str]] = &[
        &[],
        &["application/json"],
        &["application/json; charset=UTF-8"],
        &["Application/JSON;charset=utf-8"],
        &[" application/json "],
        &["application/json", "application/json"],
    ];
    let others: &[&[&str]] = &[
        &[""],
        &["text/plain"],
        &["text/plain;charset=UTF-8"],
        &["text/plain; application/json"],
        &["application/json, text/plain"],
        &["application/json", "text/plain"],
        &["application/jsonl"],
        &["application/x-amz-json-1.1"],
        &["application/x-www-form-urlencoded"],
        &["é"],
    ];
    let all = json.iter().map(|values| (values, true)).chain(others.iter().map(|values| (values, false)));
    for (values, is_json) in all {
        let value = |text: &&str| (header::CONTENT_TYPE, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in values.iter().map(value) {
            headers.append(name, value);
        }
        let expected = if is_json { EdgeError::Body("it is not UTF-8".to_owned()) } else { EdgeError::MediaType };
        assert_eq!(super::validate(&schema, &headers, b"\xff"), Err(expected), "{values:?}");
    }
}

/// What API Gateway's request validator needs, besides what clicks test.
#[test]
fn the_schema_is_valid_for_api_gateway() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    assert!(schema["title"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
}
