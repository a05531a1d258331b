//! The mysfits service as a Lambda behind API Gateway.

use std::env;
use std::process::ExitCode;

use mysfits_service::{Table, TableName, client, gateway, init_logs, router};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    init_logs();
    let name = match TableName::from_env() {
        Ok(name) => name,
        Err(error) => return failed(2, &error.into()),
    };
    match serve(name).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(1, &error),
    }
}

async fn serve(name: TableName) -> anyhow::Result<()> {
    anyhow::ensure!(
        env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda; `cargo mysfits` runs the service locally"
    );
    let table = Table::new(client::from_env().await?, name);
    lambda_http::run(gateway::behind_stage(router(table))).await.map_err(anyhow::Error::from_boxed)
}

fn failed(code: u8, error: &anyhow::Error) -> ExitCode {
    tracing::error!(cause = format!("{error:#}"), "the service stopped");
    ExitCode::from(code)
}
