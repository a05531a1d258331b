import sys

import boto3

firehose = boto3.client("firehose")
for line in sys.stdin:
    firehose.put_record(DeliveryStreamName="orders", Record={"Data": line})
