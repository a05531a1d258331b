//! Drops events of the type `heartbeat`, and delivers the others, which are JSON on one line, as lines.

use firehose_transform::{Outcome, Record, RecordError, RuntimeError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    r#type: String,
}

fn filter(record: &Record) -> Result<Outcome, RecordError> {
    let event: Event = serde_json::from_slice(record.data())?;
    if event.r#type == "heartbeat" {
        return Ok(Outcome::Dropped);
    }
    Ok(Outcome::Ok([record.data().trim_ascii(), b"\n"].concat()))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    tracing_subscriber::fmt().json().init();
    firehose_transform::run(filter).await
}
