//! Delivers each record in upper case.

use firehose_transform::{Outcome, RuntimeError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RuntimeError> {
    firehose_transform::run(|record| Ok(Outcome::Ok(record.data().to_ascii_uppercase()))).await
}
