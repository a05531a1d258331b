//! The AWS SDK for Rust: a data stream that a delivery stream with a function and a consumer read, in the process of the test.

use std::time::Duration;

use aws_sdk_firehose::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_firehose::types::{
    BufferingHints, DeliveryStreamType, ExtendedS3DestinationConfiguration, KinesisStreamSourceConfiguration,
    ProcessingConfiguration, Processor, ProcessorParameter, ProcessorParameterName, ProcessorType,
};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ShardIteratorType, StreamStatus};
use local_firehose::{Server, ServerOptions};
use runtime_api::FunctionSettings;
use test_support::files::objects;
use test_support::stand_in;
use tokio::time::sleep;

const ROLE: &str = "arn:aws:iam::000000000000:role/firehose";

fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

fn kinesis_client(server: &Server) -> aws_sdk_kinesis::Client {
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials());
    aws_sdk_kinesis::Client::from_conf(config.build())
}

fn firehose_client(server: &Server) -> aws_sdk_firehose::Client {
    let config = aws_sdk_firehose::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(server.url())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials());
    aws_sdk_firehose::Client::from_conf(config.build())
}

/// A destination whose function is the stand-in, without waits.
fn destination() -> ExtendedS3DestinationConfiguration {
    let parameter = |name: ProcessorParameterName, value: &str| {
        ProcessorParameter::builder().parameter_name(name).parameter_value(value).build().unwrap()
    };
    let lambda = Processor::builder()
        .r#type(ProcessorType::Lambda)
        .parameters(parameter(
            ProcessorParameterName::LambdaArn,
            "arn:aws:lambda:us-east-1:000000000000:function:stand-in",
        ))
        .parameters(parameter(ProcessorParameterName::BufferSizeInMb, "1"))
        .parameters(parameter(ProcessorParameterName::BufferIntervalInSeconds, "0"));
    ExtendedS3DestinationConfiguration::builder()
        .role_arn(ROLE)
        .bucket_arn("arn:aws:s3:::orders")
        .buffering_hints(BufferingHints::builder().size_in_mbs(1).interval_in_seconds(0).build())
        .processing_configuration(
            ProcessingConfiguration::builder().enabled(true).processors(lambda.build().unwrap()).build(),
        )
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_delivery_stream_and_a_consumer_read_a_data_stream() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = ServerOptions::new(folder.path());
    options.control.functions.insert("stand-in", FunctionSettings::new(stand_in())).unwrap();
    let server = Server::start(options).await.unwrap();
    let (kinesis, firehose) = (kinesis_client(&server), firehose_client(&server));

    kinesis.create_stream().stream_name("orders").shard_count(1).send().await.unwrap();
    let found = kinesis.describe_stream_summary().stream_name("orders").send().await.unwrap();
    let summary = found.stream_description_summary().unwrap();
    assert_eq!(*summary.stream_status(), StreamStatus::Active);

    let source = KinesisStreamSourceConfiguration::builder().kinesis_stream_arn(summary.stream_arn()).role_arn(ROLE);
    let create = firehose.create_delivery_stream().delivery_stream_name("orders");
    let create = create.delivery_stream_type(DeliveryStreamType::KinesisStreamAsSource);
    let create = create.kinesis_stream_source_configuration(source.build().unwrap());
    create.extended_s3_destination_configuration(destination()).send().await.unwrap();

    let records = ["1", "2"]
        .map(|text| PutRecordsRequestEntry::builder().data(Blob::new(text)).partition_key("a").build().unwrap());
    let put = kinesis.put_records().stream_name("orders").set_records(Some(records.into())).send().await.unwrap();
    assert_eq!(put.failed_record_count(), Some(0));

    let shards = kinesis.list_shards().stream_name("orders").send().await.unwrap();
    let iterator = kinesis.get_shard_iterator().stream_name("orders").shard_id(shards.shards()[0].shard_id());
    let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
    let read = kinesis.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
    let texts: Vec<&[u8]> = read.records().iter().map(|record| record.data().as_ref()).collect();
    assert_eq!(texts, [b"1", b"2"]);
    assert_eq!(read.millis_behind_latest(), Some(0));

    // The function ends each record with a new line.
    let bucket = folder.path().join("buckets/orders");
    while objects(&bucket).lines().count() < 2 {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(server.stop().await);
    let stored = objects(&bucket);
    let mut lines: Vec<&str> = stored.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1", "2"]);
}
