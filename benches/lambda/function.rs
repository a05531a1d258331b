//! The functions to compare with, which this executable is when it is told to.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse};

use crate::straightforward::Straightforward;

/// Which function to be.
pub(crate) const VARIABLE: &str = "BENCH_FUNCTION";

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(name: &str) {
    match name {
        "straightforward" => straightforward().await.unwrap(),
        "empty" => empty().await.unwrap(),
        other => panic!("{VARIABLE} is {other}: straightforward or empty"),
    }
}

/// As most would write it: the runtime reads the event and writes the answer.
async fn straightforward() -> Result<(), Error> {
    let function = Straightforward::new();
    let serve = |event: LambdaEvent<KinesisFirehoseEvent>| {
        let response: KinesisFirehoseResponse = function.answer(event.payload);
        async move { Ok::<_, Error>(response) }
    };
    lambda_runtime::run(service_fn(serve)).await
}

async fn empty() -> Result<(), Error> {
    let serve = |_: LambdaEvent<Box<RawValue>>| async { Ok::<_, Error>(Value::Null) };
    lambda_runtime::run(service_fn(serve)).await
}
