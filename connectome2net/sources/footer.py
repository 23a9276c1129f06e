"""What parquet files say of their rows without being read.

Enters: parquet files. Leaves: their number of rows; by column, the number of empty rows and the least value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ibis.backends.duckdb import Backend

from connectome2net.sources.engine import exact

STATISTICS = """
WITH part AS (
    SELECT path_in_schema AS name, stats_null_count AS nulls,
           try_cast(coalesce(stats_min_value, stats_min) AS BIGINT) AS least, row_group_num_rows AS rows
    FROM parquet_metadata($files) WHERE row_group_num_rows > 0
)
SELECT name, sum(nulls), min(least), count(*) = count(nulls), count(*) = count(least)
FROM part GROUP BY name HAVING sum(rows) = $rows -- a part that lacks the column is empty there, and does not say so
"""


@dataclass(frozen=True)
class Footer:
    """Statistics that the writer left in the files; a column is absent where a part of the files has none.

    Attributes:
        rows: number of rows.
        nulls: by column, number of empty rows.
        least: by column of whole numbers, the least one.
    """

    rows: int
    nulls: Mapping[str, int]
    least: Mapping[str, int]


def read_footer(engine: Backend, files: Sequence[str]) -> Footer:
    """Read the statistics of some files as one table."""
    names: dict[str, object] = {"files": [exact(file) for file in files]}
    (rows,) = engine.con.execute("SELECT sum(num_rows) FROM parquet_file_metadata($files)", names).fetchone()
    columns = engine.con.execute(STATISTICS, names | {"rows": rows or 0}).fetchall()
    return Footer(
        rows=int(rows or 0),
        nulls={name: int(nulls) for name, nulls, _, known, _ in columns if known},
        least={name: least for name, _, least, _, known in columns if known},
    )
