"""Tables on object storage are read as those on a disk; a missing reader is one clear error.

The storage is that of fsspec in memory, and a server on loopback: gs:// and s3:// go the same way, and need a network
to be tested.
"""

import asyncio
import sys
import threading
from contextlib import contextmanager

import pyarrow.parquet
import pytest
from published_dumps import dumped
from published_tables import CENSUS, CONNECTIONS, FORMS, SYNAPSES, eight_cells, synapse_rows, write_tables

from connectome2net.errors import SourceError
from connectome2net.sources import open_folder, open_source


@pytest.fixture
def storage():
    pytest.importorskip("upath", reason="needs the extra [cloud]")
    import fsspec

    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def upload(storage, folder, to="bucket/v1300"):
    for file in folder.rglob("*"):
        if file.is_file():
            storage.pipe(f"/{to}/{file.relative_to(folder)}", file.read_bytes())
    return f"memory://{to}"


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_on_object_storage_gives_the_same_rows(tmp_path, storage, form):
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS])
    folder = write_tables(tmp_path, tables, form=form)
    here, there = open_folder(folder), open_source(upload(storage, folder))
    assert (there.materialization, there.position_unit) == ("1300", "nm")
    assert set(there.tables) == set(here.tables)
    for name in here.tables:
        assert there[name].read().to_pylist() == here[name].read().to_pylist()
        assert (there[name].rows, there[name].file, there[name].sha256) == (here[name].rows, here[name].file, None)


def test_a_dump_and_a_folder_of_parquet_on_object_storage(tmp_path, storage):
    there = open_folder(upload(storage, dumped(tmp_path / "dump")))
    assert (there[SYNAPSES].rows, there[SYNAPSES].table.count().to_pyarrow().as_py()) == (16, 16)
    rows = synapse_rows(eight_cells()[CONNECTIONS])
    folder = write_tables(tmp_path / "parts", eight_cells())
    (folder / SYNAPSES).mkdir()
    for part in (0, 8):
        pyarrow.parquet.write_table(rows.slice(part, 8), folder / SYNAPSES / f"{part}.parquet")
    read = open_folder(upload(storage, folder, to="parts"))[SYNAPSES].read()
    assert read.sort_by("id").select(rows.column_names).to_pylist() == rows.to_pylist()


@contextmanager
def served(folder):
    """Serve a folder over HTTP, with pages that list its files."""
    web = pytest.importorskip("aiohttp.web", reason="needs the extra [cloud]")
    loop, ports, stop = asyncio.new_event_loop(), [], asyncio.Event()
    ready = threading.Event()

    async def serve():
        app = web.Application()
        app.router.add_static("/", folder, show_index=True)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.append(site._server.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_tables_behind_a_web_server(tmp_path):
    pytest.importorskip("upath", reason="needs the extra [cloud]")
    tables = eight_cells()
    tables[SYNAPSES] = synapse_rows(tables[CONNECTIONS])
    write_tables(tmp_path / "parquet", tables)
    write_tables(tmp_path / "csv", tables, form="csv.gz")
    dumped(tmp_path / "dump")
    with served(tmp_path) as address:
        for kind in ("parquet", "csv", "dump"):
            source = open_folder(f"{address}/{kind}")
            assert source.materialization == "1300"
            assert source[SYNAPSES].read().sort_by("id").column("size").to_pylist() == list(range(100, 116))
            assert source[CENSUS].read().select(["id", "cell_type"]) == tables[CENSUS].select(["id", "cell_type"])


def test_what_is_not_there_and_what_is_broken_is_said(tmp_path, storage):
    with pytest.raises(SourceError, match=r"not a folder\n.*memory://.*nowhere\n.*nothing"):
        open_folder("memory://bucket/nowhere")
    address = upload(storage, write_tables(tmp_path, eight_cells()))
    storage.pipe(f"/bucket/v1300/{CENSUS}.parquet", b"no parquet" * 9)
    with pytest.raises(SourceError, match=rf"cannot be read\n.*{CENSUS}.parquet"):
        open_folder(address)


@pytest.mark.parametrize("address", ["carrier-pigeon://loft", "file:///tables"])
@pytest.mark.parametrize("installed", [True, False])
def test_an_address_that_nothing_reads(monkeypatch, address, installed):
    if not installed:
        monkeypatch.setitem(sys.modules, "upath", None)
    kind = address.split(":")[0]
    with pytest.raises(SourceError, match=rf"no such kind of storage\n.*{address}\n.*{kind}\n.*a local path, gs://"):
        open_folder(address)


@pytest.mark.parametrize(
    ("address", "missing", "package"),
    [("gs://bucket/v1300", "upath", "gcsfs"), ("gs://bucket", "gcsfs", "gcsfs"), ("s3://bucket", "s3fs", "s3fs")],
)
def test_what_is_missing_is_named(monkeypatch, address, missing, package):
    if missing != "upath":
        pytest.importorskip("upath", reason="needs the extra [cloud]")
    monkeypatch.setitem(sys.modules, missing, None)
    kind = address.split(":")[0]
    message = rf"what reads {kind}:// is not installed\n.*{address}\n[\s\S]*pip install universal-pathlib {package}$"
    with pytest.raises(SourceError, match=message):
        open_source(address)
