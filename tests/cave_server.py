"""A CAVE server on loopback that speaks the server's protocol, holds tables, and misbehaves when it is told to.

The protocol follows caveclient 8.2.1 and MaterializationEngine 5.26.4. As the real one, it does not count joins,
applies only filters that it knows, and cuts answers at a number of rows with nothing but a header.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectome2net.sources.cave.session import Patience

HASTY = Patience(connect_s=2.0, read_s=2.0, tries=3, wait_s=0.01, longest_wait_s=0.05)
DATASTACK = "minnie65_public"
TOKEN = "0123456789abcdef0123456789abcdef"
TERMS = "https://example.org/tos/3/accept"
FAR = "2121-11-10T07:10:00.000000"
VOXEL = {"x": 4, "y": 4, "z": 40}
FOR_EVER = 10**9


@dataclass
class Misbehaviour:
    """What the server does wrong; numbers of times count down. ``lags``: count and rows of a part want the same row."""

    cap: int = 200_000
    tells_cap: bool = True
    caps_counts: bool = False
    lags: bool = False
    tells_resolution: bool = True
    shuffles: bool = False
    status: int = 0
    status_times: int = 0
    retry_after: str = ""
    hangs: int = 0
    breaks_off: int = 0
    garbles: int = 0
    repeats_rows: int = 0
    miscounts: int = 0
    miscounts_by: int = 1
    ignores_filters: bool = False
    counts: bool = True
    floats: bool = False
    refuses: int = 0
    missing_terms: bool = False
    redirects: bool = False
    location: str = "https://accounts.example.org/login"
    login_page: bool = False
    slow_s: float = 0.0
    rows_left: int = FOR_EVER


@dataclass
class CaveServer:
    """Holds tables; ``asked`` is the list of queries, ``address`` where it listens."""

    tables: Mapping[str, pa.Table]
    versions: Mapping[int, str | None] = field(default_factory=lambda: dict.fromkeys((117, 943, 1300), FAR))
    expired: tuple[int, ...] = (1078,)
    wrong: Misbehaviour = field(default_factory=Misbehaviour)
    asked: list[tuple[str, str, dict]] = field(default_factory=list)
    engine_version: str = "5.26.4"

    def __enter__(self) -> CaveServer:
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cave": self}))
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def takes(self, name: str) -> bool:
        """Count a misbehaviour down; tell whether it is still due."""
        with self.lock:
            left = getattr(self.wrong, name)
            setattr(self.wrong, name, max(0, left - 1))
            return left > 0

    def queries(self, kind: str) -> list[tuple[str, str, dict]]:
        return [one for one in self.asked if one[0] == kind]


class Handler(BaseHTTPRequestHandler):
    cave: CaveServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet, not two: 40 ms less
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        if not self._refused():
            url = urlparse(self.path)
            self._get(url.path.strip("/").split("/"), parse_qs(url.query))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if not content or self._refused():  # the client was killed
            return
        body = json.loads(content)
        url = urlparse(self.path)
        match url.path.strip("/").split("/"):
            case ["materialize", "api", "v3", "datastack", _, "version", _, "table", table, "query"]:
                self._query(table, body, parse_qs(url.query))
            case _:
                self._fail(501, "joins are not part of this server: the real one does not count them")

    def _get(self, path: list[str], options: Mapping[str, list[str]]) -> None:
        cave, engine = self.cave, ["materialize", "api", "v3", "datastack"]
        match path:
            case [_, "version"] if not cave.engine_version:
                self._fail(404, "not found")
            case ["info", "version"]:
                self._json("4.6.2")
            case ["materialize", "version"]:
                self._json(cave.engine_version)
            case ["info", "api", "v2", "datastacks"]:
                self._json([DATASTACK, "minnie65_phase3_v1"])
            case ["info", "api", "v2", "datastack", "full", name]:
                volume = {"name": "minnie65_phase3", "id": 1}
                about = {"local_server": cave.address, "aligned_volume": volume, "synapse_table": "synapses_pni_2"}
                self._json(about) if name == DATASTACK else self._fail(404, f"datastack {name} not found")
            case [*start, _, "versions"] if start == engine:
                more = cave.expired if options["expired"] == ["True"] else ()
                self._json([*cave.versions, *more])
            case [*start, _, "version", version] if start == engine:
                if int(version) in cave.versions:
                    self._json(self._version(int(version)))
                else:
                    self._fail(404, "version not found")
            case ["materialize", "api", "v2", "datastack", _, "version", _, "tables"]:
                self._json(list(cave.tables))
            case [*start, _, "version", _, "table", _, "metadata"] if start == engine:
                self._json({f"voxel_resolution_{axis}": size for axis, size in VOXEL.items()} | {"reference_table": ""})
            case _:
                self._fail(404, f"no such address: {'/'.join(path)}")

    def _version(self, version: int) -> dict[str, object]:
        expires = self.cave.versions[version]
        made = "2025-01-13T10:10:01.286229"
        return {"version": version, "time_stamp": made, "expires_on": expires, "valid": True, "is_merged": True}

    def _query(self, table: str, body: dict, options: Mapping[str, list[str]]) -> None:
        cave, wrong = self.cave, self.cave.wrong
        kind = "count" if "count" in options else "rows"
        with cave.lock:
            cave.asked.append((kind, table, body))
        cave.stopping.wait(wrong.slow_s)
        if cave.takes("hangs"):
            cave.stopping.wait(30)
        if kind == "rows" and not cave.takes("rows_left"):
            return self._fail(503, "down")
        if cave.takes("status_times"):
            return self._fail(wrong.status, "busy")
        if table not in cave.tables:
            return self._fail(404, f"analysis table '{table}' not found")
        rows = cave.tables[table] if wrong.ignores_filters else filtered(cave.tables[table], body, table)
        if wrong.lags and 1 < rows.num_rows < cave.tables[table].num_rows:
            rows = rows.slice(1)
        if kind == "count" and wrong.counts:
            number = min(rows.num_rows, wrong.cap) if wrong.caps_counts else rows.num_rows
            number += wrong.miscounts_by if cave.takes("miscounts") else 0
            return self._arrow(pa.table({"count": [number]}), {})
        return self._rows(rows, body)

    def _rows(self, rows: pa.Table, body: dict) -> None:
        wrong, headers = self.cave.wrong, {}
        if wrong.shuffles:
            rows = rows.take(np.random.default_rng().permutation(rows.num_rows))
        if rows.num_rows >= wrong.cap:
            rows = rows.slice(0, wrong.cap)
            headers = {"Warning": f'201 - "Limited query to {wrong.cap} rows'} if wrong.tells_cap else {}
        if rows.num_rows and self.cave.takes("repeats_rows"):
            rows = pa.concat_tables([rows.slice(0, rows.num_rows - 1), rows.slice(0, 1)])
        resolution = body.get("desired_resolution") or list(VOXEL.values())
        for axis, wanted in zip(VOXEL, resolution, strict=True):
            if (name := f"pt_position_{axis}") in rows.column_names:
                at = rows.column_names.index(name)
                rows = rows.set_column(at, name, pc.divide(rows[name].cast(pa.float64()), float(wanted)))
        if wrong.floats:
            rows = rows.set_column(0, rows.column_names[0], rows[0].cast(pa.float64(), safe=False))
        if columns := body.get("select_columns"):
            rows = rows.select(columns)
        if wrong.tells_resolution:
            headers |= {"dataframe_resolution": str(resolution)}
        self._arrow(rows, headers | {"column_names": "{}"})

    def _arrow(self, rows: pa.Table, headers: Mapping[str, str]) -> None:
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
            writer.write_table(rows)
        content = sink.getvalue().to_pybytes()
        if self.cave.takes("garbles"):
            content = content[: len(content) // 2]
        self._send(200, content, {"Content-Type": "data.arrow"} | dict(headers))

    def _json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _fail(self, status: int, message: str, **more: object) -> None:
        headers = {"Content-Type": "application/json"}
        if status == 429 and self.cave.wrong.retry_after:
            headers["Retry-After"] = self.cave.wrong.retry_after
        self._send(status, json.dumps({"code": status, "message": message} | more).encode(), headers)

    def _refused(self) -> bool:
        """Answer as middle_auth_client does."""
        wrong = self.cave.wrong
        if wrong.redirects:
            self._send(302, b"", {"Location": wrong.location} if wrong.location else {})
        elif wrong.login_page:
            self._send(200, b"\n<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._fail(401, "Unauthorized - Token is Invalid or Expired", error="invalid_token")
        elif wrong.missing_terms and self.path.startswith("/materialize/api"):
            data = {"tos_id": 3, "tos_name": "MICrONS Public", "tos_form_url": TERMS}
            self._fail(403, "Need to accept Terms of Service to access resource.", error="missing_tos", data=data)
        elif wrong.refuses and self.path.startswith("/materialize/api"):
            self._fail(403, f"Missing permission: view for dataset {DATASTACK}", error="missing_permission")
        else:
            return False
        return True

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if headers.get("Content-Type") == "data.arrow" and self.cave.takes("breaks_off"):
            content = content[: len(content) // 2]
            self.close_connection = True
        try:
            self.wfile.write(content)
        except OSError:  # the client was killed
            self.close_connection = True


def filtered(rows: pa.Table, body: dict, table: str) -> pa.Table:
    """Apply the filters that the server knows; the others are not looked at, as on the real one."""
    keep = pc.equal(rows["valid"], True)
    compare = {"filter_in_dict": lambda c, v: pc.is_in(c, value_set=pa.array(v, c.type))}
    compare |= {"filter_greater_equal_dict": pc.greater_equal, "filter_less_dict": pc.less}
    for name, apply in compare.items():
        for column, value in body.get(name, {}).get(table, {}).items():
            keep = pc.and_(keep, apply(rows[column], value))
    return rows.filter(keep)


def cave_tables(published: Mapping[str, pa.Table], synapses: pa.Table) -> dict[str, pa.Table]:
    """Give published tables the form that they have on the server: the census points at nuclei."""
    census = published["allen_v1_column_types_slanted_ref"]
    cells = census.num_rows
    valid = pa.array([True] * cells)
    positions = [f"pt_position_{axis}" for axis in VOXEL]
    nuclei = census.select(["id", "pt_root_id", *positions, "volume"]).append_column("valid", valid)
    labels = pa.table({"id": pa.array(range(1, cells + 1)), "valid": valid, "target_id": census["id"]})
    for name in ("classification_system", "cell_type"):
        labels = labels.append_column(name, census[name])
    proofreading = published["proofreading_status_and_strategy"]
    number = proofreading.num_rows
    proofreading = proofreading.append_column("id", pa.array(range(1, number + 1)))
    if "valid" not in proofreading.column_names:
        proofreading = proofreading.append_column("valid", pa.array([True] * number))
    return {
        "nucleus_detection_v0": nuclei,
        "allen_v1_column_types_slanted_ref": labels,
        "proofreading_status_and_strategy": proofreading,
        "synapses_pni_2": synapses,
        "a_table_of_no_interest": labels,
    }
