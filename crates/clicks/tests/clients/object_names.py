"""Checks prefixes and names of objects for control_client.py."""

import datetime

from delivery_streams import create, delete, destination, extended, objects, put, refused, until


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
