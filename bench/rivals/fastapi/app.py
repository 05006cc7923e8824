"""Uploads of hired employees with FastAPI, pandas and psycopg2: the same answer, table and durability as Millrace's.

Run by uvicorn. RIVAL_DATABASE is a libpq URL, RIVAL_USER `name:salt:hash` with scrypt's salt and hash in hex.
"""

import base64
import hashlib
import hmac
import io
import os
import re
import secrets
import time
from contextlib import contextmanager

import pandas as pd
from fastapi import FastAPI, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse
from psycopg2.extras import execute_values
from psycopg2.pool import ThreadedConnectionPool

TABLE = "hired_employees"
COLUMNS = ["id", "name", "datetime", "department_id", "job_id"]
INTEGERS = ["id", "department_id", "job_id"]
INTEGER_MAX = 2**31 - 1
LINES_MAX = 1000
UPSERT = (
    f"insert into {TABLE} ({', '.join(COLUMNS)}) values %s on conflict (id) do update set "
    + ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
    + " returning (xmax = 0)"
)
TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
DIGITS = re.compile(r"[0-9]+")

app = FastAPI()

# As many connections as threads that FastAPI works with; all kept, since opening one costs more than an upload.
pool = ThreadedConnectionPool(4, 40, os.environ["RIVAL_DATABASE"])


@contextmanager
def transaction():
    connection = pool.getconn()
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        pool.putconn(connection)


class Login:
    """One user, whose password is computed once; then a keyed hash of it is compared."""

    def __init__(self, user: str):
        self.name, salt, derived = user.split(":")
        self.salt, self.derived = bytes.fromhex(salt), bytes.fromhex(derived)
        self.key = secrets.token_bytes(32)
        self.right: bytes | None = None

    def is_right(self, name: str, password: str) -> bool:
        tag = hmac.digest(self.key, f"{name}\0{password}".encode(), "sha256")
        if self.right is not None:
            return hmac.compare_digest(tag, self.right)
        derived = hashlib.scrypt(
            password.encode(), salt=self.salt, n=2**15, r=8, p=3, maxmem=2**26, dklen=len(self.derived)
        )
        if name != self.name or not hmac.compare_digest(derived, self.derived):
            return False
        self.right = tag
        return True


login = Login(os.environ["RIVAL_USER"])


def basic_credentials(request: Request) -> tuple[str, str]:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    name, _, password = base64.b64decode(text).decode().partition(":")
    return name, password


def read(content: bytes) -> pd.DataFrame:
    """All values as text; a record with one value too many has it in `surplus`."""
    return pd.read_csv(
        io.BytesIO(content),
        header=None,
        names=[*COLUMNS, "surplus"],
        index_col=False,
        dtype=str,
        na_filter=False,
        encoding="utf-8-sig",
    )


def failures(frame: pd.DataFrame) -> list[tuple[str, str, str, pd.Series]]:
    """For each check its column, code and reason, and which records fail it."""
    found = []
    for column in COLUMNS:
        values = frame[column]
        missing = values == ""
        found.append((column, "missing", "is missing", missing))
        if column in INTEGERS:
            digits = values.str.fullmatch(DIGITS)
            numbers = pd.to_numeric(values.where(digits), errors="coerce")
            found.append((column, "type", "is not all digits", ~digits & ~missing))
            found.append((column, "range", "is too large", numbers > INTEGER_MAX))
        elif column == "datetime":
            times = pd.to_datetime(values, format="%Y-%m-%dT%H:%M:%SZ", errors="coerce")
            good = values.str.fullmatch(TIMESTAMP) & times.notna()
            found.append((column, "type", "is no timestamp YYYY-MM-DDTHH:MM:SSZ", ~good & ~missing))
    found.append(("surplus", "columns", "is surplus", frame["surplus"] != ""))
    return found


def insert(good: pd.DataFrame) -> tuple[int, int]:
    """Merges by id, the last of a file's records of one id. How many are new, and how many were there."""
    if good.empty:
        return 0, 0
    rows = list(good.drop_duplicates("id", keep="last")[COLUMNS].itertuples(index=False, name=None))
    with transaction() as cursor:
        written = execute_values(cursor, UPSERT, rows, page_size=LINES_MAX, fetch=True)
    new = sum(is_new for (is_new,) in written)
    return new, len(written) - new


@app.get("/")
def ready():
    return {"message": "ready"}


@app.post("/upload")
def upload(
    request: Request,
    file: UploadFile = File(),
    username: str | None = Form(None),
    password: str | None = Form(None),
):
    started = time.perf_counter()
    given = (username, password) if username and password else basic_credentials(request)
    if not login.is_right(*given):
        return JSONResponse({"detail": "Incorrect username or password"}, 400)
    if not file.filename.startswith(TABLE):
        return JSONResponse({"error": "The data table is not availabe for upload"}, 405)
    content = file.file.read()
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    if not 1 <= lines <= LINES_MAX:
        return JSONResponse({"error": f"The number of lines should be between 1 and {LINES_MAX}"}, 405)

    frame = read(content)
    checks = failures(frame)
    bad = pd.concat([mask for *_, mask in checks], axis=1).any(axis=1)
    new, merged = insert(frame[~bad])

    answer = {
        "file": file.filename,
        "type": file.content_type,
        "columns": len(COLUMNS),
        "rows": len(frame),
        "result": "All the records have been uploaded",
        "nrows_inserted": new,
    }
    if bad.any():
        failed = frame[bad]
        answer["result"] = f"Errors founded on records failed, successfully uploaded {new + merged} registers"
        answer["rows_failed"] = failed[COLUMNS].to_dict("records")
        answer["nrows_failed"] = len(failed)
    answer["duration(s)"] = round(time.perf_counter() - started, 2)
    if merged:
        answer["nrows_merged"] = merged
    if bad.any():
        answer["errors"] = [
            {"line": index + 1, "column": column, "value": frame.at[index, column], "code": code, "reason": reason}
            for column, code, reason, mask in checks
            for index in frame.index[mask]
        ]
        answer["errors"].sort(key=lambda error: error["line"])
    return JSONResponse(answer)
