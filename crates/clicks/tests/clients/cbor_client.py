"""Calls Kinesis of `clicks serve` with CBOR, which the AWS SDK for Java uses by default.

The SDK itself is not run. The requests are as its generator writes them: maps and arrays without lengths, data as byte strings, times as milliseconds
with the tag 1 (`SdkCborGenerator` and `AwsCborProtocolFactory` of the AWS SDK for Java 2.x).

cbor_client.py ENDPOINT_URL
"""

import http.client
import json
import sys
import time
import urllib.parse

import cbor2

CONTENT_TYPE = "application/x-amz-cbor-1.1"
KINESIS = "Kinesis_20131202"


class Milliseconds(int):
    """The value of the tag 1 in a response."""


def milliseconds(number):
    return cbor2.CBORTag(1, number)


def ask(endpoint_url, target, body):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint_url).netloc)
    connection.request("POST", "/", body, {"Content-Type": CONTENT_TYPE, "X-Amz-Target": target})
    response = connection.getresponse()
    found = response.status, response.headers["Content-Type"], response.read()
    connection.close()
    return found


def ask_kinesis(endpoint_url, operation, body):
    status, content_type, body = ask(endpoint_url, f"{KINESIS}.{operation}", body)
    assert content_type == CONTENT_TYPE, (status, content_type, body)
    # An operation without an output has an empty body.
    return status, cbor2.loads(body, semantic_decoders={1: lambda number, _immutable: Milliseconds(number)}) if body else None


class Client:
    """Reads and writes the data stream `stream`."""

    def __init__(self, endpoint_url, stream, has_lengths):
        self.endpoint_url, self.stream, self.has_lengths = endpoint_url, stream, has_lengths

    def call(self, operation, **members):
        body = cbor2.dumps({"StreamName": self.stream, **members}, indefinite_containers=not self.has_lengths)
        status, output = ask_kinesis(self.endpoint_url, operation, body)
        assert status == 200, output
        return output

    def refused(self, operation, code, *words, **members):
        status, error = ask_kinesis(self.endpoint_url, operation, cbor2.dumps(members))
        assert (status, error["__type"]) == (400, code), error
        assert all(word in error["message"] for word in words), error

    def read(self, **start):
        shard_iterator = self.call("GetShardIterator", ShardId="shardId-000000000000", **start)["ShardIterator"]
        return self.call("GetRecords", ShardIterator=shard_iterator)["Records"]


def is_now(found):
    return isinstance(found, Milliseconds) and abs(found / 1000 - time.time()) < 600


def check_records_and_times(client):
    assert client.call("CreateStream", ShardCount=1, Tags={"Data": "a tag", "Timestamp": "5"}) is None
    described = client.call("DescribeStream")["StreamDescription"]
    assert described["StreamStatus"] == "ACTIVE" and is_now(described["StreamCreationTimestamp"]), described
    [tag, _] = client.call("ListTagsForStream")["Tags"]
    assert tag == {"Key": "Data", "Value": "a tag"}, tag

    # Large ones, and all bytes.
    first, second, third = bytes(range(256)), b"", b"\xff" * 500_000
    client.call("PutRecord", Data=first, PartitionKey="é" * 100)
    time.sleep(0.05)
    records = [{"Data": data, "PartitionKey": "key"} for data in (second, third)]
    put = client.call("PutRecords", Records=records)
    assert put["FailedRecordCount"] == 0 and len(put["Records"]) == 2, put

    read = client.read(ShardIteratorType="TRIM_HORIZON")
    assert [record["Data"] for record in read] == [first, second, third], len(read)
    assert read[0]["PartitionKey"] == "é" * 100 and read[1]["SequenceNumber"] == put["Records"][0]["SequenceNumber"]
    times = [record["ApproximateArrivalTimestamp"] for record in read]
    assert all(map(is_now, times)) and times[0] < times[1] == times[2], times
    for at, expected in [(described["StreamCreationTimestamp"], 3), (times[0], 3), (times[0] + 1, 2), (times[1], 2), (times[1] + 1, 0)]:
        # A later time than now is refused.
        time.sleep(0.01)
        read = client.read(ShardIteratorType="AT_TIMESTAMP", Timestamp=milliseconds(int(at)))
        assert len(read) == expected, (at, times, read)
    shard_filter = {"Type": "AT_TIMESTAMP", "Timestamp": milliseconds(int(times[0]))}
    assert len(client.call("ListShards", ShardFilter=shard_filter)["Shards"]) == 1
    client.call("DeleteStream")


def check_refusals(client):
    client.refused("DescribeStream", "ResourceNotFoundException", "missing", StreamName="missing")
    client.refused("CreateStream", "ValidationException", "shardCount", StreamName="x", ShardCount=0)
    client.refused("CreateStream", "SerializationException", "expected a value of type String", StreamName=5)
    client.refused("CreateStream", "SerializationException", "unexpected type bytes at position 12", StreamName=b"x")
    client.refused("SplitShard", "InvalidArgumentException", "SplitShard")
    client.refused("NoOperation", "UnknownOperationException", "NoOperation")
    for body, word in [
        (b"", "end of input"),
        (b"{}", "end of input"),
        (b"\xa1\x64Data\x5b" + b"\xff" * 8, "end of input"),
        (b"\x9b" + b"\xff" * 8, "end of input"),
        (b"\x81" * 1000, "nested"),
        (b"\xa0\xa0", "more bytes follow the request"),
    ]:
        status, error = ask_kinesis(client.endpoint_url, "PutRecord", body)
        assert (status, error["__type"]) == (400, "SerializationException") and word in error["message"], error

    # More than the largest body when it is JSON.
    body = cbor2.dumps({"StreamName": "x", "PartitionKey": "k", "Data": bytes(18 * 1024 * 1024)})
    status, error = ask_kinesis(client.endpoint_url, "PutRecord", body)
    assert status == 413 and "10 MiB" in error["message"], error

    # Firehose has JSON only.
    status, content_type, body = ask(client.endpoint_url, "Firehose_20150804.ListDeliveryStreams", cbor2.dumps({}))
    error = json.loads(body)
    assert (status, content_type) == (400, "application/x-amz-json-1.1"), (content_type, error)
    assert error["__type"] == "SerializationException" and CONTENT_TYPE in error["message"], error


def main(endpoint_url):
    check_records_and_times(Client(endpoint_url, "java", has_lengths=False))
    check_records_and_times(Client(endpoint_url, "lengths", has_lengths=True))
    check_refusals(Client(endpoint_url, "none", has_lengths=True))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
