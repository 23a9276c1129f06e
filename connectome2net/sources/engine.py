"""What runs the scans over synapse rows: DuckDB on this machine, or Spark on a cluster.

Enters: the name of an engine. Leaves: an ibis backend; the same expressions give the same rows on each, and the same
errors.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends import BaseBackend

from connectome2net.errors import SourceError
from connectome2net.sources.progress import shown

EngineName = Literal["duckdb", "spark"]
ENGINES: tuple[EngineName, ...] = ("duckdb", "spark")
UNREADABLE = (duckdb.Error, pa.ArrowException, OSError, UnicodeDecodeError, csv.Error, EOFError, zlib.error)
"""What readers raise, those of Spark too."""
INCOMPLETE = "the file ends too early: it is not all there"


def collect(table: ir.Table, *, file: str) -> pa.Table:
    """Run an expression and return its rows; where that takes long, show how far it is.

    Args:
        table: an expression over the rows of a file.
        file: its name, for messages.

    Raises:
        SourceError: the file cannot be read to its end.
        KeyboardInterrupt: the user stopped it.
    """
    with reading(file), shown(table.get_backend(), file):
        return table.to_pyarrow()


@contextmanager
def reading(file: object) -> Iterator[None]:
    """Say of any reader's error which file it is about; what DuckDB makes of Ctrl-C becomes Ctrl-C again."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except UNREADABLE as error:
        raise unreadable(file, error) from error
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def unreadable(file: object, error: Exception, *, fix: str = "download it again") -> SourceError:
    """Say that a file is broken, in the reader's own words."""
    found = INCOMPLETE if isinstance(error, EOFError) else str(error).strip().splitlines()[0]
    if isinstance(error, UnicodeDecodeError):
        fix = "save it as UTF-8"
    return SourceError("the file cannot be read", where=file, found=found, fix=fix)


def start_engine(name: str = "duckdb", *, master: str | None = None) -> BaseBackend:
    """Start an engine.

    Args:
        name: ``duckdb`` or ``spark``.
        master: address of the Spark master; default is this machine, all its cores.

    Raises:
        SourceError: there is no such engine, or it is not installed.
    """
    if name == "spark":
        return _start_spark(master or "local[*]")
    if name not in ENGINES:
        raise SourceError("there is no such engine", where="--engine", found=name, wanted=" or ".join(ENGINES))
    if master is not None:
        raise SourceError("only Spark has a master", where="--master", found=master, wanted="--engine spark")
    spill = Path(tempfile.gettempdir()) / f"connectome2net-{uuid4().hex}"  # DuckDB makes it and removes it
    return ibis.duckdb.connect(temp_directory=str(spill), enable_external_file_cache=False)  # it grows with the rows


def _start_spark(master: str) -> BaseBackend:
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        from connectome2net.sources.spark import Spark
    except ImportError as error:
        raise SourceError(
            "Spark is not installed",
            where="--engine spark",
            found=str(error),
            fix="pip install 'connectome2net[spark]'",
        ) from error
    if not os.environ.get("JAVA_HOME") and not shutil.which("java"):
        raise SourceError(
            "Spark needs Java",
            where="--engine spark",
            found="no java on the path and no JAVA_HOME",
            wanted="Java 17 or later",
            fix="install a Java runtime, or leave --engine spark out",
        )
    builder = SparkSession.builder.master(master).appName("connectome2net")
    try:
        session = builder.config("spark.ui.enabled", "false").config("spark.log.level", "ERROR").getOrCreate()
    except (PySparkException, OSError) as error:
        raise SourceError(
            "Spark does not start", where=f"--master {master}", found=str(error).strip().splitlines()[0]
        ) from error
    Spark.register_options()  # ibis does so only for the backend that it finds itself
    return Spark().connect(session)


def read_parquet(engine: BaseBackend, table: str, *, parts: Sequence[str] = ()) -> ir.Table:
    """Let an engine see a parquet file, or the parts of a folder of them, as one table."""
    if engine.name == "pyspark":
        return engine.read_parts(table, parts)
    return _view(engine, parquet_rows(parts or [table], in_folder=bool(parts)))


def read_csv(engine: BaseBackend, file: str, *, names: Sequence[str], headed: bool, delimiter: str = ",") -> ir.Table:
    """Let an engine see a file of separated values, every column as text."""
    if engine.name == "pyspark":
        return engine.read_texts(file, names=names, headed=headed, delimiter=delimiter)
    return _view(engine, csv_rows(file, names=names, headed=headed, delimiter=delimiter))


def parquet_rows(parts: Sequence[str], *, in_folder: bool) -> str:
    """Return the rows of parquet files as SQL.

    A column has a type that holds the values of every part, and is empty where a part lacks it. Folders named
    ``key=value`` become columns.
    """
    files = ", ".join(sql_text(exact(part)) for part in parts)
    return f"read_parquet([{files}], hive_partitioning = {in_folder}, union_by_name = true)"


def csv_rows(file: str, *, names: Sequence[str], headed: bool, delimiter: str = ",") -> str:
    """Return the rows of a file of separated values as SQL, every column as text."""
    columns = ", ".join(f"{sql_text(name)}: 'VARCHAR'" for name in names)
    form = f"columns = {{{columns}}}, header = {headed}, delim = {sql_text(delimiter)}, auto_detect = false"
    return f"read_csv({sql_text(exact(file))}, {form}, quote = '\"')"


def exact(file: str) -> str:
    """Return a pattern that only this file fits, as DuckDB takes the name of a local file for one."""
    return file if "://" in file else re.sub(r"([\[*?])", r"[\1]", file)


def sql_text(value: object) -> str:
    """Return a text as SQL writes it."""
    return "'" + str(value).replace("'", "''") + "'"


def _view(engine: BaseBackend, rows: str) -> ir.Table:
    """Name some rows. The way of ibis would fetch an extension from the internet for every address with ``://``."""
    name = f"scan_{uuid4().hex}"
    engine.con.execute(f"CREATE TEMPORARY VIEW {name} AS SELECT * FROM {rows}")
    return engine.table(name)
