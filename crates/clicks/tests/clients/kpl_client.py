"""Puts records that aws_kinesis_agg aggregates, in the format of the Kinesis Producer Library, into a data stream of `clicks serve`.

kpl_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG: BUCKETS is the folder of `--destination`; the function `stand-in` is mapped.
"""

import base64
import json
import pathlib
import sys

from aws_kinesis_agg.aggregator import RecordAggregator
from delivery_streams import FUNCTION, delete, new_client, objects, processing
from data_streams_client import create, create_reader, iterator, remove

# Firehose de-aggregates at most 500 records of one.
TOO_MANY = 501


def aggregated(*records):
    aggregator = RecordAggregator()
    for key, text in records:
        assert aggregator.add_user_record(key, text) is None, "it does not fit into one record"
    _key, _hash_key, data = aggregator.clear_and_get().get_contents()
    return data


def logged_records(function_log):
    lines = [line.removeprefix("saw ") for line in function_log.read_text().splitlines() if line.startswith("saw ")]
    return [record for line in lines for record in json.loads(line)["event"]["records"]]


def check_aggregated_records(kinesis, firehose, buckets, function_log):
    create(kinesis, "kpl")
    create_reader(firehose, "kpl-reader", "kpl", ProcessingConfiguration=processing(FUNCTION))
    records = [(f"key-{number}", json.dumps({"do": "log", "n": number})) for number in range(3)]
    data = aggregated(*records)
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    too_many = aggregated(*[("key", "{}")] * TOO_MANY)

    def put(data):
        return kinesis.put_record(StreamName="kpl", Data=data, PartitionKey="key")["SequenceNumber"]

    number, _, _, _ = put(data), put(damaged), put(too_many), put(too_many)
    # Consumers de-aggregate themselves.
    start = iterator(kinesis, "kpl", ShardIteratorType="TRIM_HORIZON")
    read = [record["Data"] for record in kinesis.get_records(ShardIterator=start)["Records"]]
    assert read == [data, damaged, too_many, too_many], read

    delete(firehose, "kpl-reader")
    seen = logged_records(function_log)
    assert len({record["recordId"] for record in seen}) == len(seen), seen
    metadata = [record["kinesisRecordMetadata"] for record in seen if record["kinesisRecordMetadata"]["sequenceNumber"] == number]
    assert [(found["partitionKey"], found["subsequenceNumber"]) for found in metadata] == [
        ("key-0", 0),
        ("key-1", 1),
        ("key-2", 2),
    ], metadata
    texts = [base64.b64decode(record["data"]).decode() for record in seen[: len(records)]]
    assert texts == [text for _, text in records], texts
    # The function ends each record with a newline. What is not de-aggregated is delivered as it was put.
    delivered = b"".join(objects(buckets, "kpl-reader"))
    lines = "".join(f"{text}\n" for _, text in records).encode()
    for expected in [lines, damaged + b"\n", too_many + b"\n"]:
        assert expected in delivered, (expected, delivered)
    assert len(delivered) == len(lines) + len(damaged) + 2 * len(too_many) + 3, delivered
    remove(kinesis, "kpl")


def main(endpoint_url, buckets, function_log):
    kinesis, firehose = (new_client(endpoint_url, service) for service in ("kinesis", "firehose"))
    check_aggregated_records(kinesis, firehose, pathlib.Path(buckets), pathlib.Path(function_log))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
