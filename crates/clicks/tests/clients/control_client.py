"""Creates, updates, tags and deletes delivery streams of `clicks serve` with boto3, and checks the responses and the objects.

control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG: all checks. BUCKETS is the folder of `--destination`; the function `stand-in` is mapped.
control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG left: creates a stream with tags, which the next start must have.
control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG found: checks that stream, and deletes it.
"""

import json
import pathlib
import sys

from delivery_streams import (
    FUNCTION,
    ROLE,
    create,
    delete,
    describe,
    destination,
    extended,
    new_client,
    objects,
    processing,
    put,
    refused,
    until,
)
from object_names import check_time_zone_and_extension, check_timestamps
from processors import check_processors


def check_life_of_a_stream(client, buckets):
    create(client, "life")
    found = describe(client, "life")
    assert found["DeliveryStreamStatus"] == "ACTIVE", found
    assert (found["DeliveryStreamType"], found["VersionId"]) == ("DirectPut", "1"), found
    assert found["DeliveryStreamEncryptionConfiguration"] == {"Status": "DISABLED"}, found
    assert found["CreateTimestamp"].year >= 2020 and "LastUpdateTimestamp" not in found, found
    [stored] = found["Destinations"]
    assert stored["DestinationId"] == "destinationId-000000000001", stored
    s3 = {
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::bucket",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
        "CompressionFormat": "UNCOMPRESSED",
        "EncryptionConfiguration": {"NoEncryptionConfig": "NoEncryption"},
        "CloudWatchLoggingOptions": {"Enabled": False},
    }
    assert stored["S3DestinationDescription"] == s3, stored
    processing = {"Enabled": False, "Processors": []}
    expected = {**s3, "ProcessingConfiguration": processing, "S3BackupMode": "Disabled"}
    assert stored["ExtendedS3DestinationDescription"] == expected, stored

    put(client, "life", "one\n", "two\n")
    delete(client, "life")
    assert b"".join(objects(buckets, "bucket")) == b"one\ntwo\n", objects(buckets, "bucket")
    refused(client.delete_delivery_stream, "ResourceNotFoundException", "life", DeliveryStreamName="life")
    # The name is free again.
    create(client, "life")
    delete(client, "life")


def check_deletion_flushes(client, buckets):
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 900}
    create(client, "flushed", BucketARN="arn:aws:s3:::flushed", BufferingHints=hints)
    put(client, "flushed", "late\n")
    assert objects(buckets, "flushed") == []
    delete(client, "flushed")
    assert objects(buckets, "flushed") == [b"late\n"]


def check_older_destination(client, buckets):
    s3 = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::older"}
    client.create_delivery_stream(DeliveryStreamName="older", S3DestinationConfiguration=s3)
    [found] = describe(client, "older")["Destinations"]
    # Firehose's defaults.
    hints = {"SizeInMBs": 5, "IntervalInSeconds": 300}
    assert found["S3DestinationDescription"]["BufferingHints"] == hints, found
    put(client, "older", "a\n")
    delete(client, "older")
    assert objects(buckets, "older") == [b"a\n"]


def check_options_of_the_destination(client, buckets):
    backup = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "source/"}
    logging = {"Enabled": True, "LogGroupName": "/aws/firehose/options", "LogStreamName": "delivery"}
    create(
        client,
        "options",
        BucketARN="arn:aws:s3:::options",
        Prefix="made/",
        ErrorOutputPrefix="bad/",
        CompressionFormat="GZIP",
        CloudWatchLoggingOptions=logging,
        S3BackupMode="Enabled",
        S3BackupConfiguration=backup,
        ProcessingConfiguration=processing(FUNCTION, NumberOfRetries="0", BufferSizeInMBs="0.5", RoleArn=ROLE),
    )
    found = extended(client, "options")
    assert found["CloudWatchLoggingOptions"] == logging, found
    assert found["S3BackupMode"] == "Enabled" and found["S3BackupDescription"]["Prefix"] == "source/", found
    [processor] = found["ProcessingConfiguration"]["Processors"]
    parameters = {entry["ParameterName"]: entry["ParameterValue"] for entry in processor["Parameters"]}
    assert parameters["LambdaArn"] == FUNCTION and parameters["NumberOfRetries"] == "0", parameters
    put(client, "options", '{"n":1}', '{"do":"fail"}')
    delete(client, "options")
    assert objects(buckets, "options/made") == [b'{"n":1}\n'], objects(buckets, "options/made")
    [errors] = objects(buckets, "options/bad")
    error = json.loads(errors)
    assert (error["errorCode"], error["lambdaARN"]) == ("Lambda.ProcessingFailedStatus", FUNCTION), error
    assert b"".join(objects(buckets, "backup/source")) == b'{"n":1}{"do":"fail"}'
    [path] = [path for path in (buckets / "backup/source").rglob("*") if path.is_file()]
    assert not path.name.endswith(".gz"), path
    [path] = [path for path in (buckets / "options/made").rglob("*") if path.is_file()]
    assert path.name.startswith("options-1-") and path.name.endswith(".gz"), path


def check_description_is_accepted(client):
    backup = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::backup", "Prefix": "source/"}
    create(client, "described", S3BackupMode="Enabled", S3BackupConfiguration=backup)
    found = extended(client, "described")
    found["S3BackupConfiguration"] = found.pop("S3BackupDescription")
    found["DataFormatConversionConfiguration"] = {"Enabled": False}
    client.create_delivery_stream(DeliveryStreamName="again", ExtendedS3DestinationConfiguration=found)
    for name in ["described", "again"]:
        delete(client, name)


def check_update(client, buckets):
    create(client, "update", BucketARN="arn:aws:s3:::update", Prefix="one/")
    update = {"DeliveryStreamName": "update", "DestinationId": "destinationId-000000000001"}
    put(client, "update", "1\n")
    until(lambda: objects(buckets, "update/one"))
    client.update_destination(
        **update, CurrentDeliveryStreamVersionId="1", ExtendedS3DestinationUpdate={"Prefix": "two/"}
    )
    found = describe(client, "update")
    assert found["VersionId"] == "2" and found["LastUpdateTimestamp"] >= found["CreateTimestamp"], found
    # Members that are not in the update are retained.
    assert extended(client, "update")["Prefix"] == "two/", found
    assert extended(client, "update")["BufferingHints"] == {"SizeInMBs": 1, "IntervalInSeconds": 0}, found
    client.update_destination(
        **update, CurrentDeliveryStreamVersionId="2", S3DestinationUpdate={"CompressionFormat": "GZIP"}
    )
    put(client, "update", "2\n")
    refused(
        client.update_destination,
        "ConcurrentModificationException",
        "update",
        **update,
        CurrentDeliveryStreamVersionId="2",
        ExtendedS3DestinationUpdate={},
    )
    for change, words in [
        ({"DestinationId": "destinationId-000000000002"}, ["DestinationId"]),
        ({"ExtendedS3DestinationUpdate": {"CompressionFormat": "ZIP"}}, ["ExtendedS3DestinationUpdate.CompressionFormat"]),
        ({"ExtendedS3DestinationUpdate": {"S3BackupMode": "Enabled"}}, ["ExtendedS3DestinationUpdate.S3BackupUpdate"]),
        (
            {"ExtendedS3DestinationUpdate": {"DynamicPartitioningConfiguration": {"Enabled": True}}},
            ["ExtendedS3DestinationUpdate.DynamicPartitioningConfiguration.Enabled"],
        ),
        ({"RedshiftDestinationUpdate": {}}, ["RedshiftDestinationUpdate"]),
        ({"S3DestinationUpdate": {}}, ["Exactly one destination"]),
    ]:
        arguments = {**update, "CurrentDeliveryStreamVersionId": "3", "ExtendedS3DestinationUpdate": {}, **change}
        refused(client.update_destination, "InvalidArgumentException", *words, **arguments)
    refused(
        client.update_destination,
        "ResourceNotFoundException",
        **{**update, "DeliveryStreamName": "nowhere"},
        CurrentDeliveryStreamVersionId="1",
        ExtendedS3DestinationUpdate={},
    )
    delete(client, "update")
    assert (objects(buckets, "update/one"), objects(buckets, "update/two")) == ([b"1\n"], [b"2\n"])
    [path] = [path for path in (buckets / "update/two").rglob("*") if path.is_file()]
    assert path.name.startswith("update-3-") and path.name.endswith(".gz"), path


def check_tags(client):
    create(client, "tags", tags=[{"Key": "b", "Value": "1"}, {"Key": "a"}])
    of_stream = {"DeliveryStreamName": "tags"}
    client.tag_delivery_stream(**of_stream, Tags=[{"Key": "b", "Value": "2"}, {"Key": "c", "Value": ""}])
    page = client.list_tags_for_delivery_stream(**of_stream, Limit=2)
    assert page["Tags"] == [{"Key": "a"}, {"Key": "b", "Value": "2"}] and page["HasMoreTags"], page
    page = client.list_tags_for_delivery_stream(**of_stream, ExclusiveStartTagKey="b")
    assert page["Tags"] == [{"Key": "c", "Value": ""}] and not page["HasMoreTags"], page
    client.untag_delivery_stream(**of_stream, TagKeys=["a", "c", "unknown"])
    assert client.list_tags_for_delivery_stream(**of_stream)["Tags"] == [{"Key": "b", "Value": "2"}]
    many = [{"Key": str(number)} for number in range(50)]
    refused(client.tag_delivery_stream, "LimitExceededException", "50", **of_stream, Tags=many)
    refused(client.tag_delivery_stream, "ValidationException", "tags", **of_stream, Tags=many + [{"Key": "51"}])
    refused(client.tag_delivery_stream, "ValidationException", "tags.1.member.key", **of_stream, Tags=[{"Key": "aws:a"}])
    for call, more in [
        (client.tag_delivery_stream, {"Tags": [{"Key": "a"}]}),
        (client.untag_delivery_stream, {"TagKeys": ["a"]}),
        (client.list_tags_for_delivery_stream, {}),
    ]:
        refused(call, "ResourceNotFoundException", "nowhere", DeliveryStreamName="nowhere", **more)
    delete(client, "tags")


def check_list(client):
    for name in ["list-c", "list-a", "list-b"]:
        create(client, name)
    page = client.list_delivery_streams(Limit=2)
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (["list-a", "list-b"], True), page
    page = client.list_delivery_streams(ExclusiveStartDeliveryStreamName="list-b", DeliveryStreamType="DirectPut")
    assert (page["DeliveryStreamNames"], page["HasMoreDeliveryStreams"]) == (["list-c"], False), page
    assert client.list_delivery_streams(DeliveryStreamType="KinesisStreamAsSource")["DeliveryStreamNames"] == []
    for name in ["list-c", "list-a", "list-b"]:
        delete(client, name)


def check_refusals_of_create(client):
    create(client, "taken")
    refused(
        client.create_delivery_stream,
        "ResourceInUseException",
        "taken",
        DeliveryStreamName="taken",
        ExtendedS3DestinationConfiguration=destination(),
    )
    delete(client, "taken")
    at = "ExtendedS3DestinationConfiguration"
    keys = {"Prefix": "!{partitionKeyFromLambda:k}/", "ErrorOutputPrefix": "e/"}
    for members, field in [
        ({"BucketARN": "arn:aws:s3:::A"}, "BucketARN"),
        ({"Prefix": "!{timestamp:yyyy}/"}, "ErrorOutputPrefix"),
        (keys, "Prefix"),
        ({"CompressionFormat": "Snappy"}, "CompressionFormat"),
        ({"BufferingHints": {"SizeInMBs": 1}}, "BufferingHints"),
        ({"EncryptionConfiguration": {"KMSEncryptionConfig": {}}}, "EncryptionConfiguration.KMSEncryptionConfig"),
        ({"DataFormatConversionConfiguration": {"Enabled": True}}, "DataFormatConversionConfiguration"),
        ({"CustomTimeZone": "Europe/Nowhere"}, "CustomTimeZone"),
        ({"CustomTimeZone": "CET"}, "CustomTimeZone"),
        ({"S3BackupMode": "Enabled"}, "S3BackupConfiguration"),
        ({"DynamicPartitioningConfiguration": {"Enabled": True}}, "DynamicPartitioningConfiguration.Enabled"),
        (
            {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "MetadataExtraction"}]}},
            "ProcessingConfiguration.Processors[0]: MetadataExtraction needs dynamic partitioning",
        ),
        ({"ProcessingConfiguration": processing("stand-in")}, "ProcessingConfiguration.Processors[0].Parameters[0].ParameterValue"),
    ]:
        refused(
            client.create_delivery_stream,
            "InvalidArgumentException",
            f"{at}.{field}",
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration=destination(**members),
        )
    for arguments, field in [
        ({"DeliveryStreamType": "MSKAsSource"}, "DeliveryStreamType"),
        ({"DeliveryStreamType": "KinesisStreamAsSource"}, "KinesisStreamSourceConfiguration"),
        ({"DirectPutSourceConfiguration": {}}, "DirectPutSourceConfiguration"),
        ({"DeliveryStreamEncryptionConfigurationInput": {}}, "DeliveryStreamEncryptionConfigurationInput"),
        ({"RedshiftDestinationConfiguration": {}}, "RedshiftDestinationConfiguration"),
        ({"S3DestinationConfiguration": destination()}, "Exactly one destination"),
    ]:
        refused(
            client.create_delivery_stream,
            "InvalidArgumentException",
            field,
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration=destination(),
            **arguments,
        )
    refused(client.create_delivery_stream, "InvalidArgumentException", DeliveryStreamName="refused")
    for arguments, path in [
        ({}, "deliveryStreamName"),
        ({"DeliveryStreamName": "a b"}, "deliveryStreamName"),
        ({"DeliveryStreamName": "n" * 65}, "deliveryStreamName"),
        (
            {"DeliveryStreamName": "refused", at: {"RoleARN": "role", "BucketARN": "arn:aws:s3:::bucket"}},
            "extendedS3DestinationConfiguration.roleARN",
        ),
        (
            {"DeliveryStreamName": "refused", at: destination(BufferingHints={"SizeInMBs": 129, "IntervalInSeconds": 0})},
            "extendedS3DestinationConfiguration.bufferingHints.sizeInMBs",
        ),
        ({"DeliveryStreamName": "refused", at: {"RoleARN": ROLE}}, "extendedS3DestinationConfiguration.bucketARN"),
        (
            {"DeliveryStreamName": "refused", at: destination(FileExtension="json")},
            "extendedS3DestinationConfiguration.fileExtension",
        ),
        (
            {"DeliveryStreamName": "refused", at: destination(FileExtension="." + "x" * 128)},
            "extendedS3DestinationConfiguration.fileExtension",
        ),
        (
            {"DeliveryStreamName": "refused", at: destination(CustomTimeZone="Etc/GMT+9")},
            "extendedS3DestinationConfiguration.customTimeZone",
        ),
    ]:
        refused(client.create_delivery_stream, "ValidationException", f"'{path}'", **arguments)
    assert client.list_delivery_streams()["DeliveryStreamNames"] == []


def check_all(client, buckets, function_log):
    check_life_of_a_stream(client, buckets)
    check_deletion_flushes(client, buckets)
    check_older_destination(client, buckets)
    check_options_of_the_destination(client, buckets)
    check_description_is_accepted(client)
    check_timestamps(client, buckets)
    check_time_zone_and_extension(client, buckets)
    check_processors(client, buckets, function_log)
    check_update(client, buckets)
    check_tags(client)
    check_list(client)
    check_refusals_of_create(client)


def leave(client):
    create(client, "left", tags=[{"Key": "a", "Value": "1"}], BucketARN="arn:aws:s3:::left")
    client.update_destination(
        DeliveryStreamName="left",
        DestinationId="destinationId-000000000001",
        CurrentDeliveryStreamVersionId="1",
        ExtendedS3DestinationUpdate={"Prefix": "p/", "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900}},
    )
    put(client, "left", "record\n")


def check_left(client, buckets):
    found = describe(client, "left")
    assert (found["VersionId"], found["DeliveryStreamStatus"]) == ("2", "ACTIVE"), found
    assert extended(client, "left")["Prefix"] == "p/", found
    tags = client.list_tags_for_delivery_stream(DeliveryStreamName="left")["Tags"]
    assert tags == [{"Key": "a", "Value": "1"}], tags
    delete(client, "left")
    assert objects(buckets, "left/p") == [b"record\n"], objects(buckets, "left")


def main(endpoint_url, buckets, function_log, what="all"):
    client, buckets = new_client(endpoint_url), pathlib.Path(buckets)
    if what == "all":
        check_all(client, buckets, pathlib.Path(function_log))
    elif what == "left":
        leave(client)
    else:
        check_left(client, buckets)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
