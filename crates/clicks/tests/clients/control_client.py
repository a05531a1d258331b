"""Creates, updates, tags and deletes delivery streams of `clicks serve` with boto3, and checks the responses and the objects.

control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG: all checks. BUCKETS is the folder of `--destination`; the function `stand-in` is mapped.
control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG left: creates a stream with tags, which the next start must have.
control_client.py ENDPOINT_URL BUCKETS FUNCTION_LOG found: checks that stream, and deletes it.
"""

import base64
import datetime
import gzip
import json
import pathlib
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "eu-west-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:stand-in"
# As long as a busy machine may take.
PATIENCE_SECONDS = 120


def new_client(endpoint_url, service="firehose"):
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        # The account of ARNs.
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="nothing",
        # Without a proxy of the environment. The server validates, not the client.
        config=Config(retries={"max_attempts": 0}, proxies={}, parameter_validation=False),
    )


def until(found):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def destination(**members):
    """An extended destination that delivers at once."""
    hints = {"SizeInMBs": 1, "IntervalInSeconds": 0}
    return {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::bucket", "BufferingHints": hints, **members}


def processor(kind, **parameters):
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": parameters}


def processing(arn, *processors, **parameters):
    values = {"LambdaArn": arn, "BufferSizeInMBs": "1", "BufferIntervalInSeconds": "0", **parameters}
    return {"Enabled": True, "Processors": [processor("Lambda", **values), *processors]}


def create(client, name, tags=None, **members):
    more = {"Tags": tags} if tags else {}
    arn = client.create_delivery_stream(
        DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination(**members), **more
    )["DeliveryStreamARN"]
    assert arn == f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{name}", arn


def describe(client, name):
    return client.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]


def extended(client, name):
    [found] = describe(client, name)["Destinations"]
    return found["ExtendedS3DestinationDescription"]


def put(client, name, *texts):
    records = [{"Data": text.encode() if isinstance(text, str) else text} for text in texts]
    response = client.put_record_batch(DeliveryStreamName=name, Records=records)
    assert response["FailedPutCount"] == 0, response


def delete(client, name):
    """Waits until it is gone. Its records are stored by then."""
    client.delete_delivery_stream(DeliveryStreamName=name)

    def gone():
        try:
            status = describe(client, name)["DeliveryStreamStatus"]
        except client.exceptions.ResourceNotFoundException:
            return True
        assert status == "DELETING", status
        return False

    until(gone)


def objects(buckets, prefix):
    """The contents of the objects below a prefix."""
    files = sorted(path for path in (buckets / prefix).rglob("*") if path.is_file() and "#" not in path.name)
    contents = [path.read_bytes() for path in files]
    return [gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content for content in contents]


def refused(call, code, *words, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, (found, code)
        assert all(word in found["Message"] for word in words), (found, words)
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
        return found["Message"]
    raise AssertionError(f"{arguments} was accepted")


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


def java_week(day):
    """`YYYY-ww` in the US locale: a week begins on Sunday, and week 1 has January 1."""
    saturday = day + datetime.timedelta(days=(5 - day.weekday()) % 7)
    return f"{saturday.year}-{(saturday.timetuple().tm_yday + 6) // 7:02}"


def check_timestamps(client, buckets):
    today = lambda: datetime.datetime.now(datetime.timezone.utc).date()
    create(
        client,
        "weeks",
        BucketARN="arn:aws:s3:::weeks",
        Prefix="!{timestamp:YYYY-ww}/",
        ErrorOutputPrefix="!{firehose:error-output-type}/!{timestamp:YYYY}/",
    )
    days = [today()]
    put(client, "weeks", "a\n")
    days.append(today())
    delete(client, "weeks")
    [folder] = (buckets / "weeks").iterdir()
    assert folder.name in [java_week(day) for day in days], folder
    message = refused(
        client.create_delivery_stream,
        "InvalidArgumentException",
        "ExtendedS3DestinationConfiguration.Prefix: ",
        DeliveryStreamName="refused",
        ExtendedS3DestinationConfiguration=destination(Prefix="!{timestamp:yyyy/QQ}/", ErrorOutputPrefix="bad/"),
    )
    # The cause is named once.
    assert message.count("`Q` is not known") == 1, message


def check_time_zone_and_extension(client, buckets):
    create(
        client,
        "names",
        BucketARN="arn:aws:s3:::names",
        Prefix="p/",
        CompressionFormat="GZIP",
        CustomTimeZone="Asia/Tokyo",
        FileExtension=".json",
    )
    found = extended(client, "names")
    assert (found["CustomTimeZone"], found["FileExtension"]) == ("Asia/Tokyo", ".json"), found
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    times = [datetime.datetime.now(tokyo)]
    put(client, "names", "a\n")
    until(lambda: objects(buckets, "names/p"))
    times.append(datetime.datetime.now(tokyo))
    files = [path for path in (buckets / "names/p").rglob("*") if path.is_file()]
    # The folders of the prefix, and the time in the name.
    hours = [f"p/{time:%Y/%m/%d/%H}/names-1-{time:%Y-%m-%d-%H}-" for time in times]
    [path] = files
    assert any(hour in str(path) for hour in hours) and path.suffixes == [".json"], path
    assert objects(buckets, "names/p") == [b"a\n"]

    # Empty texts restore the defaults.
    client.update_destination(
        DeliveryStreamName="names",
        DestinationId="destinationId-000000000001",
        CurrentDeliveryStreamVersionId="1",
        ExtendedS3DestinationUpdate={"CustomTimeZone": "", "FileExtension": "", "Prefix": "q/"},
    )
    times = [datetime.datetime.now(datetime.timezone.utc)]
    put(client, "names", "b\n")
    times.append(datetime.datetime.now(datetime.timezone.utc))
    delete(client, "names")
    [path] = [path for path in (buckets / "names/q").rglob("*") if path.is_file()]
    assert any(f"q/{time:%Y/%m/%d/%H}/names-2-" in str(path) for time in times) and path.suffix == ".gz", path


def check_function(client, buckets, function_log):
    create(client, "function", BucketARN="arn:aws:s3:::function", ProcessingConfiguration=processing(FUNCTION))
    put(client, "function", '{"do":"log"}')
    delete(client, "function")
    lines = [line.removeprefix("saw ") for line in function_log.read_text().splitlines() if line.startswith("saw ")]
    saw = json.loads(lines[-1])
    arn = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/function"
    assert (saw["event"]["deliveryStreamArn"], saw["event"]["region"]) == (arn, REGION), saw
    assert saw["function_arn"] == FUNCTION, saw
    names = [saw["env"]["AWS_LAMBDA_FUNCTION_NAME"], saw["env"]["AWS_REGION"]]
    assert names == ["stand-in", REGION], names

    missing = FUNCTION.replace("stand-in", "missing")
    create(client, "missing", BucketARN="arn:aws:s3:::missing", ProcessingConfiguration=processing(missing))
    put(client, "missing", "kept")
    delete(client, "missing")
    [line] = objects(buckets, "missing/processing-failed")
    error = json.loads(line)
    found = (error["errorCode"], error["attemptsMade"], error["lambdaARN"], error["rawData"])
    assert found == ("Lambda.ResourceNotFound", 4, missing, "a2VwdA=="), error


def check_dynamic_partitioning(client, buckets):
    create(
        client,
        "partitions",
        BucketARN="arn:aws:s3:::partitions",
        Prefix="by/!{partitionKeyFromLambda:k}/",
        ErrorOutputPrefix="bad/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 0},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(FUNCTION),
    )
    partitioning = {"Enabled": True, "RetryOptions": {"DurationInSeconds": 300}}
    assert extended(client, "partitions")["DynamicPartitioningConfiguration"] == partitioning
    put(client, "partitions", '{"do":"partition","keys":{"k":"a"}}', '{"do":"partition","keys":{"k":"b"}}')
    delete(client, "partitions")
    for key in "ab":
        [found] = objects(buckets, f"partitions/by/{key}")
        assert json.loads(found)["keys"] == {"k": key}, found


def extraction(query, engine="JQ-1.6"):
    return processor("MetadataExtraction", MetadataExtractionQuery=query, JsonParsingEngine=engine)


def by_query(prefix, *processors):
    return {
        "Prefix": prefix,
        "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900},
        "DynamicPartitioningConfiguration": {"Enabled": True},
        "ProcessingConfiguration": {"Enabled": True, "Processors": list(processors)},
    }


def check_inline_parsing(client, buckets):
    processors = [
        extraction('{customer:.customer_id, device:.type.device, year:.event_timestamp| strftime("%Y")}'),
        processor("RecordDeAggregation", SubRecordType="JSON"),
        processor("AppendDelimiterToRecord", Delimiter="\\n"),
    ]
    prefix = "c=!{partitionKeyFromQuery:customer}/d=!{partitionKeyFromQuery:device}/y=!{partitionKeyFromQuery:year}/"
    create(client, "query", BucketARN="arn:aws:s3:::query", **by_query(prefix, *processors))
    assert extended(client, "query")["ProcessingConfiguration"]["Processors"] == processors
    record = lambda customer, device: json.dumps(
        {"customer_id": customer, "type": {"device": device}, "event_timestamp": 1565382027}
    )
    put(client, "query", record("1234567890", "mobile") + record(7, "tv"), record("1234567890", "mobile"))
    put(client, "query", record("", "tv") + record("a", None), '{"customer_id":"a"}')
    delete(client, "query")
    [found] = objects(buckets, "query/c=1234567890/d=mobile/y=2019")
    assert found.decode() == (record("1234567890", "mobile") + "\n") * 2, found
    [found] = objects(buckets, "query/c=7/d=tv/y=2019")
    assert found.decode() == record(7, "tv") + "\n", found
    [lines] = objects(buckets, "query/bad/partitioning-failed")
    errors = [json.loads(line) for line in lines.splitlines()]
    assert {error["errorCode"] for error in errors} == {"DynamicPartitioning.MetadataExtractionFailed"}, errors
    raw = sorted(base64.b64decode(error["rawData"]).decode() for error in errors)
    assert raw == sorted([record("", "tv"), record("a", None), '{"customer_id":"a"}']), raw

    # The query gets what the function returned.
    prefix = "by/!{partitionKeyFromLambda:k}/!{partitionKeyFromQuery:n}/"
    members = by_query(prefix, *processing(FUNCTION, extraction("{n:.n}"))["Processors"])
    create(client, "query", BucketARN="arn:aws:s3:::both", **members)
    put(client, "query", '{"do":"partition","keys":{"k":"a"},"n":1}', '{"do":"partition","keys":{"k":"a"}}', "no JSON")
    # An update replaces the query.
    client.update_destination(
        DeliveryStreamName="query",
        DestinationId="destinationId-000000000001",
        CurrentDeliveryStreamVersionId="1",
        ExtendedS3DestinationUpdate={
            "Prefix": "by/!{partitionKeyFromQuery:m}/",
            "ProcessingConfiguration": {"Enabled": True, "Processors": [extraction("{m:.n|tostring}")]},
        },
    )
    put(client, "query", '{"n":2}')
    delete(client, "query")
    [found] = objects(buckets, "both/by/a/1")
    assert json.loads(found)["n"] == 1, found
    assert objects(buckets, "both/by/2") == [b'{"n":2}']
    errors = [json.loads(line) for content in objects(buckets, "both/bad") for line in content.splitlines()]
    codes = {base64.b64decode(error["rawData"]).decode(): error["errorCode"] for error in errors}
    assert codes['{"do":"partition","keys":{"k":"a"}}'] == "DynamicPartitioning.MetadataExtractionFailed", codes
    assert len(codes) == 2, codes


def check_refused_queries(client):
    at = "ExtendedS3DestinationConfiguration"
    value = f"{at}.ProcessingConfiguration.Processors[0].Parameters[0].ParameterValue"
    prefix = "!{partitionKeyFromQuery:a}/"
    for members, words in [
        (by_query(prefix, extraction("{a:.b")), [value, "expected closing brace"]),
        (by_query(prefix, extraction(".b")), [value, "accepted is an object"]),
        # Firehose has jq 1.6.
        (by_query(prefix, extraction('{a:.b // "c"}')), [value, "jq 1.6 accepts `//` in a value only in parentheses"]),
        (by_query(prefix, extraction("{a:(def f: f; f)}")), [value, "`def` is not supported"]),
        (by_query(prefix, extraction("{a:range(1e9)}")), [value, "`range` is not supported"]),
        (by_query(prefix, extraction("{a:" + "(" * 2000 + ".b" + ")" * 2000 + "}")), [value, "2001 brackets"]),
        (
            by_query(prefix, extraction("{a:.b}", engine="JQ-1.7")),
            [f"{at}.ProcessingConfiguration.Processors[0].Parameters[1].ParameterValue", "accepted is JQ-1.6"],
        ),
        (by_query("p/", extraction("{a:.b}")), [f"{at}.Prefix", "`!{partitionKeyFromQuery:a}` is missing"]),
        (
            by_query(prefix + "!{partitionKeyFromQuery:b}/", extraction("{a:.b}")),
            [f"{at}.Prefix", "`!{partitionKeyFromQuery:b}` is not a key of the MetadataExtractionQuery"],
        ),
        (
            by_query(prefix + "!{partitionKeyFromLambda:b}/", extraction("{a:.b}")),
            [f"{at}.Prefix", "`!{partitionKeyFromLambda:b}` needs a processor of type Lambda"],
        ),
        (by_query(prefix), [f"{at}.ProcessingConfiguration.Processors"]),
    ]:
        refused(
            client.create_delivery_stream,
            "InvalidArgumentException",
            *words,
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration=destination(**members),
        )


def check_decompression_and_delimiter(client, buckets):
    processors = [
        processor("AppendDelimiterToRecord", Delimiter="\\n"),
        processor("Decompression", CompressionFormat="GZIP"),
    ]
    create(
        client,
        "logs",
        BucketARN="arn:aws:s3:::logs",
        Prefix="made/",
        ErrorOutputPrefix="bad/!{firehose:error-output-type}/",
        S3BackupMode="Enabled",
        S3BackupConfiguration={"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::logs", "Prefix": "source/"},
        ProcessingConfiguration={"Enabled": True, "Processors": processors},
    )
    assert extended(client, "logs")["ProcessingConfiguration"]["Processors"] == processors
    compressed = gzip.compress(b'{"messageType":"DATA_MESSAGE"}')
    put(client, "logs", compressed, "plain")
    delete(client, "logs")
    assert objects(buckets, "logs/made") == [b'{"messageType":"DATA_MESSAGE"}\n'], objects(buckets, "logs/made")
    [line] = objects(buckets, "logs/bad/decompression-failed")
    assert base64.b64decode(json.loads(line)["rawData"]) == b"plain", line
    # The backup is as it was put.
    stored = b"".join(path.read_bytes() for path in (buckets / "logs/source").rglob("*") if path.is_file())
    assert stored == compressed + b"plain", stored

    # The function gets the decompressed record, and the error output the compressed one.
    create(
        client,
        "logs",
        BucketARN="arn:aws:s3:::later",
        Prefix="made/",
        ErrorOutputPrefix="bad/",
        ProcessingConfiguration=processing(FUNCTION, *processors),
    )
    compressed = gzip.compress(b'{"do":"fail"}')
    put(client, "logs", gzip.compress(b'{"n":1}'), compressed)
    delete(client, "logs")
    # The function ends each record with a new line of its own.
    assert objects(buckets, "later/made") == [b'{"n":1}\n\n'], objects(buckets, "later/made")
    [line] = objects(buckets, "later/bad")
    assert base64.b64decode(json.loads(line)["rawData"]) == compressed, line


def check_deaggregation(client, buckets):
    record = lambda key: json.dumps({"do": "partition", "keys": {"k": key}})
    for name, sub_record_type, text in [
        ("json", {"SubRecordType": "JSON"}, record("a") + record("b") + "\n" + record("a")),
        (
            "delimited",
            {"SubRecordType": "DELIMITED", "Delimiter": base64.b64encode(b"####").decode()},
            f"{record('a')}####{record('b')}####{record('a')}####",
        ),
    ]:
        create(
            client,
            name,
            BucketARN=f"arn:aws:s3:::{name}",
            Prefix="by/!{partitionKeyFromLambda:k}/",
            ErrorOutputPrefix="bad/!{firehose:error-output-type}/",
            BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 900},
            DynamicPartitioningConfiguration={"Enabled": True},
            ProcessingConfiguration=processing(FUNCTION, processor("RecordDeAggregation", **sub_record_type)),
        )
        put(client, name, text)
        delete(client, name)
        for key, count in [("a", 2), ("b", 1)]:
            [found] = objects(buckets, f"{name}/by/{key}")
            assert [json.loads(line)["keys"] for line in found.splitlines()] == [{"k": key}] * count, found
        assert objects(buckets, f"{name}/bad") == []
    create(
        client,
        "aggregated",
        BucketARN="arn:aws:s3:::aggregated",
        Prefix="by/!{partitionKeyFromLambda:k}/",
        ErrorOutputPrefix="bad/!{firehose:error-output-type}/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 0},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration=processing(FUNCTION, processor("RecordDeAggregation", SubRecordType="JSON")),
    )
    put(client, "aggregated", "[{}]")
    delete(client, "aggregated")
    [line] = objects(buckets, "aggregated/bad/partitioning-failed")
    assert base64.b64decode(json.loads(line)["rawData"]) == b"[{}]", line


def check_refused_processors(client):
    at = "ExtendedS3DestinationConfiguration"
    gzip_of = lambda format: processor("Decompression", CompressionFormat=format)
    deaggregation = lambda **parameters: processor("RecordDeAggregation", **parameters)
    with_lambda = lambda *processors: processing(FUNCTION, *processors)["Processors"]
    for processors, field in [
        ([], "Processors"),
        ([gzip_of("GZIP")] * 6, "Processors"),
        ([gzip_of("GZIP")] * 2, "Processors[1]"),
        ([gzip_of("ZIP")], "Processors[0].Parameters[0].ParameterValue"),
        ([processor("CloudWatchLogProcessing", DataMessageExtraction="true")], "Processors[0].Type"),
        ([processor("AppendDelimiterToRecord", Delimiter="\\x")], "Processors[0].Parameters[0].ParameterValue"),
        ([deaggregation(SubRecordType="JSON")], "Processors[0]: RecordDeAggregation needs dynamic partitioning"),
        ([processor("Lambda", LambdaArn=FUNCTION, BufferSizeInMBs="1")], "Processors[0].Parameters"),
    ]:
        refused(
            client.create_delivery_stream,
            "InvalidArgumentException",
            f"{at}.ProcessingConfiguration.{field}",
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration=destination(
                ProcessingConfiguration={"Enabled": True, "Processors": processors}
            ),
        )
    for processors, field in [
        (with_lambda(deaggregation(SubRecordType="XML")), "Processors[1].Parameters[0].ParameterValue"),
        (with_lambda(deaggregation(SubRecordType="DELIMITED")), "Processors[1].Parameters"),
        (
            with_lambda(deaggregation(SubRecordType="DELIMITED", Delimiter="####")),
            "Processors[1].Parameters[1].ParameterValue",
        ),
    ]:
        refused(
            client.create_delivery_stream,
            "InvalidArgumentException",
            f"{at}.ProcessingConfiguration.{field}",
            DeliveryStreamName="refused",
            ExtendedS3DestinationConfiguration=destination(
                Prefix="by/!{partitionKeyFromLambda:k}/",
                ErrorOutputPrefix="bad/",
                BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 0},
                DynamicPartitioningConfiguration={"Enabled": True},
                ProcessingConfiguration={"Enabled": True, "Processors": processors},
            ),
        )


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
            {"DynamicPartitioningConfiguration": {"RetryOptions": {"DurationInSeconds": 5}}},
            "DynamicPartitioningConfiguration.RetryOptions",
        ),
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
    check_function(client, buckets, function_log)
    check_dynamic_partitioning(client, buckets)
    check_inline_parsing(client, buckets)
    check_refused_queries(client)
    check_decompression_and_delimiter(client, buckets)
    check_deaggregation(client, buckets)
    check_refused_processors(client)
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
