//! Delivers each order, which is JSON on one line, as a line, with its country and the date of its arrival as keys for dynamic partitioning: a prefix such as
//! `orders/!{partitionKeyFromLambda:country}/!{partitionKeyFromLambda:date}/` uses them.

use firehose_transform::{Outcome, Record, RecordError, RuntimeError};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Order {
    country: String,
}

fn partition(record: &Record) -> Result<Outcome, RecordError> {
    let order: Order = serde_json::from_slice(record.data())?;
    if order.country.len() != 2 || !order.country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(RecordError::new("country", "not an ISO 3166-1 alpha-2 code"));
    }
    let arrived_at = record.arrived_at().ok_or_else(|| RecordError::new("time", "no time of arrival"))?;
    let date = Timestamp::try_from(arrived_at)?.strftime("%F").to_string();
    let keys = [("country".to_owned(), order.country), ("date".to_owned(), date)].into();
    Ok(Outcome::Partitioned { data: [record.data().trim_ascii(), b"\n"].concat(), keys })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    tracing_subscriber::fmt().json().init();
    firehose_transform::run(partition).await
}
