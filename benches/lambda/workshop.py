"""The workshop's function: a sequential request for each record, each with a new connection."""

import base64
import json
import os

import requests


def handler(event, context):
    records = []
    for record in event["records"]:
        click = json.loads(base64.b64decode(record["data"]))
        mysfit = requests.get(os.environ["MYSFITS_API_URL"] + "/mysfits/" + click["mysfitId"]).json()
        line = {
            "userId": click["userId"],
            "mysfitId": click["mysfitId"],
            "goodevil": mysfit["goodevil"],
            "lawchaos": mysfit["lawchaos"],
            "species": mysfit["species"],
        }
        data = base64.b64encode((json.dumps(line) + "\n").encode()).decode()
        records.append({"recordId": record["recordId"], "result": "Ok", "data": data})
    return {"records": records}
