//! `GET /pipeline/object`: one of the last objects of a stream, its start for the page, or all of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error_response::error;
use firehose_model::values::GZIP_MAGIC;
use local_firehose::registry::Registry;

const MAX_START_BYTES: usize = 256 * 1024;

/// More than Firehose's largest buffer, 128 MiB.
const MAX_WHOLE_BYTES: usize = 160 * 1024 * 1024;
const MAX_WHOLE_READS: usize = 2;

const MAX_NAME_BYTES: usize = 200;

const TRUNCATED: HeaderName = HeaderName::from_static("x-truncated");

pub(super) fn router(streams: Registry) -> Router {
    let objects = Objects { streams, whole_reads: Arc::new(Semaphore::new(MAX_WHOLE_READS)) };
    Router::new().route("/pipeline/object", get(show)).with_state(objects)
}

#[derive(Clone)]
struct Objects {
    streams: Registry,
    whole_reads: Arc<Semaphore>,
}

/// One of the stream's last objects, or one of a kept record, and no other of its bucket.
#[derive(Deserialize)]
struct ObjectQuery {
    stream: String,
    path: String,
    #[serde(default)]
    whole: bool,
    #[serde(default)]
    download: bool,
}

async fn show(State(objects): State<Objects>, query: Result<Query<ObjectQuery>, QueryRejection>) -> Response {
    let Ok(Query(ObjectQuery { stream, path, whole, download })) = query else {
        return error(
            StatusCode::BAD_REQUEST,
            "invalid query; accepted are the parameters stream and path, whole=true and download=true, each once",
        );
    };
    let Some(stream) = objects.streams.get(&stream) else {
        return error(StatusCode::NOT_FOUND, "unknown stream");
    };
    let last = stream.snapshot().objects.into_iter().find(|object| object.path == path);
    let Some(object) = last.or_else(|| stream.recent_records().object(&path)) else {
        return error(
            StatusCode::NOT_FOUND,
            "not one of the last objects of this stream, and of none of its kept records",
        );
    };
    let (slot, at_most) = if whole || download {
        let Ok(slot) = objects.whole_reads.try_acquire_owned() else {
            return error(StatusCode::SERVICE_UNAVAILABLE, "two whole objects are being read; try again later");
        };
        (Some(slot), MAX_WHOLE_BYTES)
    } else {
        (None, MAX_START_BYTES)
    };
    let (bucket, key) = (stream.bucket_of(&object), path.clone());
    // A task, because a read of a folder continues when the client has disconnected, and keeps its slot.
    let read = tokio::spawn(async move { (bucket.get(&key, at_most).await, slot) });
    let (contents, slot) = match read.await {
        Ok((Ok(Some(contents)), slot)) => (contents, slot),
        Ok((Ok(None), _)) => return error(StatusCode::NOT_FOUND, "the object is no longer in the storage"),
        Ok((Err(_), _)) | Err(_) => {
            return error(StatusCode::BAD_GATEWAY, "could not read the object from the storage");
        }
    };
    let truncated = contents.truncated.then_some([(TRUNCATED, "true")]);
    let bytes = Bytes::from_owner(Contents { bytes: contents.bytes, _slot: slot });
    if !download {
        return ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], truncated, bytes).into_response();
    }
    let disposition = format!("attachment; filename=\"{}\"", file_name(&path, &bytes));
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, truncated, bytes).into_response()
}

/// A read ends when the client has the bytes: until then they are in memory.
struct Contents {
    bytes: Vec<u8>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Contents {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The end of a key, for any file system and as a quoted string of a header. Without `.gz` if the bytes are decompressed.
fn file_name(key: &str, bytes: &[u8]) -> String {
    let name = key.rsplit('/').next().unwrap_or_default();
    let name = if bytes.starts_with(&GZIP_MAGIC) { name } else { name.strip_suffix(".gz").unwrap_or(name) };
    let is_safe = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.' | '=');
    let safe: String = name.chars().map(|char| if is_safe(char) { char } else { '_' }).collect();
    // The end has the time, the id and the extension. A leading dot would hide the file.
    let end = safe[safe.len().saturating_sub(MAX_NAME_BYTES)..].trim_start_matches('.');
    if end.is_empty() { "object".to_owned() } else { end.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_safe() {
        let plain = b"{}".as_slice();
        let long = format!("a/{}-end.json", "x".repeat(300));
        let cut = format!("{}-end.json", "x".repeat(191));
        for (key, bytes, name) in [
            ("firehose/2026/11/20/08/clicks-1-2026", plain, "clicks-1-2026"),
            ("clicks", plain, "clicks"),
            ("a/clicks.json.gz", plain, "clicks.json"),
            ("a/clicks.gz", b"\x1f\x8b\x08 damaged", "clicks.gz"),
            ("a/b\"; filename=\"c", plain, "b___filename=_c"),
            ("a/b\\..\\c\r\nd", plain, "b_.._c__d"),
            ("a/é\u{202e}txt", plain, "__txt"),
            ("a/..", plain, "object"),
            ("a/", plain, "object"),
            (".bashrc", plain, "bashrc"),
            (&long, plain, &cut),
        ] {
            assert_eq!(file_name(key, bytes), name, "{key}");
        }
    }
}
