//! A secret in AWS Secrets Manager: the request for it, the response, the cached value, and when to fetch it again.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cache::CacheInstant;
use super::client::{ServiceClient, Target};
use super::request_error::{MAX_ATTEMPTS, RequestError};
use crate::config::{Auth, Secret, StoredSecret, secret_value};

/// AWS Secrets Manager User Guide, "AWS Secrets Manager quotas".
const MAX_SECRET_BYTES: usize = 65_536;
/// A character takes up to six bytes in JSON.
const MAX_RESPONSE_BYTES: usize = 6 * MAX_SECRET_BYTES + 4096;
const FETCH_AGAIN_AFTER: Duration = Duration::from_secs(60);
const MAX_CODE_CHARS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct CachedSecret {
    value: Option<HeaderValue>,
    fetched_again: Option<CacheInstant>,
}

impl CachedSecret {
    /// If so, this counts as the fetch.
    fn may_fetch_again(&mut self, now: CacheInstant) -> bool {
        let may = self.fetched_again.is_none_or(|before| before.age_at(now) >= FETCH_AGAIN_AFTER);
        if may {
            self.fetched_again = Some(now);
        }
        may
    }
}

impl ServiceClient<'_> {
    /// Fetched by the first request that needs it; `None` without authentication by a secret.
    pub(super) async fn secret(&self, max_attempts: u32) -> Result<Option<HeaderValue>, RequestError> {
        let stored = match &self.connection.auth {
            Auth::None | Auth::Iam(_) => return Ok(None),
            Auth::Header { secret: Secret::Plain(value), .. } => return Ok(Some(value.clone())),
            Auth::Header { secret: Secret::Stored(stored), .. } => stored,
        };
        let mut cached = self.connection.secret.lock().await;
        if cached.value.is_none() {
            let fetched = self.fetch(stored, max_attempts).await;
            // Other requests of this invocation would fetch it in vain, too.
            cached.value = Some(fetched.inspect_err(|_| self.circuit_open.set(true))?);
        }
        Ok(cached.value.clone())
    }

    /// `None` if it is still the rejected one.
    pub(super) async fn newer_secret(&self, rejected: Option<&HeaderValue>) -> Option<HeaderValue> {
        let Auth::Header { secret: Secret::Stored(stored), .. } = &self.connection.auth else { return None };
        let mut cached = self.connection.secret.lock().await;
        let is_due = cached.value.as_ref() == rejected && self.check_sendable().is_ok();
        if is_due && cached.may_fetch_again(CacheInstant::now()) {
            match self.fetch(stored, MAX_ATTEMPTS).await {
                Ok(value) => cached.value = Some(value),
                Err(error) => tracing::warn!("the service rejected the secret, and GetSecretValue {error}"),
            }
        }
        cached.value.clone().filter(|value| Some(value) != rejected)
    }

    async fn fetch(&self, stored: &StoredSecret, max_attempts: u32) -> Result<HeaderValue, RequestError> {
        self.retried(Target::Secret, max_attempts, async || {
            let request = |http: &Client| {
                let mut request = request(http, stored)?;
                stored.signer.sign(&mut request, SystemTime::now())?;
                Ok(request)
            };
            let (status, body) = self.send(request, MAX_RESPONSE_BYTES, |_| Ok(true)).await?;
            read(status, &body, stored.field.as_deref())
        })
        .await
    }
}

/// Not yet signed.
fn request(http: &Client, secret: &StoredSecret) -> Result<Request, reqwest::Error> {
    http.post(secret.endpoint.clone())
        .header(CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "secretsmanager.GetSecretValue")
        .body(json!({"SecretId": secret.arn}).to_string())
        .build()
}

fn read(status: StatusCode, body: &[u8], field: Option<&str>) -> Result<HeaderValue, RequestError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "SecretString")]
        string: Option<String>,
        #[serde(rename = "__type")]
        code: Option<String>,
    }
    let body = serde_json::from_slice::<Body>(body).ok();
    if status != StatusCode::OK {
        let code = body.and_then(|body| body.code).unwrap_or_default();
        return Err(RequestError::Aws { status, code: shown_code(&code) });
    }
    let body = body.ok_or(RequestError::Secret("no JSON of Secrets Manager"))?;
    let string = body.string.ok_or(RequestError::Secret("no SecretString"))?;
    let text = match field {
        None => string,
        Some(field) => {
            let object = serde_json::from_str::<Value>(&string).unwrap_or_default();
            let text = object.get(field).and_then(Value::as_str).map(str::to_owned);
            text.ok_or(RequestError::Secret("a secret that is no JSON object with LOOKUP_SECRET_FIELD as a string"))?
        }
    };
    if text.is_empty() || text.len() > MAX_SECRET_BYTES {
        return Err(RequestError::Secret("a secret that is empty or too long"));
    }
    secret_value(&text).ok_or(RequestError::Secret("a secret with characters that are invalid in an HTTP header"))
}

/// `AccessDeniedException` of `com.amazonaws.secretsmanager#AccessDeniedException`. The endpoint may be any server.
fn shown_code(code: &str) -> String {
    let name = code.rsplit('#').next().unwrap_or_default();
    let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(MAX_CODE_CHARS).collect();
    if shown.is_empty() { "no error code".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::cache::tests::later;

    #[test]
    fn a_secret_is_a_string_or_a_member_of_one() {
        let long = "x".repeat(MAX_SECRET_BYTES);
        for (string, field, expected) in [
            ("Bearer a b", None, Some("Bearer a b")),
            (r#"{"key":"k","other":1}"#, Some("key"), Some("k")),
            (r#"{"key":"k"}"#, None, Some(r#"{"key":"k"}"#)),
            (&long, None, Some(&*long)),
            (&format!("{long}x"), None, None),
            ("", None, None),
            ("a\n", None, None),
            ("é\u{1}", None, None),
            (r#"{"key":"k"}"#, Some("other"), None),
            (r#"{"key":""}"#, Some("key"), None),
            (r#"{"key":7}"#, Some("key"), None),
            (r#"["key"]"#, Some("key"), None),
            ("key", Some("key"), None),
            (&"[".repeat(10_000), Some("key"), None),
        ] {
            let body = json!({"SecretString": string}).to_string();
            let read = read(StatusCode::OK, body.as_bytes(), field).map_err(|error| error.to_string());
            assert_eq!(read.as_ref().ok().map(|value| value.to_str().unwrap()), expected, "{string}");
            match read {
                Ok(value) => assert!(value.is_sensitive()),
                Err(error) => assert!(error.starts_with("responded with a secret") && error.len() < 100, "{error}"),
            }
        }
    }

    #[test]
    fn an_error_is_reported_with_its_code() {
        for (status, body, shown, retried) in [
            (
                400,
                r#"{"__type":"AccessDeniedException","Message":"arn"}"#,
                "responded 400 Bad Request: AccessDeniedException",
                false,
            ),
            (
                400,
                r#"{"__type":"com.amazonaws#ThrottlingException"}"#,
                "responded 400 Bad Request: ThrottlingException",
                true,
            ),
            (
                500,
                r#"{"__type":"InternalServiceError"}"#,
                "responded 500 Internal Server Error: InternalServiceError",
                true,
            ),
            (400, r#"{"__type":"a\n<b>"}"#, "responded 400 Bad Request: ab", false),
            (502, "<html>", "responded 502 Bad Gateway: no error code", true),
            (200, "<html>", "responded with no JSON of Secrets Manager", false),
            (200, r#"{"SecretBinary":"aGk="}"#, "responded with no SecretString", false),
        ] {
            let error = read(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.retry_delay(1).is_some()), (shown, retried));
        }
    }

    #[test]
    fn a_rejected_secret_is_fetched_again_at_most_once_a_minute() {
        let start = CacheInstant::now();
        let mut secret = CachedSecret::default();
        for (seconds, expected) in
            [(0, true), (1, false), (59, false), (60, true), (61, false), (119, false), (500, true)]
        {
            assert_eq!(secret.may_fetch_again(later(start, seconds)), expected, "after {seconds} s");
        }
    }
}
