"""The cache into PostgreSQL as it is done with pandas: asks the service for everything, cuts the frame into partitions, and
pushes them from several processes, row by row as scripts do, or with execute_values.

python3 rows.py SERVICE DATABASE rows|values PROCESSES; a line on standard input begins a turn, whose milliseconds it prints.
"""

import json
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ProcessPoolExecutor

import pandas as pd
import psycopg2
from psycopg2.extras import execute_values

SERVICE, DATABASE, WAY, PROCESSES = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
TABLE = "sample_us_users"
INSERT = (
    f"insert into {TABLE} (id, address, inserted_at) values %s "
    "on conflict (id) do update set address = excluded.address, inserted_at = excluded.inserted_at"
)


def ask(path, **fields):
    data = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{SERVICE}/{path}", data=data) as answer:
        return answer.read()


def push(frame):
    connection = psycopg2.connect(DATABASE)
    try:
        with connection, connection.cursor() as cursor:
            rows = list(frame.itertuples(index=False, name=None))
            if WAY == "values":
                execute_values(cursor, INSERT, rows, page_size=1000)
            else:
                one = INSERT.replace("%s", "(%s, %s, %s)")
                for row in rows:
                    cursor.execute(one, row)
        return len(rows)
    finally:
        connection.close()


def turn(pool):
    found = json.loads(ask("getTopNFromReplica", replica=TABLE, topn=-1))
    frame = pd.DataFrame.from_dict(found, orient="index", columns=["address", "inserted_at"])
    frame = frame.rename_axis("id").reset_index()
    frame["inserted_at"] = pd.to_datetime(frame["inserted_at"])
    with psycopg2.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"create table if not exists {TABLE} (id uuid primary key, address jsonb, inserted_at timestamp)"
        )
    size = -(-len(frame) // PROCESSES)
    parts = [frame[at : at + size] for at in range(0, len(frame), size)]
    pushed = sum(pool.map(push, parts))
    ask("clearRedisCache", replica=TABLE, remove="True")
    return pushed


if __name__ == "__main__":
    with ProcessPoolExecutor(PROCESSES) as pool:
        # The processes are there before the first turn.
        list(pool.map(len, [()] * PROCESSES))
        print("ready", flush=True)
        for _ in sys.stdin:
            began = time.perf_counter()
            rows = turn(pool)
            print(json.dumps({"rows": rows, "ms": (time.perf_counter() - began) * 1000}), flush=True)
