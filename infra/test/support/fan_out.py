"""Creates a template's topic, bucket notifications, queues, policies and subscriptions on a server with the APIs of S3, SNS and SQS,
puts objects into the bucket, and prints the results as JSON.

    python fan_out.py --endpoint http://127.0.0.1:5000 --template TEMPLATE.json --object firehose/a.gz --object errors/b.gz

Resources get the template's properties. `Ref`, `Fn::GetAtt` and `Fn::Join` are resolved; other intrinsic functions are rejected. A queue `not-subscribed` is created, too.

The output has, by queue name, the received messages, and the dead letters of those that were not deleted;
and the attributes of the topic and the queues.
"""

import argparse
import json

import boto3

ACCOUNT, REGION, PARTITION = "123456789012", "us-east-1", "aws"
BUCKET = "test-bucket"
PSEUDO = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": PARTITION}


class Stack:
    def __init__(self, template, endpoint):
        self.resources = template["Resources"]
        self.made = {}
        credentials = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
        client = lambda service: boto3.client(service, endpoint_url=endpoint, region_name=REGION, **credentials)
        self.s3, self.sns, self.sqs = client("s3"), client("sns"), client("sqs")

    def of(self, kind):
        return {key: value["Properties"] for key, value in self.resources.items() if value["Type"] == kind}

    def resolved(self, value):
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "Ref" in value:
            return PSEUDO.get(value["Ref"]) or self.made[value["Ref"]]["Ref"]
        if "Fn::GetAtt" in value:
            resource, attribute = value["Fn::GetAtt"]
            return self.made[resource][attribute]
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return separator.join(self.resolved(parts))
        if any(key.startswith("Fn::") for key in value):
            raise ValueError(f"{list(value)} can't be resolved here")
        return {key: self.resolved(item) for key, item in value.items()}

    def make(self):
        for key, properties in self.of("AWS::SNS::Topic").items():
            arn = self.sns.create_topic(Name=key, Attributes=self.resolved(properties))["TopicArn"]
            self.made[key] = {"Ref": arn}
        queues = self.of("AWS::SQS::Queue")
        # Dead letters first: the others name them.
        for key in sorted(queues, key=lambda key: "RedrivePolicy" in queues[key]):
            self.queue(key, **self.resolved(queues[key]))
        for properties in self.of("AWS::SQS::QueuePolicy").values():
            for queue in self.resolved(properties["Queues"]):
                policy = json.dumps(self.resolved(properties["PolicyDocument"]))
                self.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        for properties in self.of("AWS::SNS::TopicPolicy").values():
            for topic in self.resolved(properties["Topics"]):
                policy = json.dumps(self.resolved(properties["PolicyDocument"]))
                self.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        for properties in self.of("AWS::SNS::Subscription").values():
            self.subscribe(**self.resolved(properties))
        notified = [properties for properties in self.of("AWS::S3::Bucket").values() if "NotificationConfiguration" in properties]
        [notifications] = [self.resolved(properties["NotificationConfiguration"]) for properties in notified]
        self.bucket(notifications)

    def queue(self, key, QueueName=None, **attributes):
        text = lambda value: json.dumps(value) if not isinstance(value, str) else value
        url = self.sqs.create_queue(
            QueueName=QueueName or key, Attributes={name: text(value) for name, value in attributes.items()}
        )["QueueUrl"]
        self.made[key] = {"Ref": url, "Arn": self.attributes(url)["QueueArn"]}

    def subscribe(self, TopicArn, Protocol, Endpoint, RawMessageDelivery):
        attributes = {"RawMessageDelivery": json.dumps(RawMessageDelivery)}
        self.sns.subscribe(TopicArn=TopicArn, Protocol=Protocol, Endpoint=Endpoint, Attributes=attributes)

    def bucket(self, notifications):
        self.s3.create_bucket(Bucket=BUCKET)
        topics = [
            {
                "TopicArn": each["Topic"],
                "Events": [each["Event"]],
                "Filter": {"Key": {"FilterRules": each["Filter"]["S3Key"]["Rules"]}},
            }
            for each in notifications.pop("TopicConfigurations")
        ]
        if notifications:
            raise ValueError(f"{list(notifications)} are not known here")
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"TopicConfigurations": topics}
        )

    def attributes(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def received(self, url):
        """All messages of a queue, each once, without deleting them."""
        messages = {}
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
            messages.update({message["MessageId"]: message for message in found})
        for message in messages.values():
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return [json.loads(message["Body"]) for message in messages.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--template", required=True, type=argparse.FileType())
    parser.add_argument("--object", action="append", default=[])
    arguments = parser.parse_args()

    stack = Stack(json.load(arguments.template), arguments.endpoint)
    stack.make()
    beside = stack.sqs.create_queue(QueueName="not-subscribed")["QueueUrl"]
    for key in arguments.object:
        stack.s3.put_object(Bucket=BUCKET, Key=key, Body=b"any")

    output = {"topics": [], "queues": {}, "not-subscribed": stack.received(beside)}
    for topic in stack.sns.list_topics()["Topics"]:
        output["topics"].append(stack.sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"])
    arns = {made["Arn"]: made["Ref"] for made in stack.made.values() if "Arn" in made}
    for key, properties in stack.of("AWS::SQS::Queue").items():
        if "RedrivePolicy" not in properties:
            continue
        url = stack.made[key]["Ref"]
        attributes = stack.attributes(url)
        redrive = json.loads(attributes["RedrivePolicy"])
        receives = [stack.received(url) for _ in range(int(redrive["maxReceiveCount"]) + 1)]
        dead = arns[redrive["deadLetterTargetArn"]]
        output["queues"][properties["QueueName"]] = {
            "attributes": attributes,
            "receives": receives,
            "dead": {"attributes": stack.attributes(dead), "messages": stack.received(dead)},
        }
    print(json.dumps(output))


if __name__ == "__main__":
    main()
