"""An optimised Python function: a session, and a cache of the mysfits."""

import base64
import json
import os

import requests

SESSION = requests.Session()
CACHE = {}
ATTRIBUTES = ("goodevil", "lawchaos", "species")


def handler(event, context):
    if not CACHE:
        response = SESSION.get(os.environ["MYSFITS_API_URL"] + "/mysfits")
        CACHE.update((mysfit["mysfitId"], mysfit) for mysfit in response.json()["mysfits"])
    records = []
    for record in event["records"]:
        click = json.loads(base64.b64decode(record["data"]))
        mysfit = CACHE[click["mysfitId"]]
        line = {"userId": click["userId"], "mysfitId": click["mysfitId"], **{name: mysfit[name] for name in ATTRIBUTES}}
        data = base64.b64encode((json.dumps(line, separators=(",", ":")) + "\n").encode()).decode()
        records.append({"recordId": record["recordId"], "result": "Ok", "data": data})
    return {"records": records}
