"""Puts clicks through a Firehose endpoint with boto3, and checks the responses.

firehose_client.py ENDPOINT_URL STREAM N MYSFITS_JSON: one record by PutRecord, then N by PutRecordBatch. Prints one line of
JSON with the result; to standard error, a line for each refusal.
"""

import json
import sys

from client import error_code, new_client, put_until_accepted

# Amazon Data Firehose quotas.
BATCH_RECORDS = 500
RECORD_BYTES = 1000 * 1024
BATCH_BYTES = 4 * 1024 * 1024


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
    """Puts records until each is accepted. Returns the ids, and the number of refusals."""

    def put(records):
        response = client.put_record_batch(DeliveryStreamName=stream, Records=records)
        return response["RequestResponses"], response["FailedPutCount"]

    accepted, refused = put_until_accepted(put, records)
    return [entry["RecordId"] for _, entry in accepted], len(refused)


def error_codes(client, stream):
    """The error codes of calls that must fail, and must not put anything."""
    record = {"Data": b"{}\n"}
    return {
        "unknown_stream": error_code(client.put_record, DeliveryStreamName="does-not-exist", Record=record),
        "unknown_stream_described": error_code(client.describe_delivery_stream, DeliveryStreamName="does-not-exist"),
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
    "create": "InvalidArgumentException",
}


def main(endpoint_url, stream, count, mysfits):
    with open(mysfits, encoding="utf-8") as file:
        mysfit_ids = [mysfit["mysfitId"] for mysfit in json.load(file)]

    def click(number):
        click = {"userId": f"client-{number}", "mysfitId": mysfit_ids[number % len(mysfit_ids)]}
        return {"Data": json.dumps(click, separators=(",", ":")).encode()}

    client = new_client("firehose", endpoint_url)
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
