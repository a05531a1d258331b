//! `POST /v2/{stream-name}`: puts a JSON object into the data stream of that name, as API Gateway's integration with Kinesis. It
//! is for services, not for pages: there is no CORS.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::routing::post;
use axum::{Extension, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use governor::Quota;
use serde_json::{Value, json};
use uuid::Uuid;

use super::reader::{EdgeError, RequestReader, json_text};
use super::unknown_method;
use firehose_model::fields::Fields;
use firehose_model::kinesis::shard::hash_key;
use firehose_model::kinesis::{MAX_PARTITION_KEY_CHARACTERS, MAX_RECORD_BYTES};
use local_firehose::http::BodyMemory;
use local_firehose::stream::{DataStream, PutEntry};

struct Streams {
    by_name: BTreeMap<String, (DataStream, RequestReader)>,
    unknown: RequestReader,
}

pub(super) fn router(streams: Vec<DataStream>, rate: Quota, memory: &BodyMemory) -> Router {
    let reader = || RequestReader::new(rate, MAX_RECORD_BYTES, memory);
    let route = |stream: DataStream| (stream.name().to_owned(), (stream, reader()));
    let streams = Streams { by_name: streams.into_iter().map(route).collect(), unknown: reader() };
    Router::new().route("/v2/{stream}", post(put).fallback(unknown_method)).with_state(Arc::new(streams))
}

async fn put(
    State(streams): State<Arc<Streams>>,
    Extension(id): Extension<Uuid>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Value>, EdgeError> {
    let Some((stream, reader)) = name.ok().and_then(|Path(name)| streams.by_name.get(&name)) else {
        // A mock integration in API Gateway, which ignores the body.
        streams.unknown.discard(request);
        return Err(EdgeError::UnknownStream);
    };
    let field = stream.settings.partition_key_field.as_deref();
    let record = read(reader, request, field, id).await;
    let record = record.inspect_err(|refused| stream.refuse(1, refused.reason()))?;
    let put = stream.put(vec![record]).await.pop().ok_or(EdgeError::Unavailable)??;
    // Kinesis' response, with the names of API Gateway's mapping template.
    Ok(Json(json!({ "sequenceNumber": put.sequence_number, "shardId": put.shard })))
}

async fn read(
    reader: &RequestReader,
    request: Request,
    partition_key_field: Option<&str>,
    id: Uuid,
) -> Result<PutEntry, EdgeError> {
    if is_untyped_of_another_site(request.headers()) {
        reader.discard(request);
        return Err(EdgeError::MediaType);
    }
    let (head, body) = reader.read(request).await?;
    from_request(&head.headers, &body, partition_key_field, id)
}

/// A script of any page can send a body without a content type, and a browser asks for no permission first (Fetch standard,
/// "CORS-preflight fetch"). JSON needs that permission, which no page of another site gets here. API Gateway makes no difference.
fn is_untyped_of_another_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| str::from_utf8(value.as_bytes()).unwrap_or_default());
    let Some(origin) = text(header::ORIGIN) else { return false };
    let is_own = origin.strip_prefix("http://").is_some_and(|host| text(header::HOST) == Some(host));
    !is_own && !headers.contains_key(header::CONTENT_TYPE)
}

const PARTITION_KEY: HeaderName = HeaderName::from_static("x-partition-key");

/// Without a key in the header or the field, the key is the request's id: a constant would put all records into one shard.
fn from_request(headers: &HeaderMap, body: &[u8], field: Option<&str>, id: Uuid) -> Result<PutEntry, EdgeError> {
    let text = json_text(headers, body)?;
    let not = |what: &str| EdgeError::Body(format!("it is not {what}"));
    let fields: Fields<'_> = serde_json::from_str(text)
        .map_err(|error| if error.is_data() { not("of type object") } else { not(&format!("JSON ({error})")) })?;
    let header = headers.get(PARTITION_KEY).map_or(Ok(""), |key| str::from_utf8(key.as_bytes()));
    let header = header.map_err(|_| EdgeError::PartitionKey("it is not UTF-8".to_owned()))?;
    let given = Some(header.to_owned()).filter(|key| !key.is_empty());
    let partition_key = given.or_else(|| fields.partition_key(field?)).unwrap_or_else(|| id.to_string());
    if partition_key.chars().count() > MAX_PARTITION_KEY_CHARACTERS {
        return Err(EdgeError::PartitionKey(format!("it is longer than {MAX_PARTITION_KEY_CHARACTERS} characters")));
    }
    // JSON has line breaks between tokens only. The rest is unchanged, down to the digits of a number.
    let line = text.replace(['\r', '\n'], " ") + "\n";
    let bytes = line.len() + partition_key.len();
    if bytes > MAX_RECORD_BYTES {
        return Err(EdgeError::TooLong);
    }
    let hash_key = hash_key(&partition_key);
    Ok(PutEntry { data: STANDARD.encode(line), bytes, partition_key, hash_key })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(partition_key: Option<&[u8]>) -> HeaderMap {
        let value = partition_key.map(|key| (PARTITION_KEY, HeaderValue::from_bytes(key).unwrap()));
        value.into_iter().collect()
    }

    #[test]
    fn the_partition_key_is_the_header_or_the_field_or_the_request_id() {
        let id = Uuid::from_u128(7).to_string();
        let longest = "é".repeat(256);
        for (header, body, field, key) in [
            (Some("k"), r#"{"id":"i"}"#, Some("id"), "k"),
            (Some("é k"), "{}", None, "é k"),
            (Some(&*longest), "{}", None, &longest),
            (Some(""), r#"{"id":"i"}"#, Some("id"), "i"),
            (None, r#"{"id":"i"}"#, Some("id"), "i"),
            (None, r#"{"\u0069d":"\u00e9"}"#, Some("id"), "é"),
            (None, &format!(r#"{{"id":"{longest}"}}"#), Some("id"), &longest),
            (None, r#"{"id":12345678901234567890.50}"#, Some("id"), "12345678901234567890.50"),
            (None, r#"{"id":-1}"#, Some("id"), "-1"),
            // API Gateway uses the last one of several.
            (None, r#"{"id":1,"id":2}"#, Some("id"), "2"),
            (None, r#"{"id":"i"}"#, None, &id),
            (None, r#"{"ID":"i"}"#, Some("id"), &id),
            (None, r#"{"a":{"id":"i"}}"#, Some("id"), &id),
            (None, r#"{"id":""}"#, Some("id"), &id),
            (None, r#"{"id":null}"#, Some("id"), &id),
            (None, r#"{"id":true}"#, Some("id"), &id),
            (None, r#"{"id":["i"]}"#, Some("id"), &id),
            (None, r#"{"id":{}}"#, Some("id"), &id),
            (None, r#"{"id":"\ud800"}"#, Some("id"), &id),
        ] {
            let record =
                from_request(&headers(header.map(str::as_bytes)), body.as_bytes(), field, Uuid::from_u128(7)).unwrap();
            assert_eq!((&*record.partition_key, record.hash_key), (key, hash_key(key)), "{header:?} {body}");
        }
    }

    #[test]
    fn a_page_of_another_site_must_declare_json() {
        for (origin, content_type, is_refused) in [
            (None, None, false),
            (Some("https://evil.example"), None, true),
            (Some("http://localhost:8001"), None, true),
            (Some("https://localhost:8000"), None, true),
            (Some("null"), None, true),
            (Some(""), None, true),
            (Some("http://localhost:8000"), None, false),
            (Some("https://evil.example"), Some("application/json"), false),
        ] {
            let headers = [
                (header::HOST, Some("localhost:8000")),
                (header::ORIGIN, origin),
                (header::CONTENT_TYPE, content_type),
            ];
            let headers =
                headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
            assert_eq!(is_untyped_of_another_site(&headers.collect()), is_refused, "{origin:?} {content_type:?}");
        }
    }

    #[test]
    fn the_record_is_the_body_on_one_line() {
        for (body, line) in [
            ("{}", "{}\n"),
            (" {\r\n\t\"a b\" : [ 1.50 , \" \\\" \" ] }\n", " {  \t\"a b\" : [ 1.50 , \" \\\" \" ] } \n"),
            ("{\"a\":\"\u{e9}\\u00e9\\n\"}", "{\"a\":\"\u{e9}\\u00e9\\n\"}\n"),
        ] {
            let record = from_request(&headers(Some(b"key")), body.as_bytes(), None, Uuid::nil()).unwrap();
            assert_eq!(
                (STANDARD.decode(record.data).unwrap(), record.bytes),
                (line.as_bytes().to_vec(), line.len() + 3)
            );
        }
    }

    #[test]
    fn an_invalid_request_is_refused() {
        let body = |reason: &str| EdgeError::Body(reason.to_owned());
        let key = |reason: &str| EdgeError::PartitionKey(reason.to_owned());
        let filled = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8)).into_bytes();
        let longer = "é".repeat(257);
        for (header, sent, error) in [
            (None, b"".to_vec(), body("it is not JSON (EOF while parsing a value at line 1 column 0)")),
            (None, b"{} {}".to_vec(), body("it is not JSON (trailing characters at line 1 column 4)")),
            (None, b"[{}]".to_vec(), body("it is not of type object")),
            (None, b"\"secret\"".to_vec(), body("it is not of type object")),
            (None, b"{\"a\":\"\xff\"}".to_vec(), body("it is not UTF-8")),
            (Some(longer.as_bytes()), b"{}".to_vec(), key("it is longer than 256 characters")),
            (None, format!(r#"{{"id":"{longer}"}}"#).into_bytes(), key("it is longer than 256 characters")),
            (Some(b"\xff"), b"{}".to_vec(), key("it is not UTF-8")),
            // With the line's end and the key.
            (Some(b"key"), filled(MAX_RECORD_BYTES - 3), EdgeError::TooLong),
        ] {
            assert_eq!(from_request(&headers(header), &sent, Some("id"), Uuid::nil()), Err(error));
        }
        assert!(from_request(&headers(Some(b"key")), &filled(MAX_RECORD_BYTES - 4), None, Uuid::nil()).is_ok());
        let mut text = headers(None);
        text.insert("content-type", HeaderValue::from_static("text/plain"));
        assert_eq!(from_request(&text, b"{}", None, Uuid::nil()), Err(EdgeError::MediaType));
    }
}
