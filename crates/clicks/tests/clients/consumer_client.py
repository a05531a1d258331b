"""Creates, fills and reads a data stream with async-kinesis, which is given the endpoint URL by its environment only.

AWS_ENDPOINT_URL=… AWS_DEFAULT_REGION=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… consumer_client.py
"""

import asyncio

from kinesis import Consumer, Producer

STREAM = "events"
EVENTS = [{"n": number} for number in range(1000)]
# As long as a busy machine may take.
PATIENCE_SECONDS = 120


async def read(count):
    """Reads as many events, of all shards and in any order."""
    found = []
    # It asks an empty shard again after this pause, and each one at most so often a second.
    pauses = {"sleep_time_no_records": 0.1, "shard_fetch_rate": 5, "idle_timeout": PATIENCE_SECONDS}
    async with Consumer(STREAM, record_limit=300, **pauses) as consumer:
        async for event in consumer:
            found.append(event)
            if len(found) == count:
                return sorted(event["n"] for event in found)
    raise AssertionError(f"{len(found)} of {count} events arrived")


async def main():
    async with Producer(STREAM, create_stream=True, create_stream_shards=2, buffer_time=0.1) as producer:
        for event in EVENTS:
            await producer.put(event, partition_key=str(event["n"]))
    numbers = [event["n"] for event in EVENTS]
    # Another consumer has the records, too.
    assert await read(len(EVENTS)) == numbers
    assert await read(len(EVENTS)) == numbers


if __name__ == "__main__":
    asyncio.run(main())
