"""Puts records through a function of Powertools for AWS Lambda, and checks the objects.

powertools_client.py ENDPOINT_URL BUCKETS: the function `powertools` is `powertools_function.handler`; BUCKETS is the folder of
`--destination`.
"""

import base64
import json
import pathlib
import sys

from delivery_streams import FUNCTION, create, delete, new_client, objects, processing, put


def main(endpoint_url, buckets):
    client, buckets = new_client(endpoint_url), pathlib.Path(buckets)
    create(
        client,
        "orders",
        BucketARN="arn:aws:s3:::orders",
        Prefix="of/!{partitionKeyFromLambda:customer}/",
        ErrorOutputPrefix="bad/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 0},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(FUNCTION.replace("stand-in", "powertools")),
    )
    orders = [{"customer": "a", "n": 1}, {"customer": "b", "n": 2}, {"customer": "a", "test": True}]
    put(client, "orders", *map(json.dumps, orders), "no JSON")
    delete(client, "orders")
    for order in orders[:2]:
        [found] = objects(buckets, f"orders/of/{order['customer']}")
        assert json.loads(found) == {**order, "function": "powertools"}, found
    [line] = objects(buckets, "orders/bad")
    error = json.loads(line)
    assert error["errorCode"] == "Lambda.ProcessingFailedStatus", error
    assert base64.b64decode(error["rawData"]) == b"no JSON", error


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
