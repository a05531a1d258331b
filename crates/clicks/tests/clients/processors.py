"""Checks functions and processors for control_client.py."""

import base64
import gzip
import json

from delivery_streams import (
    ACCOUNT,
    FUNCTION,
    REGION,
    ROLE,
    create,
    delete,
    destination,
    extended,
    objects,
    processing,
    processor,
    put,
    refused,
)


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


def check_processors(client, buckets, function_log):
    check_function(client, buckets, function_log)
    check_dynamic_partitioning(client, buckets)
    check_inline_parsing(client, buckets)
    check_refused_queries(client)
    check_decompression_and_delimiter(client, buckets)
    check_deaggregation(client, buckets)
    check_refused_processors(client)
