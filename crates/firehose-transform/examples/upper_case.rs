//! Delivers each record in upper case.

use firehose_transform::{Outcome, RuntimeError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    // Without a subscriber, neither invocations nor failed records are logged.
    tracing_subscriber::fmt().json().init();
    firehose_transform::run(|record| Ok(Outcome::Ok(record.data().to_ascii_uppercase()))).await
}
