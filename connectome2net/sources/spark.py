"""Spark, with rows going in and out as arrow.

Enters: ibis expressions. Leaves: arrow tables. On the way of ibis itself rows pass through pandas, where an integer
column with one empty row becomes a column of floats, and an id above 2^53 another id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.pyspark import Backend
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import StringType, StructField, StructType


class Spark(Backend):  # type: ignore[misc]
    """The ibis backend of Spark; needs Spark 4, whose data frames speak arrow. Its errors are OSErrors."""

    def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """Run an expression and return its rows."""
        table = expr.as_table()
        with _in_few_words():
            self._run_pre_execute_hooks(table)
            rows: pa.Table = self._session.sql(self.compile(table, params=params, limit=limit)).toArrow()
        return expr.__pyarrow_result__(rows.cast(table.schema().to_pyarrow()))

    def read_parts(self, table: str, parts: Sequence[str]) -> ir.Table:
        """See a file, or the parts of a folder of files, as a table."""
        reader = self._session.read.option("mergeSchema", True)
        with _in_few_words():
            if parts:
                return self._see(reader.option("basePath", table).parquet(*map(_exact, parts)))
            return self._see(reader.parquet(_exact(table)))

    def read_texts(self, file: str, *, names: Sequence[str], headed: bool, delimiter: str) -> ir.Table:
        """See a file of separated values as a table of texts. A text may go on in the next line."""
        form = {"escape": '"', "mode": "FAILFAST", "multiLine": True, "enforceSchema": True}
        schema = StructType([StructField(name, StringType()) for name in names])
        with _in_few_words():
            return self._see(self._session.read.csv(_exact(file), schema, sep=delimiter, header=headed, **form))

    def _see(self, rows: DataFrame) -> ir.Table:
        name = f"scan_{uuid4().hex}"
        rows.createOrReplaceTempView(name)
        return self.table(name)

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        rows = op.data.to_pyarrow(op.schema)
        self._session.createDataFrame(rows).createOrReplaceTempView(op.name)


@contextmanager
def _in_few_words() -> Iterator[None]:
    """Leave the traces of the Java side out of what a user sees."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
        first = next(
            (line for line in lines if line and not line.startswith("An error occurred")), type(error).__name__
        )
        raise OSError(f"Spark: {causes[-1] if causes else first}") from error


def _exact(file: str) -> str:
    """Return a pattern that only this file fits, as Spark takes every name for one."""
    return file if "://" in file else re.sub(r"([][*?{}\\])", r"\\\1", file)
