"""Shared by the clients of Firehose and of Kinesis."""

import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# With pauses of at most a second: longer than a full backlog or a throttled shard lasts.
MOST_ROUNDS = 120


def new_client(service, endpoint_url):
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="nothing",
        # Without a proxy of the environment.
        config=Config(retries={"mode": "standard", "max_attempts": 5}, proxies={}),
    )


def put_until_accepted(put, records):
    """Puts records, and retries refused ones. `put` returns an entry for each record, and the number of refused ones.

    Returns each record with the entry that accepted it, and the entries of refusals.
    """
    accepted, refused = [], []
    for rounds in range(MOST_ROUNDS):
        entries, failed = put(records)
        assert len(entries) == len(records), (len(entries), len(records))
        again = [(record, entry) for record, entry in zip(records, entries) if "ErrorCode" in entry]
        assert len(again) == failed, failed
        accepted += [(record, entry) for record, entry in zip(records, entries) if "ErrorCode" not in entry]
        refused += [entry for _, entry in again]
        if not again:
            return accepted, refused
        print(f"{len(again)} of {len(records)} records were refused", file=sys.stderr, flush=True)
        records = [record for record, _ in again]
        time.sleep(min(1, 0.05 * 2**rounds))
    raise SystemExit(f"{len(records)} records were refused {MOST_ROUNDS} times")


def error_code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
