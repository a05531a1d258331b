"""Puts records through a Kinesis endpoint with boto3, and checks the responses.

kinesis_client.py ENDPOINT_URL STREAM SHARDS N: one record by PutRecord, then N by PutRecords. Prints one line of JSON with
the result; to standard error, a line for each refusal.
"""

import hashlib
import json
import sys

from client import error_code, new_client, put_until_accepted

# Kinesis Data Streams quotas.
REQUEST_RECORDS = 500
RECORD_BYTES = 1024 * 1024
REQUEST_BYTES = 10 * 1024 * 1024


def check_stream(client, stream, count):
    summary = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["StreamStatus"] == "ACTIVE", summary
    assert summary["StreamARN"].endswith(f":stream/{stream}"), summary
    assert summary["OpenShardCount"] == count, summary
    assert summary["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}, summary
    assert summary["StreamCreationTimestamp"].year >= 2020, summary
    assert client.describe_stream_summary(StreamARN=summary["StreamARN"])["StreamDescriptionSummary"] == summary

    names = [name for page in client.get_paginator("list_streams").paginate(Limit=1) for name in page["StreamNames"]]
    assert stream in names and names == sorted(names), names

    # Not by boto3's paginator: it sends the name along with the token, which Kinesis refuses.
    page = client.list_shards(StreamName=stream, MaxResults=1)
    shards = page["Shards"]
    while "NextToken" in page:
        page = client.list_shards(NextToken=page["NextToken"], MaxResults=1)
        shards += page["Shards"]
    ranges = [(int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"])) for shard in shards]
    assert len(shards) == count, shards
    assert ranges[0][0] == 0 and ranges[-1][1] == 2**128 - 1, ranges
    assert all(end + 1 == start for (_, end), (start, _) in zip(ranges, ranges[1:])), ranges
    return [(shard["ShardId"], *range) for shard, range in zip(shards, ranges)]


def shard_of(shards, partition_key):
    hash_key = int(hashlib.md5(partition_key.encode()).hexdigest(), 16)
    [shard] = [shard for shard, start, end in shards if start <= hash_key <= end]
    return shard


def put_records(client, stream, records):
    """Puts records until each is accepted. Gives where each one is."""

    def put(records):
        response = client.put_records(StreamName=stream, Records=records)
        return response["Records"], response["FailedRecordCount"]

    placed, refused = put_until_accepted(put, records)
    codes = {entry["ErrorCode"] for entry in refused}
    assert codes <= {"ProvisionedThroughputExceededException"}, codes
    return placed


def error_codes(client, stream):
    """The error codes of calls that must fail, and must not put anything."""
    record = {"Data": b"{}\n", "PartitionKey": "key"}
    large = {"Data": b"x" * (RECORD_BYTES + 1), "PartitionKey": "key"}
    whole = {"Data": b"x" * (RECORD_BYTES - 3), "PartitionKey": "key"}
    too_much = [whole] * (REQUEST_BYTES // RECORD_BYTES) + [record]
    provisioned = {"StreamMode": "PROVISIONED"}
    return {
        "unknown_stream": error_code(client.put_record, StreamName="does-not-exist", **record),
        "unknown_stream_described": error_code(client.describe_stream_summary, StreamName="does-not-exist"),
        "stream_name": error_code(client.put_record, StreamName="not a name", **record),
        "no_stream": error_code(client.put_record, **record),
        "large_record": error_code(client.put_record, StreamName=stream, **large),
        "large_record_of_several": error_code(client.put_records, StreamName=stream, Records=[record, large]),
        "record_with_key": error_code(client.put_record, StreamName=stream, Data=b"x" * RECORD_BYTES, PartitionKey="key"),
        "long_key": error_code(client.put_record, StreamName=stream, Data=b"", PartitionKey="k" * 257),
        "hash_key": error_code(client.put_record, StreamName=stream, ExplicitHashKey=str(2**128), **record),
        "many_records": error_code(client.put_records, StreamName=stream, Records=[record] * (REQUEST_RECORDS + 1)),
        "large_request": error_code(client.put_records, StreamName=stream, Records=too_much),
        "dry_run": error_code(client.put_record, StreamName=stream, DryRun=True, **record),
        "no_shard_count": error_code(client.create_stream, StreamName="one-more", StreamModeDetails=provisioned),
    }


EXPECTED_CODES = {
    "unknown_stream": "ResourceNotFoundException",
    "unknown_stream_described": "ResourceNotFoundException",
    "stream_name": "ValidationException",
    "no_stream": "InvalidArgumentException",
    "large_record": "ValidationException",
    "large_record_of_several": "ValidationException",
    "record_with_key": "InvalidArgumentException",
    "long_key": "ValidationException",
    "hash_key": "InvalidArgumentException",
    "many_records": "ValidationException",
    "large_request": "InvalidArgumentException",
    "dry_run": "DryRunOperationException",
    "no_shard_count": "InvalidArgumentException",
}


def main(endpoint_url, stream, shard_count, count):
    def record(number):
        return {"Data": json.dumps({"n": number}).encode() + b"\n", "PartitionKey": f"key-{number}"}

    client = new_client("kinesis", endpoint_url)
    shards = check_stream(client, stream, shard_count)
    codes = error_codes(client, stream)
    assert codes == EXPECTED_CODES, codes

    first = record(0)
    placed = [(first, client.put_record(StreamName=stream, **first))]
    for start in range(1, count + 1, REQUEST_RECORDS):
        records = [record(number) for number in range(start, min(start + REQUEST_RECORDS, count + 1))]
        placed += put_records(client, stream, records)

    for put, entry in placed:
        assert entry["ShardId"] == shard_of(shards, put["PartitionKey"]), (put, entry)
        number = entry["SequenceNumber"]
        assert len(number) == 56 and number.startswith("49") and number.isdecimal(), number
    numbers = [entry["SequenceNumber"] for _, entry in placed]
    distinct = len(set(numbers)) == len(numbers)
    # One call after the other: the numbers of a shard go up.
    for shard, _, _ in shards:
        of_shard = [entry["SequenceNumber"] for _, entry in placed if entry["ShardId"] == shard]
        assert of_shard and of_shard == sorted(of_shard), shard

    print(json.dumps({"records": len(placed), "distinct": distinct, "error_codes": codes}))
    return 0 if len(placed) == count + 1 and distinct else 1


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
