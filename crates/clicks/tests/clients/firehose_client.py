"""Puts clicks through a Firehose endpoint with boto3, as a producer does, and checks what the client gets to see.

firehose_client.py ENDPOINT_URL STREAM N MYSFITS_JSON: one record by PutRecord, then N by PutRecordBatch. Prints one line of
JSON that says what was done; to standard error, each time that records are refused.
"""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Amazon Data Firehose quotas.
BATCH_RECORDS = 500
RECORD_BYTES = 1000 * 1024
BATCH_BYTES = 4 * 1024 * 1024

# With pauses of at most a second: longer than a full backlog lasts.
MOST_ROUNDS = 120


def new_client(endpoint_url):
    return boto3.client(
        "firehose",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        # A proxy of the environment must not get in between.
        config=Config(retries={"mode": "standard", "max_attempts": 5}, proxies={}),
    )


def check_stream(client, stream):
    names, after = [], {}
    while True:
        page = client.list_delivery_streams(Limit=1, **after)
        names += page["DeliveryStreamNames"]
        if not page["HasMoreDeliveryStreams"]:
            break
        after = {"ExclusiveStartDeliveryStreamName": names[-1]}
    assert stream in names, names
    assert names == sorted(names), names

    description = client.describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    assert description["DeliveryStreamName"] == stream, description
    assert description["DeliveryStreamStatus"] == "ACTIVE", description
    assert description["DeliveryStreamARN"].endswith(f":deliverystream/{stream}"), description
    assert description["CreateTimestamp"].year >= 2020, description
    [destination] = description["Destinations"]
    assert "BucketARN" in destination["ExtendedS3DestinationDescription"], destination
    return names


def put_batch(client, stream, records):
    """Puts records until each is accepted, and only those again that failed. Gives the ids, and how often one failed."""
    ids, failed = [], 0
    for rounds in range(MOST_ROUNDS):
        answer = client.put_record_batch(DeliveryStreamName=stream, Records=records)
        entries = answer["RequestResponses"]
        assert len(entries) == len(records), (len(entries), len(records))
        again = [record for record, entry in zip(records, entries) if "ErrorCode" in entry]
        assert len(again) == answer["FailedPutCount"], answer["FailedPutCount"]
        ids += [entry["RecordId"] for entry in entries if "ErrorCode" not in entry]
        failed += len(again)
        if not again:
            return ids, failed
        print(f"{len(again)} of {len(records)} records were refused", file=sys.stderr, flush=True)
        records = again
        time.sleep(min(1, 0.05 * 2**rounds))
    raise SystemExit(f"{len(records)} records were refused {MOST_ROUNDS} times")


def error_code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def error_codes(client, stream):
    """What the client sees of calls that must fail, and may not put anything in."""
    record = {"Data": b"{}\n"}
    return {
        "unknown_stream": error_code(client.put_record, DeliveryStreamName="nobody-made-this", Record=record),
        "unknown_stream_described": error_code(client.describe_delivery_stream, DeliveryStreamName="nobody-made-this"),
        "stream_name": error_code(client.put_record, DeliveryStreamName="not a name", Record=record),
        "large_record": error_code(
            client.put_record, DeliveryStreamName=stream, Record={"Data": b"x" * (RECORD_BYTES + 1)}
        ),
        "large_record_in_batch": error_code(
            client.put_record_batch, DeliveryStreamName=stream, Records=[record, {"Data": b"x" * (RECORD_BYTES + 1)}]
        ),
        "many_records": error_code(
            client.put_record_batch, DeliveryStreamName=stream, Records=[record] * (BATCH_RECORDS + 1)
        ),
        "large_batch": error_code(
            client.put_record_batch, DeliveryStreamName=stream, Records=[{"Data": b"x" * (BATCH_BYTES // 5 + 1)}] * 5
        ),
        "create": error_code(client.create_delivery_stream, DeliveryStreamName="one-more"),
    }


EXPECTED_CODES = {
    "unknown_stream": "ResourceNotFoundException",
    "unknown_stream_described": "ResourceNotFoundException",
    "stream_name": "ValidationException",
    "large_record": "ValidationException",
    "large_record_in_batch": "ValidationException",
    "many_records": "ValidationException",
    "large_batch": "InvalidArgumentException",
    "create": "UnknownOperationException",
}


def main(endpoint_url, stream, count, mysfits):
    with open(mysfits, encoding="utf-8") as file:
        mysfit_ids = [mysfit["mysfitId"] for mysfit in json.load(file)]

    def click(number):
        click = {"userId": f"client-{number}", "mysfitId": mysfit_ids[number % len(mysfit_ids)]}
        return {"Data": json.dumps(click, separators=(",", ":")).encode()}

    client = new_client(endpoint_url)
    streams = check_stream(client, stream)
    codes = error_codes(client, stream)
    assert codes == EXPECTED_CODES, codes

    ids = [client.put_record(DeliveryStreamName=stream, Record=click(0))["RecordId"]]
    failed = 0
    for start in range(1, count + 1, BATCH_RECORDS):
        records = [click(number) for number in range(start, min(start + BATCH_RECORDS, count + 1))]
        new_ids, new_failed = put_batch(client, stream, records)
        ids += new_ids
        failed += new_failed

    done = {
        "streams": streams,
        "records": len(ids),
        "failed_put_count": failed,
        "ids_distinct": len(set(ids)) == len(ids),
        "error_codes": codes,
    }
    print(json.dumps(done))
    return 0 if len(ids) == count + 1 and done["ids_distinct"] else 1


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
