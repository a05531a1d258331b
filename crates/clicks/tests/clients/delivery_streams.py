"""Shared by the clients that create delivery streams of `clicks serve`."""

import gzip
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "eu-west-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:stand-in"
# As long as a busy machine may take.
PATIENCE_SECONDS = 120


def new_client(endpoint_url, service="firehose"):
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        # The account of ARNs.
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="nothing",
        # Without a proxy of the environment. The server validates, not the client.
        config=Config(retries={"max_attempts": 0}, proxies={}, parameter_validation=False),
    )


def until(found):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def destination(**members):
    """An extended destination that delivers at once."""
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 0}
    return {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket", "BufferingHints": hints, **members}


def processor(kind, **parameters):
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": parameters}


def processing(arn, *processors, **parameters):
    values = {"LambdaArn": arn, "BufferSizeInMBs": "1", "BufferIntervalInSeconds": "0", **parameters}
    return {"Enabled": True, "Processors": [processor("Lambda", **values), *processors]}


def create(client, name, tags=None, **members):
    more = {"Tags": tags} if tags else {}
    arn = client.create_delivery_stream(
        DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination(**members), **more
    )["DeliveryStreamARN"]
    assert arn == f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}", arn


def describe(client, name):
    return client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]


def extended(client, name):
    [found] = describe(client, name)["Destinations"]
    return found["ExtendedS3DestinationDescription"]


def put(client, name, *texts):
    records = [{"Data": text.encode() if isinstance(text, str) else text} for text in texts]
    response = client.put_record_batch(DeliveryStreamName=name, Records=records)
    assert response["FailedPutCount"] == 0, response


def delete(client, name):
    """Waits until it is gone. Its records are stored by then."""
    client.delete_delivery_stream(DeliveryStreamName=name)

    def gone():
        try:
            status = describe(client, name)["DeliveryStreamStatus"]
        except client.exceptions.ResourceNotFoundException:
            return True
        assert status == "DELETING", status
        return False

    until(gone)


def objects(buckets, prefix):
    """The contents of the objects below a prefix."""
    files = sorted(path for path in (buckets / prefix).rglob("*") if path.is_file() and "#" not in path.name)
    contents = [path.read_bytes() for path in files]
    return [gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content for content in contents]


def refused(call, code, *words, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, (found, code)
        assert all(word in found["Message"] for word in words), (found, words)
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
        return found["Message"]
    raise AssertionError(f"{arguments} was accepted")
