import json
import time

import boto3

# The function `totals` of conftest.py.
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:totals"


def stored(folder):
    """The lines of all objects below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_an_order_is_stored_with_its_total(buckets):
    firehose = boto3.client("firehose")
    parameters = [{"ParameterName": "LambdaArn", "ParameterValue": FUNCTION}]
    firehose.create_delivery_stream(
        DeliveryStreamName="orders",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "BucketARN": "arn:aws:s3:::orders",
            "Prefix": "totals/",
            "ErrorOutputPrefix": "errors/",
            "ProcessingConfiguration": {
                "Enabled": True,
                "Processors": [{"Type": "Lambda", "Parameters": parameters}],
            },
        },
    )
    for data in [b'{"price":4.5,"quantity":2}', b'{"test":true}', b'{"price":4.5}']:
        firehose.put_record(DeliveryStreamName="orders", Record={"Data": data})
    # A deletion delivers what is in the buffers.
    firehose.delete_delivery_stream(DeliveryStreamName="orders")
    while "orders" in firehose.list_delivery_streams()["DeliveryStreamNames"]:
        time.sleep(0.05)
    assert stored(buckets / "orders" / "totals") == [{"price": 4.5, "quantity": 2, "total": 9.0}]
    [error] = stored(buckets / "orders" / "errors")
    assert error["errorCode"] == "Lambda.ProcessingFailedStatus"
