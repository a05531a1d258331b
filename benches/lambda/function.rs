//! The baseline functions. This executable is one of them if [`VARIABLE`] is set.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

use aws_lambda_events::firehose::{KinesisFirehoseEvent, KinesisFirehoseResponse};

use bench_support::{Baseline, ClickFormat};

/// The environment variable with the function's name.
pub(crate) const VARIABLE: &str = "BENCH_FUNCTION";

/// The environment variable with the format of the clicks, by its name.
pub(crate) const FORMAT: &str = "BENCH_FORM";

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(name: &str) {
    match name {
        "straightforward" => straightforward().await.unwrap(),
        "empty" => empty().await.unwrap(),
        other => panic!("{VARIABLE}: found {other}; accepted: straightforward, empty"),
    }
}

/// The runtime deserialises the event and serialises the response.
async fn straightforward() -> Result<(), Error> {
    let function = Baseline::new();
    let name = std::env::var(FORMAT).ok();
    let format = ClickFormat::ALL
        .into_iter()
        .find(|format| Some(format.name()) == name.as_deref())
        .unwrap_or(ClickFormat::Compact);
    let serve = |event: LambdaEvent<KinesisFirehoseEvent>| {
        let response: KinesisFirehoseResponse = function.handle_format(event.payload, format);
        async move { Ok::<_, Error>(response) }
    };
    lambda_runtime::run(service_fn(serve)).await
}

async fn empty() -> Result<(), Error> {
    let serve = |_: LambdaEvent<Box<RawValue>>| async { Ok::<_, Error>(Value::Null) };
    lambda_runtime::run(service_fn(serve)).await
}
