import base64
import json


def transform(record):
    """The outcome of one record, by its id: an order gets its total, tests are dropped, and what is no order fails alone."""
    outcome = {"recordId": record["recordId"], "data": record["data"]}
    try:
        order = json.loads(base64.b64decode(record["data"]))
        if order.get("test"):
            return {**outcome, "result": "Dropped"}
        order["total"] = order["price"] * order["quantity"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # The local Firehose shows a line with the record's id as the reason.
        print(json.dumps({"recordId": record["recordId"], "reason": repr(error)}))
        return {**outcome, "result": "ProcessingFailed"}
    line = json.dumps(order) + "\n"
    return {**outcome, "result": "Ok", "data": base64.b64encode(line.encode()).decode()}


def handler(event, context):
    return {"records": [transform(record) for record in event["records"]]}
