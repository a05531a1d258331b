use std::fs;
use std::path::{Path, PathBuf};

use aws_sdk_firehose::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{BufferingHints, ExtendedS3DestinationConfiguration, Record};
use aws_sdk_firehose::{Client, Config};
use local_firehose::{Server, ServerOptions};

/// The first file below a folder.
fn first_file(folder: &Path) -> PathBuf {
    let path = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if path.is_dir() { first_file(&path) } else { path }
}

#[tokio::test]
async fn an_order_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(ServerOptions::new(folder.path())).await.unwrap();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    let firehose = Client::from_conf(config.build());

    let destination = ExtendedS3DestinationConfiguration::builder()
        .role_arn("arn:aws:iam::000000000000:role/firehose")
        .bucket_arn("arn:aws:s3:::orders")
        .buffering_hints(BufferingHints::builder().size_in_mbs(1).interval_in_seconds(900).build());
    let create = firehose.create_delivery_stream().delivery_stream_name("orders");
    create.extended_s3_destination_configuration(destination.build().unwrap()).send().await.unwrap();
    let record = Record::builder().data(Blob::new("{\"total\":12.5}\n")).build().unwrap();
    firehose.put_record().delivery_stream_name("orders").record(record).send().await.unwrap();

    // A stop flushes.
    assert!(server.stop().await);
    let stored = fs::read_to_string(first_file(&folder.path().join("buckets/orders"))).unwrap();
    assert_eq!(stored, "{\"total\":12.5}\n");
}
