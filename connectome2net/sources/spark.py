"""Spark, with rows going in and out as arrow.

Enters: ibis expressions. Leaves: arrow tables. On the way of ibis itself rows pass through pandas, where an integer
column with one empty row becomes a column of floats, and an id above 2^53 another id.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
from ibis.backends.pyspark import Backend
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException


class Spark(Backend):  # type: ignore[misc]
    """The ibis backend of Spark; needs Spark 4, whose data frames speak arrow. Its errors are OSErrors."""

    def to_pyarrow(self, expr: ir.Expr, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """Run an expression and return its rows."""
        table = expr.as_table()
        with _in_few_words():
            self._run_pre_execute_hooks(table)
            rows: pa.Table = self._session.sql(self.compile(table, params=params, limit=limit)).toArrow()
        return expr.__pyarrow_result__(rows.cast(table.schema().to_pyarrow()))

    def read_parquet(self, path: Any, /, **options: Any) -> ir.Table:
        """See a file or folder as a table."""
        with _in_few_words():
            return super().read_parquet(path, **options)

    def read_csv(self, paths: Any, /, **options: Any) -> ir.Table:
        """See a file as a table."""
        with _in_few_words():
            return super().read_csv(paths, **options)

    def _register_in_memory_table(self, op: ops.InMemoryTable) -> None:
        rows = op.data.to_pyarrow(op.schema)
        self._session.createDataFrame(rows).createOrReplaceTempView(op.name)


@contextmanager
def _in_few_words() -> Iterator[None]:
    """Leave the traces of the Java side out of what a user sees."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("An error occurred")]
        raise OSError(f"Spark: {lines[0].strip() if lines else type(error).__name__}") from error
