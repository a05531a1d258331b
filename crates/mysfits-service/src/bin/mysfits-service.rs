//! The mysfits service as a Lambda behind API Gateway.

use std::env;
use std::process::ExitCode;

use mysfits_service::{Table, TableName, client, gateway, init_logs, router};
use service_kit::env::VariableError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    init_logs();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(cause = format!("{error:#}"), "the service stopped");
            ExitCode::from(if error.is::<VariableError>() { 2 } else { 1 })
        }
    }
}

async fn serve() -> anyhow::Result<()> {
    let name = TableName::from_env()?;
    anyhow::ensure!(
        env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
        "AWS_LAMBDA_RUNTIME_API is not set: this executable runs in AWS Lambda; `cargo mysfits` runs the service locally"
    );
    let table = Table::new(client::from_env().await?, name);
    lambda_http::run(gateway::behind_stage(router(table))).await.map_err(anyhow::Error::from_boxed)
}
