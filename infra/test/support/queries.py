"""Runs one of Athena's saved queries over a folder of delivered objects, and prints its rows as a JSON array of objects.

    python queries.py --objects DIR --tables TABLES.json --query FILE.sql [--now 2026-11-20T10:30:00Z]

DIR contains the bucket's objects as files under their keys, such as `firehose/2026/11/20/10/STREAM-1-2026-11-20-10-00-00-UUID.gz`:
lines of JSON, gzipped if the name ends in `.gz`.

TABLES.json is an array of Glue tables:

    [{"Name": "clicks",
      "Columns": [{"Name": "userid", "Type": "string"}],
      "PartitionKeys": [{"Name": "datehour", "Type": "string"}],
      "Parameters": {"projection.enabled": "true",
                     "projection.datehour.type": "date", "projection.datehour.format": "yyyy/MM/dd/HH",
                     "projection.datehour.range": "NOW-365DAYS,NOW", "projection.datehour.interval": "1",
                     "projection.datehour.interval.unit": "HOURS",
                     "storage.location.template": "s3://BUCKET/firehose/${datehour}/"}}]

The query is Athena SQL; one that creates a view prints the view's rows, sorted. sqlglot translates it for DuckDB, and rejects functions that Athena does not have. `--now`
is `current_timestamp` and `NOW`, by default the machine's time.

A table contains all objects below its projected locations, sub-folders included, as in Athena. Lines are parsed like by the OpenX
JSON SerDe: keys are case-insensitive, missing values are NULL, and a string column accepts any value as JSON. Unlike Athena, this
rejects an invalid line.
"""

import argparse
import gzip
import json
import re
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

TYPES = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "boolean": "BOOLEAN"}
# The only format that the tables use: as Java writes it, as a pattern, and as Python reads it.
HOURS = ("yyyy/MM/dd/HH", r"\d{4}/\d{2}/\d{2}/\d{2}", "%Y/%m/%d/%H")


class Table:
    def __init__(self, definition, now):
        self.name = definition["Name"]
        self.columns = {column["Name"]: TYPES[column["Type"]] for column in definition["Columns"]}
        self.keys = {column["Name"]: TYPES[column["Type"]] for column in definition["PartitionKeys"]}
        self.parameters = definition["Parameters"]
        self.now = now
        if self.parameters["projection.enabled"] != "true":
            raise ValueError(f"table {self.name} does not project its partitions")
        self.location = self.location_pattern()

    def location_pattern(self):
        template = self.parameters["storage.location.template"]
        prefix = re.fullmatch(r"s3://[^/]+/(.+/)", template)
        if not prefix:
            raise ValueError(f"{template} is no folder of a bucket")
        parts = re.split(r"\$\{(\w+)\}", prefix[1])
        if sorted(parts[1::2]) != sorted(self.keys):
            raise ValueError(f"{template} does not have each of the partition keys {list(self.keys)} once")
        pattern = "".join(
            f"(?P<{part}>{self.key_pattern(part)})" if index % 2 else re.escape(part) for index, part in enumerate(parts)
        )
        return re.compile(pattern)

    def projection(self, key, setting):
        return self.parameters[f"projection.{key}.{setting}"]

    def key_pattern(self, key):
        if self.projection(key, "type") == "enum":
            return "|".join(re.escape(value) for value in self.projection(key, "values").split(","))
        form = tuple(self.projection(key, setting) for setting in ("type", "format", "interval", "interval.unit"))
        if form != ("date", HOURS[0], "1", "HOURS"):
            raise ValueError(f"{form} of {key} is neither an enum nor every hour")
        return HOURS[1]

    def in_range(self, key, value):
        if self.projection(key, "type") != "date":
            return True
        bounds = re.fullmatch(r"NOW-(\d+)DAYS,NOW", self.projection(key, "range"))
        hour = datetime.strptime(value, HOURS[2]).replace(tzinfo=timezone.utc)
        first = (self.now - timedelta(days=int(bounds[1]))).replace(minute=0, second=0, microsecond=0)
        return first <= hour <= self.now

    def partition(self, key):
        """The values of the partition keys of the object called `key`; None where it is not in the table."""
        found = self.location.match(key)
        if not found or not all(self.in_range(*pair) for pair in found.groupdict().items()):
            return None
        return found.groupdict()

    def rows(self, objects):
        for path in sorted(path for path in objects.rglob("*") if path.is_file()):
            values = self.partition(path.relative_to(objects).as_posix())
            if values is None:
                continue
            data = path.read_bytes()
            lines = gzip.decompress(data) if path.suffix == ".gz" else data
            # Not splitlines(), which ends a line at characters that JSON leaves as they are (U+2028).
            for line in filter(None, lines.split(b"\n")):
                yield self.row(line) | values

    def row(self, line):
        fields = json.loads(line, object_pairs_hook=without_case)
        return {name: as_text(fields.get(name)) for name in self.columns}

    def load(self, database, objects):
        names = self.columns | self.keys
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            for row in self.rows(objects):
                file.write(json.dumps(row) + "\n")
            file.flush()
            texts = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
            casts = ", ".join(f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in names.items())
            source = f"read_json(?, format = 'newline_delimited', columns = {{{texts}}})"
            database.execute(f"CREATE TABLE {quoted(self.name)} AS SELECT {casts} FROM {source}", [file.name])


def without_case(pairs):
    fields = {}
    for name, value in pairs:
        if name.lower() in fields:
            raise ValueError(f"the key {name.lower()} is twice in a line")
        fields[name.lower()] = value
    return fields


def as_text(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def rows_of(database, sql):
    """The rows of `sql`, in order, as JSON has them: times are texts, in UTC."""
    database.execute(f"CREATE TABLE result AS {sql}")
    kinds = database.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'result'").fetchall()
    names = [name for name, _ in kinds]
    columns = [f"{quoted(name)}::VARCHAR" if kind.startswith("TIMESTAMP") else quoted(name) for name, kind in kinds]
    rows = database.execute(f"SELECT {', '.join(columns)} FROM result ORDER BY rowid").fetchall()
    return [dict(zip(names, map(replaced_bytes, row))) for row in rows]


def replaced_bytes(value):
    """Athena's from_utf8, which is not translated, because DuckDB's own rejects invalid UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def translated(sql, tables, now):
    """`sql` for DuckDB, at the time `now`."""
    (query,) = sqlglot.parse(sql, read="athena")
    if isinstance(query, exp.Create) and query.kind == "VIEW":
        return f"SELECT * FROM ({translated_query(query.expression, tables, now)}) ORDER BY ALL"
    return translated_query(query, tables, now)


def translated_query(query, tables, now):
    unknown = {call.name for call in query.find_all(exp.Anonymous)}
    if unknown:
        raise ValueError(f"no functions of Athena: {', '.join(sorted(unknown))}")
    # Operators depend on types: Athena's division of integers is an integer, DuckDB's is not.
    schema = {table.name: table.columns | table.keys for table in tables}
    query = annotate_types(qualify(query, schema=schema, dialect="athena"), schema=schema, dialect="athena")
    moment = exp.cast(exp.Literal.string(now.isoformat()), "timestamptz")

    def replaced(node):
        if isinstance(node, exp.CurrentTimestamp):
            return moment.copy()
        if isinstance(node, exp.Decode):
            return node.this
        return node

    return query.transform(replaced).sql(dialect="duckdb")


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def main():
    parser = argparse.ArgumentParser(description="Runs a saved query over delivered objects.")
    parser.add_argument("--objects", type=Path, required=True)
    parser.add_argument("--tables", type=Path, required=True)
    parser.add_argument("--query", type=Path, required=True)
    parser.add_argument("--now", type=moment, default=datetime.now(timezone.utc))
    options = parser.parse_args()

    # Nothing is fetched: what DuckDB needs is in its wheel.
    database = duckdb.connect(config={"autoinstall_known_extensions": "false", "TimeZone": "UTC"})
    tables = [Table(definition, options.now) for definition in json.loads(options.tables.read_text("utf-8"))]
    for table in tables:
        table.load(database, options.objects)
    sql = translated(options.query.read_text("utf-8"), tables, options.now)
    json.dump(rows_of(database, sql), sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
