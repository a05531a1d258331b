//! `clicks tap`: prints the records of a running pipeline as they are accepted, delivered, or failed.

use std::io::{self, IsTerminal, Write as _};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use clap::Args;
use futures_util::StreamExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use url::Url;

use crate::error::UsageError;
use crate::examples::{TEMPLATE, examples};
use crate::interrupts::Interrupts;
use firehose_model::excerpt::excerpt;
use service_kit::count::records;

/// More than any line: of a record and of its output, 64 KiB are kept, and a byte is at most six in JSON.
const LINE_BYTES: usize = 1024 * 1024;

/// The most bytes of an error's response.
const ERROR_BYTES: usize = 64 * 1024;

/// Prints the records of a running `clicks up` from now on, one a line.
///
/// Each line has the time when the record was accepted, its stream, and its data; of a failed one also Firehose's error code, and the
/// reason that the function has logged.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
#[command(
    help_template = TEMPLATE,
    before_help = examples(&[
        ("Records as they are put", "clicks tap"),
        ("What the function makes of those with a word", "clicks tap mysfits-clicks --out --grep nessi"),
        ("Failed records with their reasons", "clicks tap --failed"),
        ("As JSON lines, for jq", "clicks tap --out --json | jq .data.text"),
    ]),
    after_help = "Exit codes: 0 the pipeline has stopped, or an interrupt; 1 no pipeline is at --url; 2 wrong usage."
)]
pub(crate) struct Tap {
    /// The delivery stream [default: all that exist at the start]
    #[arg(value_name = "STREAM")]
    stream: Option<String>,

    /// Accepted records, as they were put; the default
    #[arg(long = "in", group = "which")]
    accepted: bool,

    /// Records that the function has returned as `Ok`, as it has returned them; without a function all records
    #[arg(long, group = "which")]
    out: bool,

    /// Failed records, as they were put
    #[arg(long, group = "which")]
    failed: bool,

    /// Only records with this text in their id, their data, or their output; case does not matter
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,

    /// Print JSON lines; one with `missed` has the number of records that came at once and were not kept
    #[arg(long)]
    json: bool,

    /// The URL of the page of `clicks up`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000/")]
    url: Url,
}

pub(crate) async fn run(arguments: &Tap, interrupts: &mut Interrupts) -> anyhow::Result<ExitCode> {
    tokio::select! {
        biased;
        () = interrupts.next() => Ok(ExitCode::SUCCESS),
        printed = print_records(arguments) => printed.map(|()| ExitCode::SUCCESS),
    }
}

async fn print_records(arguments: &Tap) -> anyhow::Result<()> {
    let url = arguments.request_url()?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let at = &arguments.url;
    let response = client.get(url.as_str().parse()?).await;
    let response = response.with_context(|| format!("no pipeline at {at} (`--url`); is `clicks up` running?"))?;
    let (status, body) = (response.status(), Body::new(response.into_body()));
    if status != StatusCode::OK {
        return Err(refused(arguments, status, &to_bytes(body, ERROR_BYTES).await.unwrap_or_default()));
    }
    if io::stderr().is_terminal() {
        let stream = arguments.stream.as_deref().unwrap_or("all streams");
        tracing::info!("following {stream} until Ctrl-C");
    }
    let mut body = body.into_data_stream();
    let mut line = Vec::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.with_context(|| format!("the connection to {at} was lost"))?;
        let mut text = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            ensure!(line.len() <= LINE_BYTES, "found a line of more than {LINE_BYTES} bytes at {at}");
            if line.ends_with(b"\n") {
                text.extend(printed(&std::mem::take(&mut line), arguments.json)?);
            }
        }
        // On a thread of its own: an interrupt ends a process whose reader does not read.
        match spawn_blocking(move || io::stdout().lock().write_all(&text)).await? {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    tracing::info!("the pipeline stops; what it flushes now is not printed");
    Ok(())
}

impl Tap {
    fn request_url(&self) -> Result<Url, UsageError> {
        let accepted = "accepted is a URL with http://, such as http://127.0.0.1:8000/";
        // The page's URL, or that of its pipeline.
        let path = if self.url.path().ends_with("/pipeline/") { "tap" } else { "pipeline/tap" };
        let mut url = Some(&self.url).filter(|url| url.scheme() == "http").and_then(|url| url.join(path).ok());
        let url = url.as_mut().ok_or_else(|| UsageError(format!("`--url`: found {}; {accepted}", self.url)))?;
        let which = match (self.out, self.failed) {
            (true, _) => "out",
            (_, true) => "failed",
            _ => "in",
        };
        url.query_pairs_mut().append_pair("which", which);
        for (name, value) in [("stream", &self.stream), ("text", &self.grep)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        Ok(url.clone())
    }
}

fn refused(Tap { stream, url, .. }: &Tap, status: StatusCode, body: &Bytes) -> anyhow::Error {
    #[derive(Deserialize)]
    struct Message {
        message: String,
        #[serde(default)]
        streams: Vec<String>,
    }
    let Ok(Message { message, streams }) = serde_json::from_slice(body) else {
        return anyhow::anyhow!(
            "found another server at {url} (HTTP {status}); accepted is the page of `clicks up` (`--url`)"
        );
    };
    match stream {
        Some(stream) if status == StatusCode::NOT_FOUND => {
            let accepted = streams.join(", ");
            UsageError(format!("unknown stream: found {}; accepted are {accepted}", excerpt(stream, 128))).into()
        }
        _ => anyhow::anyhow!("{url}: {}", excerpt(&message, 500)),
    }
}

/// A line of the response.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Missed { stream: String, missed: u64 },
    Record(Record),
}

#[derive(Deserialize)]
struct Record {
    stream: String,
    at_ms: i64,
    code: Option<String>,
    reason: Option<String>,
    error: Option<String>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    text: Option<String>,
    base64: Option<String>,
    bytes: usize,
    truncated: bool,
}

/// A line as it is printed.
fn printed(line: &[u8], json: bool) -> anyhow::Result<Vec<u8>> {
    let text = match serde_json::from_slice(line).context("found an invalid line in the response")? {
        _ if json => return Ok(line.to_vec()),
        Line::Missed { stream, missed } => {
            tracing::warn!(
                "{stream}: {} missed: more came at once than are kept (`--recent-records-mb`)",
                records(missed)
            );
            return Ok(Vec::new());
        }
        Line::Record(record) => record.text(&TimeZone::system()),
    };
    Ok(text.into_bytes())
}

impl Record {
    fn text(&self, zone: &TimeZone) -> String {
        let Self { stream, at_ms, code, reason, error, data } = self;
        let at = Timestamp::from_millisecond(*at_ms).unwrap_or_default().to_zoned(zone.clone());
        let why = match (code, reason.as_ref().or(error.as_ref())) {
            (None, _) => String::new(),
            (Some(code), None) => format!("{code}: "),
            (Some(code), Some(why)) => format!("{code} ({}): ", excerpt(why, usize::MAX)),
        };
        format!("{} {stream} {why}{}\n", at.strftime("%H:%M:%S%.3f"), data.line())
    }
}

impl Data {
    fn line(&self) -> String {
        let text = match (&self.text, &self.base64) {
            (Some(text), _) => excerpt(text.trim_end_matches(['\r', '\n']), usize::MAX),
            (None, base64) => format!("base64:{}", base64.as_deref().unwrap_or_default()),
        };
        if self.truncated { format!("{text}… ({} bytes)", self.bytes) } else { text }
    }
}
