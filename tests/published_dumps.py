"""Tables as the archive publishes them: lines without names, names and SQL types beside, positions in one column."""

from __future__ import annotations

import gzip
import struct

import pyarrow as pa
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES, TOML, eight_cells, synapse_rows

NAMES = [f"pt_position_{axis}" for axis in "xyz"]
TYPES = {"bool": "boolean", "int64": "bigint", "int32": "integer", "double": "double precision"}


def point_hex(position, *, order="<", srid=None, iso=False):
    """What PostGIS writes for a PointZ, made by ``struct``."""
    kind = 1001 if iso else 0x80000001 if srid is None else 0xA0000001
    middle = b"" if srid is None else struct.pack(f"{order}I", srid)
    packed = bytes([order == "<"]) + struct.pack(f"{order}I", kind) + middle + struct.pack(f"{order}3d", *position)
    return packed.hex().upper()


def write_dump(folder, name, table, *, stem=None, header=None, geometry=()):
    """Write a table as the archive does: no names in the lines, t and f, names and SQL types beside."""
    words = {True: "t", False: "f", None: ""}
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    lines = [
        ",".join(words[value] if isinstance(value, bool | None) else f'"{value}"' for value in row) for row in rows
    ]
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{stem or name + '_merged'}.csv.gz"
    data.write_bytes(gzip.compress("".join(line + "\n" for line in lines).encode()))
    if header is None:
        types = [
            "USER-DEFINED" if field.name in geometry else TYPES.get(str(field.type), "character varying")
            for field in table.schema
        ]
        header = "".join(f"{field.name},{kind}\n" for field, kind in zip(table.schema, types, strict=True))
    (folder / f"{stem or name + '_merged'}_header.csv").write_text(header)
    return data


def in_one_column(census, write):
    positions = [list(row.values()) for row in census.select(NAMES).to_pylist()]
    texts = [None if None in position else write(position) for position in positions]
    return census.drop_columns(NAMES).append_column("pt_position", pa.array(texts, pa.string()))


def dumped(folder, *, census=None, **of_synapses):
    tables = eight_cells()
    for name in (CENSUS, PROOFREADING):
        write_dump(folder, name, census if census is not None and name == CENSUS else tables[name])
    write_dump(folder, SYNAPSES, synapse_rows(tables[CONNECTIONS]), **of_synapses)
    (folder / "source.toml").write_text(TOML)
    return folder


WRITERS = {
    "list": lambda p: f"[{p[0]}, {p[1]}, {p[2]}]",
    "postgres array": lambda p: f"{{{p[0]},{p[1]},{p[2]}}}",
    "tuple": lambda p: f"({p[0]}, {p[1]}, {p[2]})",
    "bare": lambda p: f"{p[0]},{p[1]},{p[2]}",
    "numpy": lambda p: f"[ {p[0]!r}  {p[1]!r} {p[2]!r} ]",
    "wkt": lambda p: f"POINT Z ({p[0]!r} {p[1]!r} {p[2]!r})",
    "ewkb": lambda p: point_hex(p, srid=0),
    "ewkb, big endian, system of coordinates": lambda p: point_hex(p, order=">", srid=4326),
    "ewkb, small letters": lambda p: point_hex(p).lower(),
    "iso wkb": lambda p: point_hex(p, iso=True),
    "iso wkb, big endian": lambda p: point_hex(p, iso=True, order=">"),
}
