"""A transformation with Powertools for AWS Lambda (Python). `awslambdaric` runs it: python -m awslambdaric powertools_function.handler"""

from aws_lambda_powertools.utilities.data_classes import (
    KinesisFirehoseDataTransformationRecordMetadata,
    KinesisFirehoseDataTransformationResponse,
    KinesisFirehoseEvent,
    event_source,
)
from aws_lambda_powertools.utilities.serialization import base64_from_json


def transformed(record, function):
    try:
        order = record.data_as_json
    except ValueError:
        return record.build_data_transformation_response(result="ProcessingFailed", data=record.data)
    if order.get("test"):
        return record.build_data_transformation_response(result="Dropped")
    return record.build_data_transformation_response(
        data=base64_from_json({**order, "function": function}),
        metadata=KinesisFirehoseDataTransformationRecordMetadata({"customer": order["customer"]}),
    )


@event_source(data_class=KinesisFirehoseEvent)
def handler(event, context):
    response = KinesisFirehoseDataTransformationResponse()
    for record in event.records:
        response.add_record(transformed(record, context.function_name))
    return response.asdict()
