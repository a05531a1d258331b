import time

import boto3


def test_an_order_is_stored(buckets):
    firehose = boto3.client("firehose")
    firehose.create_delivery_stream(
        DeliveryStreamName="orders",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "BucketARN": "arn:aws:s3:::orders",
            # Delivers at once.
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        },
    )
    firehose.put_record(DeliveryStreamName="orders", Record={"Data": b'{"total":12.5}\n'})
    # A deletion flushes.
    firehose.delete_delivery_stream(DeliveryStreamName="orders")
    while firehose.list_delivery_streams()["DeliveryStreamNames"]:
        time.sleep(0.05)
    [stored] = [path for path in (buckets / "orders").rglob("*") if path.is_file()]
    assert stored.read_bytes() == b'{"total":12.5}\n'
