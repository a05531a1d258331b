"""Manages, fills and reads streams of `clicks serve` with the AWS CLI, which is given an endpoint URL by its environment only.

aws_cli_client.py ENDPOINT_URL firehose BUCKETS: the operations of Firehose. BUCKETS is the folder of `--destination`.
aws_cli_client.py ENDPOINT_URL kinesis: those of Kinesis, with waiters.
"""

import base64
import json
import pathlib
import subprocess
import sys
import time

ROLE = "arn:aws:iam::123456789012:role/firehose"
ARN = "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks"
SETTINGS = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    # The account of ARNs.
    "AWS_ACCESS_KEY_ID": "123456789012",
    "AWS_SECRET_ACCESS_KEY": "nothing",
}
# Nothing listens there.
NOWHERE = "http://127.0.0.1:9"
# As long as a busy machine may take.
PATIENCE_SECONDS = 120


def run(endpoint, *arguments):
    """Runs `aws`, and returns its exit code, its output and its errors. `endpoint` are the variables of the endpoint URL."""
    aws = pathlib.Path(sys.executable).with_name("aws")
    done = subprocess.run([aws, *arguments], env=SETTINGS | endpoint, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return done.returncode, done.stdout, done.stderr


def client(endpoint, service):
    def call(operation, **options):
        arguments = []
        for name, value in options.items():
            arguments.append("--" + name.replace("_", "-"))
            values = value if isinstance(value, list) else [value]
            arguments += [value if isinstance(value, str) else json.dumps(value) for value in values]
        code, output, errors = run(endpoint, service, *operation.split(), *arguments)
        assert code == 0, (operation, errors)
        return json.loads(output) if output else None

    return call


def contents(folder):
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and "#" not in path.name]


def check_firehose(firehose, endpoint, buckets):
    name = {"delivery_stream_name": "clicks"}
    destination = {
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::clicks",
        "Prefix": "one/",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900},
    }
    created = firehose(
        "create-delivery-stream", **name, extended_s3_destination_configuration=destination, tags=["Key=a,Value=1"]
    )
    assert created == {"DeliveryStreamARN": ARN}, created
    found = firehose("describe-delivery-stream", **name)["DeliveryStreamDescription"]
    assert (found["DeliveryStreamStatus"], found["VersionId"]) == ("ACTIVE", "1"), found
    [stored] = found["Destinations"]
    assert stored["ExtendedS3DestinationDescription"]["Prefix"] == "one/", stored
    listed = firehose("list-delivery-streams")
    assert listed == {"DeliveryStreamNames": ["clicks"], "HasMoreDeliveryStreams": False}, listed

    firehose("tag-delivery-stream", **name, tags=["Key=b,Value=2"])
    firehose("untag-delivery-stream", **name, tag_keys=["a"])
    tags = firehose("list-tags-for-delivery-stream", **name)
    assert tags == {"Tags": [{"Key": "b", "Value": "2"}], "HasMoreTags": False}, tags

    # AWS CLI 1 takes text, and version 2 base64.
    put = firehose("put-record", **name, record={"Data": "1\n"})
    assert put["RecordId"] and put["Encrypted"] is False, put
    version, stored_id = found["VersionId"], stored["DestinationId"]
    firehose(
        "update-destination",
        **name,
        current_delivery_stream_version_id=version,
        destination_id=stored_id,
        extended_s3_destination_update={"Prefix": "two/"},
    )
    put = firehose("put-record-batch", **name, records=[{"Data": "2\n"}, {"Data": "3\n"}])
    assert put["FailedPutCount"] == 0 and len(put["RequestResponses"]) == 2, put

    update = ["--current-delivery-stream-version-id", version, "--destination-id", stored_id]
    update += ["--delivery-stream-name", "clicks", "--extended-s3-destination-update", "{}"]
    code, _, errors = run(endpoint, "firehose", "update-destination", *update)
    assert code != 0 and "(ConcurrentModificationException)" in errors, (code, errors)

    firehose("delete-delivery-stream", **name)
    # Its deletion flushes.
    patience = time.monotonic() + PATIENCE_SECONDS
    while firehose("list-delivery-streams")["DeliveryStreamNames"]:
        assert time.monotonic() < patience, "it was not deleted"
    assert contents(buckets / "clicks/one") == [b"1\n"], contents(buckets)
    assert contents(buckets / "clicks/two") == [b"2\n3\n"], contents(buckets)


def check_kinesis(kinesis):
    name = {"stream_name": "orders"}
    kinesis("create-stream", **name, shard_count=1)
    kinesis("wait stream-exists", **name)
    first = kinesis("put-record", **name, partition_key="a", data="1")
    records = [{"Data": text, "PartitionKey": "a"} for text in ("2", "3")]
    put = kinesis("put-records", **name, records=records)
    assert put["FailedRecordCount"] == 0, put

    found = kinesis("describe-stream", **name)["StreamDescription"]
    assert (found["StreamStatus"], found["StreamARN"]) == ("ACTIVE", "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"), found
    [shard] = found["Shards"]
    position = {"shard_id": shard["ShardId"], "shard_iterator_type": "AFTER_SEQUENCE_NUMBER"}
    start = {"starting_sequence_number": first["SequenceNumber"]}
    iterator = kinesis("get-shard-iterator", **name, **position, **start)["ShardIterator"]
    read = kinesis("get-records", shard_iterator=iterator, limit="10")
    assert [base64.b64decode(record["Data"]) for record in read["Records"]] == [b"2", b"3"], read
    assert read["MillisBehindLatest"] == 0 and read["NextShardIterator"], read

    kinesis("delete-stream", **name)
    kinesis("wait stream-not-exists", **name)


def main(endpoint_url, service, buckets=None):
    if service == "firehose":
        endpoint = {"AWS_ENDPOINT_URL": endpoint_url}
        check_firehose(client(endpoint, "firehose"), endpoint, pathlib.Path(buckets))
    else:
        # The variable of the service goes first.
        check_kinesis(client({"AWS_ENDPOINT_URL": NOWHERE, "AWS_ENDPOINT_URL_KINESIS": endpoint_url}, "kinesis"))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
