"""Runs the queries of /pipeline/sql over the objects in a folder.

    python sql.py OBJECTS < QUERIES.json

QUERIES.json is {"duckdb": SQL, "athena": SQL}. Prints {"duckdb": ROWS, "athena": ROWS} of the last statement of each. The folder of
DuckDB's query is in the query. OBJECTS is the bucket of Athena's table: sqlglot reads its definition, rejects functions that
Athena does not have, and translates the query for DuckDB.
"""

import gzip
import json
import re
import sys
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

# Nothing is fetched: what DuckDB needs is in its wheel.
CONFIG = {"autoinstall_known_extensions": "false"}


def last_rows(sql):
    database = duckdb.connect(config=CONFIG)
    rows = None
    for statement in database.extract_statements(sql):
        rows = database.execute(statement).fetchall()
    return rows


class Table:
    """An external table, which contains all objects below its location."""

    def __init__(self, create):
        assert isinstance(create, exp.Create) and create.kind == "TABLE" and create.find(exp.ExternalProperty), create
        self.name = create.this.this.name
        self.columns = [column.name for column in create.this.expressions]
        assert all(column.kind.this == exp.DataType.Type.TEXT for column in create.this.expressions), create
        location = create.find(exp.LocationProperty).this.name
        self.prefix = re.fullmatch(r"s3://[^/]+/(|.+/)", location, re.DOTALL)[1]
        serde = create.find(exp.RowFormatSerdeProperty)
        self.is_json = serde is not None
        if self.is_json:
            assert serde.this.name == "org.openx.data.jsonserde.JsonSerDe", serde
        else:
            delimited = create.find(exp.RowFormatDelimitedProperty)
            assert delimited.args["fields"].name == "\\001" or delimited.args["fields"].name == "\x01", delimited

    def rows(self, objects):
        for path in sorted(path for path in objects.rglob("*") if path.is_file()):
            key = path.relative_to(objects).as_posix()
            if not key.startswith(self.prefix):
                continue
            data = path.read_bytes()
            lines = gzip.decompress(data) if path.suffix == ".gz" else data
            for line in filter(None, lines.split(b"\n")):
                yield [*self.row(line), f"s3://BUCKET/{key}"]

    def row(self, line):
        if not self.is_json:
            return [line.decode()]
        try:
            fields = {name.lower(): value for name, value in json.loads(line).items()}
        except (ValueError, AttributeError):
            fields = {}
        return [fields.get(name) for name in self.columns]


def athena_rows(sql, objects):
    create, query = (sqlglot.parse_one(part, read="athena") for part in re.split(r";\n(?:\n|$)", sql) if part)
    unknown = [call.name for call in query.find_all(exp.Anonymous)]
    assert not unknown, f"no functions of Athena: {unknown}"
    table = Table(create)
    database = duckdb.connect(config=CONFIG)
    columns = [f'"{name}" VARCHAR' for name in [*table.columns, "$path"]]
    database.execute(f'CREATE TABLE "{table.name}" ({", ".join(columns)})')
    for row in table.rows(objects):
        database.execute(f'INSERT INTO "{table.name}" VALUES ({", ".join("?" * len(row))})', row)
    return database.execute(query.sql(dialect="duckdb")).fetchall()


def main():
    queries = json.load(sys.stdin)
    rows = {"duckdb": last_rows(queries["duckdb"]), "athena": athena_rows(queries["athena"], Path(sys.argv[1]))}
    json.dump(rows, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
