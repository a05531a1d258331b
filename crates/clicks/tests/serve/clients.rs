//! Unmodified clients besides boto3, most of them configured by their environment only.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::harness::{Serve, client, clients, python, run_client, succeeds};

fn start(folder: &Path, more: &[&str]) -> Serve {
    let arguments = ["--destination", "buckets", "--function-log", "function.log"];
    Serve::start(folder, &[&arguments[..], more].concat())
}

/// Adds the variables of an AWS client.
fn configured<'a>(command: &'a mut Command, serve: &Serve) -> &'a mut Command {
    let region = "us-east-1";
    command.env("AWS_ENDPOINT_URL", &serve.endpoint).env("AWS_REGION", region).env("AWS_DEFAULT_REGION", region);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn the_aws_cli_manages_and_fills_delivery_streams() {
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &[]);
    let buckets = folder.path().join("buckets");
    run_client("aws_cli_client.py", &[serve.endpoint.as_ref(), "firehose".as_ref(), buckets.as_ref()]);
}

#[test]
fn the_aws_cli_fills_and_reads_data_streams() {
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &[]);
    run_client("aws_cli_client.py", &[serve.endpoint.as_ref(), "kinesis".as_ref()]);
}

#[test]
fn the_sdk_for_javascript_uses_both_apis() {
    assert!(clients().join("node_modules/@aws-sdk").is_dir(), "`make tools` installs the SDK for JavaScript");
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &[]);
    let mut node = client("node");
    node.env("PATH", env::var_os("PATH").unwrap_or_default());
    node.arg(clients().join("sdk_client.mjs")).arg(folder.path().join("buckets"));
    succeeds(configured(&mut node, &serve));
}

#[test]
fn a_consumer_reads_a_data_stream() {
    let folder = tempfile::tempdir().unwrap();
    let serve = start(folder.path(), &[]);
    succeeds(configured(client(python()).arg(clients().join("consumer_client.py")), &serve));
}

#[test]
fn powertools_transforms_records() {
    let folder = tempfile::tempdir().unwrap();
    let (python, scripts) = (python(), clients());
    let function = format!(
        "powertools=env 'PYTHONPATH={}' PYTHONDONTWRITEBYTECODE=1 '{}' -m awslambdaric powertools_function.handler",
        scripts.display(),
        python.display(),
    );
    let serve = start(folder.path(), &["--function-map", &function]);
    let buckets = folder.path().join("buckets");
    run_client("powertools_client.py", &[serve.endpoint.as_ref(), buckets.as_ref()]);
}

/// The example starts `clicks serve` itself.
#[test]
fn pytest_starts_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let executable = test_support::executable("clicks");
    let mut pytest = client(python());
    pytest.args(["-m", "pytest", "-p", "no:cacheprovider", "--basetemp"]).arg(folder.path().join("pytest"));
    pytest.arg(clients().join("pytest_example")).env("PATH", Path::new(&executable).parent().unwrap());
    succeeds(&mut pytest);
}

/// Lines of a document without the indentation of a list.
fn unindented(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix("   ").unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn the_documents_quote_these_examples() {
    let guide = unindented(include_str!("../../../../docs/guides/test-locally.md"));
    let readme = include_str!("../../../local-firehose/README.md").to_owned();
    for (name, example, page) in [
        ("app.py", include_str!("../clients/pytest_example/app.py"), &guide),
        ("put.py", include_str!("../clients/pytest_example/put.py"), &guide),
        ("conftest.py", include_str!("../clients/pytest_example/conftest.py"), &guide),
        ("test_orders.py", include_str!("../clients/pytest_example/test_orders.py"), &guide),
        ("rust_sdk.rs", include_str!("rust_sdk.rs"), &readme),
    ] {
        assert!(page.contains(example), "{name} is not quoted");
    }
}
