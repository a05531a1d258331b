"""Creates, reads, changes and deletes data streams of `clicks serve` with boto3, and lets delivery streams read them.

data_streams_client.py ENDPOINT_URL BUCKETS: all checks. BUCKETS is the folder of `--destination`; `--retention-mb` is 2.
data_streams_client.py ENDPOINT_URL BUCKETS left: creates a data stream with tags and a delivery stream that reads it, for the next start.
data_streams_client.py ENDPOINT_URL BUCKETS found: checks both, and deletes them.
"""

import datetime
import pathlib
import sys

from delivery_streams import ACCOUNT, REGION, ROLE, delete, describe, destination, new_client, objects, refused, until

FIRST_SHARD = "shardId-000000000000"


def arn_of(name):
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def stream_of(kinesis, name):
    return kinesis.describe_stream(StreamName=name)["StreamDescription"]


def create(kinesis, name, shards=1, **members):
    kinesis.create_stream(StreamName=name, ShardCount=shards, **members)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})


def remove(kinesis, name):
    kinesis.delete_stream(StreamName=name)
    kinesis.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})


def put(kinesis, name, *texts):
    records = [{"Data": text.encode(), "PartitionKey": "key"} for text in texts]
    response = kinesis.put_records(StreamName=name, Records=records)
    assert response["FailedRecordCount"] == 0, response
    return [record["SequenceNumber"] for record in response["Records"]]


def iterator(kinesis, name, shard=FIRST_SHARD, **start):
    return kinesis.get_shard_iterator(StreamName=name, ShardId=shard, **start)["ShardIterator"]


def texts(kinesis, shard_iterator):
    return [record["Data"].decode() for record in kinesis.get_records(ShardIterator=shard_iterator)["Records"]]


def create_reader(firehose, name, data_stream, **members):
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": arn_of(data_stream), "RoleARN": ROLE},
        ExtendedS3DestinationConfiguration=destination(BucketARN=f"arn:aws:s3:::{name}", **members),
    )


def check_life_of_a_stream(kinesis):
    create(kinesis, "life", shards=3)
    found = stream_of(kinesis, "life")
    assert (found["StreamStatus"], found["StreamARN"]) == ("ACTIVE", arn_of("life")), found
    assert (found["StreamModeDetails"], found["RetentionPeriodHours"]) == ({"StreamMode": "PROVISIONED"}, 24), found
    assert found["EncryptionType"] == "NONE" and found["StreamCreationTimestamp"].year >= 2020, found
    pages = kinesis.get_paginator("describe_stream").paginate(StreamName="life", PaginationConfig={"PageSize": 2})
    shards = [shard["ShardId"] for page in pages for shard in page["StreamDescription"]["Shards"]]
    assert shards == [f"shardId-{number:012}" for number in range(3)], shards
    summary = kinesis.describe_stream_summary(StreamARN=arn_of("life"))["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 3, summary
    assert kinesis.list_streams()["StreamNames"] == ["life"]
    remove(kinesis, "life")
    for call in [kinesis.describe_stream, kinesis.describe_stream_summary, kinesis.delete_stream]:
        refused(call, "ResourceNotFoundException", "life", StreamName="life")

    # Without a number of shards, and with the name of before.
    kinesis.create_stream(StreamName="life")
    assert len(stream_of(kinesis, "life")["Shards"]) == 4
    remove(kinesis, "life")
    # On demand.
    kinesis.create_stream(StreamName="life", StreamModeDetails={"StreamMode": "ON_DEMAND"})
    assert stream_of(kinesis, "life")["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    remove(kinesis, "life")


def check_tags(kinesis):
    create(kinesis, "tags", Tags={"a": "1"})
    kinesis.add_tags_to_stream(StreamName="tags", Tags={"b": "", "a": "2"})
    page = kinesis.list_tags_for_stream(StreamName="tags", Limit=1)
    assert page["Tags"] == [{"Key": "a", "Value": "2"}] and page["HasMoreTags"], page
    page = kinesis.list_tags_for_stream(StreamName="tags", ExclusiveStartTagKey="a")
    assert page["Tags"] == [{"Key": "b", "Value": ""}] and not page["HasMoreTags"], page
    kinesis.remove_tags_from_stream(StreamName="tags", TagKeys=["a", "unknown"])
    refused(kinesis.remove_tags_from_stream, "InvalidArgumentException", "characters", StreamName="tags", TagKeys=["b!"])
    refused(kinesis.remove_tags_from_stream, "ValidationException", "tagKeys", StreamName="tags", TagKeys=[])
    assert kinesis.list_tags_for_stream(StreamName="tags")["Tags"] == [{"Key": "b", "Value": ""}]
    many = {str(number): "" for number in range(50)}
    refused(kinesis.add_tags_to_stream, "InvalidArgumentException", "50", StreamName="tags", Tags=many)
    remove(kinesis, "tags")


def check_reading(kinesis):
    create(kinesis, "read", shards=2)
    latest = iterator(kinesis, "read", ShardIteratorType="LATEST")
    # MD5 begins with 3c: the first shard.
    first, second, third = put(kinesis, "read", "1", "2", "3")
    for start, expected in [
        ({"ShardIteratorType": "TRIM_HORIZON"}, ["1", "2", "3"]),
        ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": second}, ["2", "3"]),
        ({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": second}, ["3"]),
        ({"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime.datetime(2020, 1, 1)}, ["1", "2", "3"]),
        ({"ShardIteratorType": "LATEST"}, []),
    ]:
        assert texts(kinesis, iterator(kinesis, "read", **start)) == expected, start
    assert texts(kinesis, latest) == texts(kinesis, f'"{latest}"') == ["1", "2", "3"]
    assert texts(kinesis, iterator(kinesis, "read", shard="0", ShardIteratorType="TRIM_HORIZON")) == ["1", "2", "3"]
    at = {"StreamName": "read", "ShardId": FIRST_SHARD, "ShardIteratorType": "LATEST"}
    refused(kinesis.get_shard_iterator, "InvalidArgumentException", "Timestamp", **at, Timestamp=datetime.datetime(2020, 1, 1))
    refused(kinesis.get_shard_iterator, "DryRunOperationException", **at, DryRun=True)

    page = kinesis.get_records(ShardIterator=iterator(kinesis, "read", ShardIteratorType="TRIM_HORIZON"), Limit=2)
    assert [record["SequenceNumber"] for record in page["Records"]] == [first, second], page
    record = page["Records"][0]
    assert record["PartitionKey"] == "key" and record["ApproximateArrivalTimestamp"].year >= 2020, record
    assert page["MillisBehindLatest"] > 0, page
    page = kinesis.get_records(ShardIterator=page["NextShardIterator"], StreamARN=arn_of("read"))
    assert ([record["SequenceNumber"] for record in page["Records"]], page["MillisBehindLatest"]) == ([third], 0), page
    assert texts(kinesis, page["NextShardIterator"]) == []

    kinesis.put_record(StreamName="read", Data=b"4", PartitionKey="key", SequenceNumberForOrdering=third)
    assert texts(kinesis, page["NextShardIterator"]) == ["4"]
    other = {"StreamName": "read", "Data": b"5", "PartitionKey": "key", "SequenceNumberForOrdering": "7"}
    refused(kinesis.put_record, "InvalidArgumentException", "ExclusiveMinimumSequenceNumber 7", **other)
    refused(kinesis.get_records, "InvalidArgumentException", "ShardIterator", ShardIterator="AAAA")
    refused(
        kinesis.get_shard_iterator,
        "ResourceNotFoundException",
        "shardId-000000000002",
        StreamName="read",
        ShardId="shardId-000000000002",
        ShardIteratorType="LATEST",
    )
    remove(kinesis, "read")
    refused(kinesis.get_records, "ResourceNotFoundException", "read", ShardIterator=latest)


def check_retention(kinesis):
    create(kinesis, "kept")
    kinesis.increase_stream_retention_period(StreamName="kept", RetentionPeriodHours=48)
    assert stream_of(kinesis, "kept")["RetentionPeriodHours"] == 48
    for hours, call, word in [
        (24, kinesis.increase_stream_retention_period, "shorter"),
        (72, kinesis.decrease_stream_retention_period, "longer"),
        (23, kinesis.decrease_stream_retention_period, "Minimum"),
        (8761, kinesis.increase_stream_retention_period, "Maximum"),
    ]:
        refused(call, "InvalidArgumentException", word, StreamName="kept", RetentionPeriodHours=hours)
    kinesis.decrease_stream_retention_period(StreamName="kept", RetentionPeriodHours=24)

    # 800 KiB in base64 take more than half of `--retention-mb 2`.
    large = [{"Data": b"x" * 800 * 1024, "PartitionKey": key} for key in "ab"]
    response = kinesis.put_records(StreamName="kept", Records=large)
    assert response["FailedRecordCount"] == 1, response
    failed = response["Records"][1]
    assert failed["ErrorCode"] == "ProvisionedThroughputExceededException", failed
    # The shard's rate of 1 MiB a second, or the memory.
    assert "Rate exceeded" in failed["ErrorMessage"] or "--retention-mb" in failed["ErrorMessage"], failed
    full = {"StreamName": "kept-b", "Data": b"x" * 800 * 1024, "PartitionKey": "a"}
    create(kinesis, "kept-b")
    refused(kinesis.put_record, "ProvisionedThroughputExceededException", "--retention-mb", **full)
    assert len(texts(kinesis, iterator(kinesis, "kept", ShardIteratorType="TRIM_HORIZON"))) == 1
    # A deleted stream makes room.
    remove(kinesis, "kept")

    def accepted():
        try:
            return kinesis.put_record(**full)
        except kinesis.exceptions.ProvisionedThroughputExceededException:
            return None

    until(accepted)
    remove(kinesis, "kept-b")


def check_delivery_streams(kinesis, firehose, buckets):
    create(kinesis, "source", shards=2)
    put(kinesis, "source", "before ")
    create_reader(firehose, "one", "source")
    put(kinesis, "source", "1 ")
    # A delivery stream may have the name of a data stream that it does not read.
    create_reader(firehose, "source", "source")
    until(lambda: objects(buckets, "one"))
    put(kinesis, "source", "2 ")
    found = describe(firehose, "one")
    assert found["DeliveryStreamType"] == "KinesisStreamAsSource", found
    source = found["Source"]["KinesisStreamSourceDescription"]
    assert (source["KinesisStreamARN"], source["RoleARN"]) == (arn_of("source"), ROLE), source
    listed = firehose.list_delivery_streams(DeliveryStreamType="KinesisStreamAsSource")["DeliveryStreamNames"]
    assert listed == ["one", "source"], listed
    record = {"DeliveryStreamName": "one", "Record": {"Data": b"x"}}
    refused(firehose.put_record, "InvalidArgumentException", "KinesisStreamAsSource", **record)
    delete(firehose, "one")
    # The other one reads the rest.
    put(kinesis, "source", "3 ")
    remove(kinesis, "source")
    delete(firehose, "source")
    assert sorted(objects(buckets, "one")) == [b"1 ", b"2 "], objects(buckets, "one")
    assert sorted(b"".join(objects(buckets, "source")).split()) == [b"2", b"3"], objects(buckets, "source")


def check_refusals(kinesis, firehose):
    create(kinesis, "taken")
    refused(kinesis.create_stream, "ResourceInUseException", "taken", StreamName="taken", ShardCount=1)
    for arguments, code, word in [
        ({"StreamName": "x", "ShardCount": 0}, "ValidationException", "shardCount"),
        ({"StreamName": "x", "ShardCount": 501}, "LimitExceededException", "ShardCount"),
        ({"StreamName": "x", "StreamModeDetails": {"StreamMode": "PROVISIONED"}}, "InvalidArgumentException", "ShardCount"),
        ({"StreamName": "x", "ShardCount": 1, "MaxRecordSizeInKiB": 2048}, "InvalidArgumentException", "MaxRecordSizeInKiB: found 2048"),
        ({"StreamName": "x", "ShardCount": 1, "MaxRecordSizeInKiB": -1}, "ValidationException", "maxRecordSizeInKiB"),
        ({"StreamName": "x", "ShardCount": 1, "WarmThroughputMiBps": 5}, "InvalidArgumentException", "WarmThroughputMiBps"),
        ({"StreamName": "x", "ShardCount": 1, "Tags": {}}, "ValidationException", "tags"),
        ({"StreamName": "a b", "ShardCount": 1}, "ValidationException", "streamName"),
    ]:
        refused(kinesis.create_stream, code, word, **arguments)
    of_stream = {"StreamName": "taken"}
    consumer = {"StreamARN": arn_of("taken"), "ConsumerName": "c"}
    encryption = {**of_stream, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"}
    shard = {**of_stream, "ShardToSplit": FIRST_SHARD, "NewStartingHashKey": "5"}
    for call, operation, arguments in [
        (kinesis.split_shard, "SplitShard", shard),
        (kinesis.update_shard_count, "UpdateShardCount", {**of_stream, "TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
        (kinesis.register_stream_consumer, "RegisterStreamConsumer", consumer),
        (kinesis.list_stream_consumers, "ListStreamConsumers", {"StreamARN": arn_of("taken")}),
        (kinesis.start_stream_encryption, "StartStreamEncryption", encryption),
        (kinesis.describe_limits, "DescribeLimits", {}),
        (kinesis.get_resource_policy, "GetResourcePolicy", {"ResourceARN": arn_of("taken")}),
        (kinesis.tag_resource, "TagResource", {"ResourceARN": arn_of("taken"), "Tags": {"a": ""}}),
    ]:
        refused(call, "InvalidArgumentException", operation, **arguments)
    other = arn_of("taken").replace(REGION, "us-west-2")
    for arn, word in [(arn_of("missing"), "missing"), (other, "us-west-2")]:
        refused(
            firehose.create_delivery_stream,
            "InvalidArgumentException",
            "KinesisStreamSourceConfiguration.KinesisStreamARN",
            word,
            DeliveryStreamName="refused",
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": arn, "RoleARN": ROLE},
            ExtendedS3DestinationConfiguration=destination(),
        )
    remove(kinesis, "taken")


def check_all(kinesis, firehose, buckets):
    check_life_of_a_stream(kinesis)
    check_tags(kinesis)
    check_reading(kinesis)
    check_retention(kinesis)
    check_delivery_streams(kinesis, firehose, buckets)
    check_refusals(kinesis, firehose)


def leave(kinesis, firehose):
    create(kinesis, "left", shards=2, Tags={"a": "1"})
    kinesis.increase_stream_retention_period(StreamName="left", RetentionPeriodHours=48)
    # A checkpoint.
    [number] = put(kinesis, "left", "lost")
    kinesis.add_tags_to_stream(StreamName="left", Tags={"checkpoint": number})
    create_reader(firehose, "left-reader", "left")


def check_left(kinesis, firehose, buckets):
    found = stream_of(kinesis, "left")
    assert (len(found["Shards"]), found["RetentionPeriodHours"], found["StreamStatus"]) == (2, 48, "ACTIVE"), found
    [tag, checkpoint] = kinesis.list_tags_for_stream(StreamName="left")["Tags"]
    assert tag == {"Key": "a", "Value": "1"}, tag
    number = checkpoint["Value"]
    record = {"StreamName": "left", "Data": b"record ", "PartitionKey": "key"}
    shard = kinesis.put_record(**record, SequenceNumberForOrdering=number)["ShardId"]
    after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    assert texts(kinesis, iterator(kinesis, "left", shard, **after)) == ["record "], number
    delete(firehose, "left-reader")
    assert objects(buckets, "left-reader") == [b"record "], objects(buckets, "left-reader")
    remove(kinesis, "left")


def main(endpoint_url, buckets, what="all"):
    kinesis, firehose = (new_client(endpoint_url, service) for service in ("kinesis", "firehose"))
    buckets = pathlib.Path(buckets)
    if what == "all":
        check_all(kinesis, firehose, buckets)
    elif what == "left":
        leave(kinesis, firehose)
    else:
        check_left(kinesis, firehose, buckets)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
