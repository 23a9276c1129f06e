"""A server that cuts, shuffles, fails, hangs, breaks off or miscounts: the right rows, or one clear error."""

import io
import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import duckdb
import ibis
import numpy as np
import pyarrow as pa
import pytest
from cave_server import FOR_EVER, HASTY, TERMS, TOKEN
from hypothesis import given
from hypothesis import strategies as st
from published_tables import CENSUS, CONNECTIONS, PROOFREADING, SYNAPSES, eight_cells, root, synapse_rows

from connectome2net.errors import SourceError
from connectome2net.sources import open_source
from connectome2net.sources.cave.cache import STALE_S, Cache
from connectome2net.sources.cave.open import open_cave
from connectome2net.sources.cave.progress import Progress
from connectome2net.sources.cave.query import Among, Rows
from connectome2net.sources.cave.server import Server

CELLS = np.array([root(nucleus) for nucleus in (10, 20, 30, 40, 50, 60, 70, 80)])
ROWS = synapse_rows(eight_cells()[CONNECTIONS])
TOUCHED_NOTHING = r"[\s\S]*nothing is written"


def fetch(*, piece_rows=5, **options):
    return open_cave(patience=HASTY, piece_rows=piece_rows, **options).fetch_synapses(CELLS)


def is_right(fetched):
    rows = fetched.read().sort_by("id")
    return all(rows[name].to_pylist() == ROWS[name].to_pylist() for name in rows.column_names) and len(rows) == 16


@pytest.mark.parametrize("cap", [4, 5, 7, 15, 16])
def test_an_answer_that_is_cut_with_a_header_is_asked_for_in_parts(cave, cap):
    cave.wrong.cap = cap
    assert is_right(fetch(piece_rows=100))
    assert len(cave.queries("rows")) > 4 or cap > 7


@pytest.mark.parametrize("cap", [2, 4, 5, 7])
def test_an_answer_that_is_cut_with_a_header_is_not_believed_though_its_count_is_cut_as_well(cave, cap):
    cave.wrong.cap, cave.wrong.caps_counts = cap, True
    with pytest.raises(SourceError, match=rf"more rows than the server counts\n.*{CENSUS}\n.*8 rows\n.*{cap} rows"):
        open_cave(patience=HASTY)


def test_an_answer_that_is_cut_is_noticed_though_caveclient_asks_for_more_in_between(cave):
    open_cave(patience=HASTY)
    cave.wrong.cap, cave.wrong.tells_resolution = 7, False
    assert is_right(fetch(piece_rows=100))


def test_a_limit_that_is_learned_holds_for_the_rest(cave):
    cave.wrong.cap = 4
    fetch(piece_rows=100)
    cut = [body for kind, table, body in cave.asked if kind == "rows" and table == SYNAPSES]
    assert len(cut) < 10


def test_an_answer_that_is_cut_in_silence_is_an_error(cave, tmp_path):
    cave.wrong.cap, cave.wrong.tells_cap = 10, False
    with pytest.raises(SourceError, match=r"rows are missing\n.*synapses_pni_2\n.*10 rows\n.*16 rows[\s\S]*nothing is"):
        fetch(piece_rows=100)
    assert not list((tmp_path / "cache").rglob("synapses_pni_2/*"))
    assert is_right(fetch(piece_rows=9))


def test_a_piece_that_cannot_be_made_smaller_and_is_cut_is_an_error(cave):
    open_cave(patience=HASTY)
    cave.wrong.cap = 3
    with pytest.raises(
        SourceError, match=r"cuts a piece that cannot be made smaller\n.*\n.*4 rows, and answers of 3 at"
    ):
        fetch()


def test_the_order_of_rows_does_not_matter(cave, tmp_path):
    ordered = fetch(cache=tmp_path / "ordered")
    cave.wrong.shuffles = True
    assert fetch(cache=tmp_path / "shuffled").read().equals(ordered.read())


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_failures_that_pass_are_waited_for(cave, status):
    cave.wrong.status, cave.wrong.status_times = status, 2
    assert is_right(fetch())


def test_the_server_is_waited_for_as_long_as_it_asks(cave):
    cave.wrong.status, cave.wrong.status_times, cave.wrong.retry_after = 429, 1, "3600"
    assert is_right(fetch())  # HASTY waits 0.05 s at most


@pytest.mark.parametrize(
    ("status", "text"),
    [(429, "CAVE keeps asking to wait"), (503, "CAVE keeps failing"), (500, "CAVE keeps failing")],
)
def test_failures_that_do_not_pass_are_an_error_that_says_how_to_go_on(cave, status, text):
    cave.wrong.status, cave.wrong.status_times = status, FOR_EVER
    with pytest.raises(
        SourceError, match=rf"{text}\n.*cave:minnie65_.* on http.*\n.*{status} busy, 3 times\n.*goes on"
    ):
        fetch()


def test_an_answer_that_does_not_come_is_asked_for_again(cave):
    cave.wrong.hangs = 1
    assert is_right(fetch_hastily())


def fetch_hastily():
    return open_cave(patience=replace(HASTY, read_s=0.3), piece_rows=5).fetch_synapses(CELLS)


def test_an_answer_that_never_comes_is_an_error(cave):
    cave.wrong.hangs = FOR_EVER
    with pytest.raises(SourceError, match=r"does not answer in time\n.*\n.*0.3 s \(an answer\), 3 times\n.*goes on"):
        fetch_hastily()


@pytest.mark.parametrize("fault", ["breaks_off", "garbles"])
def test_a_stream_that_breaks_off_is_asked_for_again(cave, fault):
    setattr(cave.wrong, fault, 2)
    assert is_right(fetch())
    setattr(cave.wrong, fault, FOR_EVER)
    with pytest.raises(SourceError, match=r"breaks off or cannot be read\n.*\n.*, 3 times\n.*goes on where it stopped"):
        open_cave("cave@943", patience=HASTY)


def test_a_row_that_takes_the_place_of_another_is_an_error(cave):
    open_cave(patience=HASTY)
    cave.wrong.repeats_rows = FOR_EVER
    with pytest.raises(SourceError, match=r"rows come more than once\n.*column id\n.*1 repeated ids" + TOUCHED_NOTHING):
        fetch(piece_rows=100)


def test_rows_that_come_in_two_pieces_are_an_error(cave):
    open_cave(patience=HASTY)
    rows = cave.tables[SYNAPSES]
    at = rows.column_names.index("id")
    cave.tables = cave.tables | {SYNAPSES: rows.set_column(at, "id", [[*range(15), 0]])}
    with pytest.raises(SourceError, match=r"rows come more than once[\s\S]*1 repeated ids among 16 rows"):
        fetch()


@pytest.mark.parametrize(("by", "text"), [(1, "rows are missing"), (-1, "there are more rows than the server counts")])
def test_a_wrong_count_of_a_piece_is_an_error(cave, by, text):
    open_cave(patience=HASTY)
    cave.wrong.miscounts, cave.wrong.miscounts_by = FOR_EVER, by
    with pytest.raises(SourceError, match=rf"{text}\n.*\n.*16 rows\n.*{16 + by} rows" + TOUCHED_NOTHING):
        fetch(piece_rows=100)


def test_a_wrong_count_of_the_whole_is_an_error(cave):
    open_cave(patience=HASTY)
    cave.wrong.miscounts = 1
    with pytest.raises(SourceError, match=r"rows are missing\n.*\n.*16 rows\n.*17 rows" + TOUCHED_NOTHING):
        fetch()


def test_pieces_that_do_not_add_up_are_fetched_anew(cave, tmp_path):
    open_cave(patience=HASTY)
    cave.wrong.lags = True
    with pytest.raises(SourceError, match=r"rows are missing\n.*synapses_pni_2\n[\s\S]*pieces are fetched anew when"):
        fetch(piece_rows=6)
    assert not list((tmp_path / "cache").rglob("synapses_pni_2/*"))
    cave.wrong.lags = False
    assert is_right(fetch(piece_rows=6))


def test_a_server_that_does_not_count_is_refused(cave):
    cave.wrong.counts = False
    with pytest.raises(SourceError, match=rf"the server does not count rows.*\n.*{CENSUS}"):
        fetch()


def test_a_filter_that_is_not_applied_is_noticed(cave):
    source = open_cave(patience=HASTY)
    cave.wrong.ignores_filters = True
    with pytest.raises(SourceError, match=r"rows that were not asked for\n.*\n.*6 of 16 rows outside the filter"):
        source.fetch_synapses(CELLS[[0, 3, 4]])


def test_ids_that_are_floats_are_refused(cave):
    cave.wrong.floats = True
    with pytest.raises(SourceError, match=r"an id has the wrong type\n.*column id\n.*double.*\n.*2\^53"):
        fetch()


def sends(monkeypatch, change):
    """Change every frame that arrives."""
    rows = Server.rows
    monkeypatch.setattr(Server, "rows", lambda server, query: (change(rows(server, query)[0]), None))


def test_ids_beyond_int64_are_refused(cave):
    rows = cave.tables["nucleus_detection_v0"]
    at = rows.column_names.index("pt_root_id")
    beyond = pa.array([2**63 + 5] * rows.num_rows, pa.uint64())
    cave.tables = cave.tables | {"nucleus_detection_v0": rows.set_column(at, "pt_root_id", beyond)}
    with pytest.raises(
        SourceError, match=r"a column cannot be read\n.*, column pt_root_id\n.*9223372036854775813.*\n.*int64"
    ):
        fetch()


@pytest.mark.parametrize(
    ("missing", "asked"),
    [("id", lambda: open_cave(patience=HASTY)), ("id", fetch), ("post_pt_root_id", fetch)],
    ids=["tables", "synapses", "ends"],
)
def test_rows_without_what_was_asked_for_are_refused(cave, monkeypatch, missing, asked):
    if asked is fetch:
        open_cave(patience=HASTY)
    sends(monkeypatch, lambda frame: frame.drop(columns=missing))
    with pytest.raises(SourceError, match=rf"the server leaves a column out\n.*\n[\s\S]*wanted: +{missing}"):
        asked()


def test_pieces_that_do_not_fit_together_are_an_error_and_are_fetched_anew(cave, monkeypatch, tmp_path):
    def changed(frame):
        if "status_axon" in frame and frame.id.min() > 3:
            return frame.assign(status_axon=frame.status_axon.map({True: "t", False: "f"}))
        return frame

    with monkeypatch.context() as patched:
        sends(patched, changed)
        with pytest.raises(
            SourceError, match=rf"pieces do not fit together\n.*{PROOFREADING}\n.*bool[\s\S]*fetched anew"
        ):
            fetch(piece_rows=3)
    assert not list((tmp_path / "cache").rglob(f"{PROOFREADING}/*"))
    assert is_right(fetch(piece_rows=3))


@pytest.mark.parametrize("text", ["0123\n4567", "schlüssel", "токен", "two words", "a\x7fb"])
@pytest.mark.parametrize("place", ["CAVE_TOKEN", "CAVEclient's file"])
def test_a_token_that_cannot_be_one_is_not_sent_and_not_shown(cave, monkeypatch, tmp_path, text, place):
    if place == "CAVE_TOKEN":
        monkeypatch.setenv("CAVE_TOKEN", text)
    else:
        monkeypatch.delenv("CAVE_TOKEN")
        secrets = tmp_path / "home" / ".cloudvolume" / "secrets"
        secrets.mkdir(parents=True)
        (secrets / "cave-secret.json").write_text(json.dumps({"token": text}))
    with pytest.raises(
        SourceError, match=rf"this is no CAVE token\n.*{place}[\s\S]*\n.*{len(text)} characters"
    ) as caught:
        open_source("cave")
    assert text not in str(caught.value)
    assert not cave.asked


def test_blanks_around_a_token_are_not_part_of_it(cave, monkeypatch):
    monkeypatch.setenv("CAVE_TOKEN", f" \t{TOKEN}\r\n")
    assert is_right(fetch())


def test_no_token(cave, monkeypatch):
    monkeypatch.delenv("CAVE_TOKEN")
    with pytest.raises(SourceError, match=r"there is no CAVE token\n.*CAVE_TOKEN, CAVEclient's file[\s\S]*sticky_auth"):
        open_source("cave")
    assert not cave.asked


def test_a_token_that_is_not_accepted(cave, monkeypatch):
    monkeypatch.setenv("CAVE_TOKEN", "f" * 32)
    with pytest.raises(SourceError, match=r"does not accept the token[\s\S]*Invalid or Expired[\s\S]*newest") as caught:
        open_source("cave")
    assert "f" * 32 not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"redirects": True}, "302, a redirection to https://accounts.example.org/login"),
        ({"redirects": True, "location": ""}, "302, a redirection to nowhere"),
        ({"login_page": True}, "a web page"),
    ],
    ids=["redirection", "redirection to nowhere", "page"],
)
def test_what_is_no_answer_of_cave_is_told_at_once(cave, wrong, found):
    cave.wrong = replace(cave.wrong, **wrong)
    with pytest.raises(SourceError, match=rf"no answer of CAVE\n.*{cave.address}.*\n.*{found}\n.*\n.*C2N_CAVE_SERVER"):
        open_source("cave")


def test_terms_that_are_not_accepted_open_no_browser_and_name_the_address(cave):
    cave.wrong.missing_terms = True
    with pytest.raises(
        SourceError, match=rf"terms .* are not accepted\n.*\n.*MICrONS Public\n.*open {re.escape(TERMS)}"
    ):
        open_source("cave")


def test_data_that_the_account_may_not_see(cave):
    cave.wrong.refuses = FOR_EVER
    with pytest.raises(SourceError, match=r"may not see these data\n.*\n.*Missing permission: view for dataset"):
        open_source("cave")


def test_a_datastack_that_there_is_not(cave):
    with pytest.raises(SourceError, match=r"not know this datastack\n.*\n.*minnie66\n.*minnie65_phase3_v1, minnie65"):
        open_source("cave:minnie66")


def test_a_version_that_has_expired(cave):
    with pytest.raises(SourceError, match=r"has expired\n.*minnie65.*\n.*1078\n.*117, 943, 1300\n.*1300, the"):
        open_source("cave@1078")


def test_a_version_that_there_is_not(cave):
    with pytest.raises(SourceError, match=r"no such version\n.*\n.*1301\n.*117, 943, 1300\n.*@VERSION"):
        open_source("cave@1301")


def test_a_table_that_is_not_at_this_version(cave):
    cave.tables = {name: table for name, table in cave.tables.items() if name != SYNAPSES}
    with pytest.raises(SourceError, match=r"synapses_pni_2 is not at this version\n.*@1300\n.*a_table"):
        fetch()


def test_a_version_without_cells(cave):
    cave.tables = {SYNAPSES: cave.tables[SYNAPSES]}
    with pytest.raises(SourceError, match="nucleus_detection_v0 is not at this version"):
        fetch()


def test_a_list_of_tables_that_does_not_suffice_is_asked_for_again(cave):
    whole = cave.tables
    for there in ({}, {SYNAPSES: whole[SYNAPSES]}, {name: whole[name] for name in whole if name != SYNAPSES}):
        cave.tables = there
        with pytest.raises(SourceError, match="is not at this version"):
            fetch()
    cave.tables = whole
    assert is_right(fetch())


def test_a_server_that_is_not_there(cave):
    with pytest.raises(SourceError, match=r"not reached\n.*127.0.0.1:1\n.*ConnectionError, 3 times\n.*C2N_CAVE_SERVER"):
        fetch(server="http://127.0.0.1:1")


@pytest.mark.parametrize("version", ["5.0.0", ""])
def test_a_server_that_is_too_old_for_this_client(cave, version):
    cave.engine_version = version
    with pytest.raises(SourceError, match=r"do not fit together\n.*\n.*5.13.0"):
        fetch()


def test_a_refusal_of_another_kind_is_told_in_the_words_of_the_server(cave):
    open_cave(patience=HASTY)
    cave.wrong.status, cave.wrong.status_times = 410, 1
    with pytest.raises(SourceError, match=r"CAVE does not answer this\n.*\n.*410 busy\n.*c2n doctor"):
        fetch()
    assert len(cave.asked) - len(cave.queries("rows")) == 4


def test_a_cache_that_cannot_be_written(cave, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"the cache cannot be written\n.*\n.*directory\n.*C2N_CACHE=DIR"):
        fetch(cache=tmp_path / "file")


def test_a_size_of_pieces_that_is_none(cave, monkeypatch):
    monkeypatch.setenv("C2N_CAVE_PIECE_ROWS", "many")
    with pytest.raises(SourceError, match=r"size of pieces is not understood\n.*C2N_CAVE_PIECE_ROWS\n.*many"):
        open_source("cave")


def test_a_position_unit_is_not_for_cave():
    with pytest.raises(SourceError, match=r"this option is not for CAVE\n.*--position-unit"):
        open_source("cave", position_unit="nm")


def test_a_finished_download_needs_neither_server_nor_token(cave, monkeypatch, tmp_path):
    first = fetch(cache=tmp_path / "cache")
    asked = len(cave.asked)
    monkeypatch.delenv("CAVE_TOKEN")
    cave.wrong.status, cave.wrong.status_times = 503, FOR_EVER
    assert fetch(cache=tmp_path / "cache").read().equals(first.read())
    assert len(cave.asked) == asked


def test_what_has_arrived_is_not_fetched_again(cave):
    open_cave(patience=HASTY)
    opened = len(cave.queries("rows"))
    cave.wrong.rows_left = 2
    with pytest.raises(SourceError, match="CAVE keeps failing"):
        fetch(piece_rows=3)
    arrived = [str(body) for _, _, body in cave.queries("rows")[opened : opened + 2]]
    first = len(cave.queries("rows"))
    cave.wrong.rows_left = FOR_EVER
    assert is_right(fetch(piece_rows=3))
    later = [str(body) for _, _, body in cave.queries("rows")[first:]]
    assert len(later) > 2
    assert not set(arrived) & set(later)


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    cache = Cache(tmp_path)
    file = cache.write("t", "name", ROWS)
    assert cache.read("t", "name").equals(ROWS)
    content = file.read_bytes()
    for at in range(len(content)):
        file.write_bytes(content[:at] + bytes([content[at] ^ 0x04]) + content[at + 1 :])
        assert cache.read("t", "name") is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty"])
def test_a_broken_file_in_the_cache_is_fetched_again(cave, tmp_path, damage):
    first = fetch(cache=tmp_path / "cache").read()
    (file,) = (tmp_path / "cache").rglob("synapses_pni_2/*.parquet")
    content = bytearray(file.read_bytes())
    if damage == "foreign":
        (other,) = (tmp_path / "cache").rglob(f"{CENSUS}/*.parquet")
        shutil.copy(other, file)
    elif damage == "flipped":
        content[60] ^= 0xFF
        file.write_bytes(content)
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    again = fetch(cache=tmp_path / "cache")
    assert is_right(again)
    assert again.read().equals(first)


@pytest.mark.parametrize("damage", [lambda content: content[:60], lambda _: b"", lambda _: b"\xff\xfe"])
def test_a_broken_list_of_tables_is_fetched_again(cave, tmp_path, damage):
    first = open_cave(patience=HASTY, cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").rglob("tables*")
    file.write_bytes(damage(file.read_bytes()))
    again = open_cave(patience=HASTY, cache=tmp_path / "cache")
    assert (set(again.tables), again.notes) == (set(first.tables), first.notes)


def test_what_killed_downloads_left_is_removed_when_it_is_old(cave, tmp_path):
    fetch(cache=tmp_path / "cache")
    folder = next((tmp_path / "cache").rglob("synapses_pni_2"))
    for name, age in (("old", 2 * STALE_S), ("new", 10)):
        (folder / f".{name}.part").write_text("")
        os.utime(folder / f".{name}.part", (time.time() - age,) * 2)
    shutil.rmtree(next(folder.parent.glob(CENSUS)))
    for file in folder.glob("*.parquet"):
        file.unlink()
    fetch(cache=tmp_path / "cache")
    assert [file.name for file in folder.glob(".*")] == [".new.part"]


def test_a_file_that_another_process_finishes_while_it_is_looked_at_is_left_alone(tmp_path, monkeypatch):
    cache, look = Cache(tmp_path), Path.stat
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / ".other.part").write_text("")

    def then_it_is_gone(path: Path, **options: bool) -> os.stat_result:
        try:
            return look(path, **options)
        finally:
            if path.suffix == ".part":
                path.unlink(missing_ok=True)

    monkeypatch.setattr(Path, "stat", then_it_is_gone)
    cache.remove("t", [])


@given(st.lists(st.integers(0, 2**40), unique=True, min_size=1, max_size=60), st.integers(2, 7), st.data())
def test_parts_of_a_table_are_the_whole(ids, number, data):
    query = Rows("t")
    for _ in range(20):
        parts = query.parts(number)
        assert [parts[0].first, parts[-1].end] == [query.first, query.end]
        assert [part.first for part in parts[1:]] == [part.end for part in parts[:-1]]
        for part in parts:
            assert part.end is None or part.first < part.end
        inside = [[one for one in ids if part.first <= one and (part.end is None or one < part.end)] for part in parts]
        wanted = [one for one in ids if query.first <= one and (query.end is None or one < query.end)]
        assert sorted(chain.from_iterable(inside)) == sorted(wanted)
        query = data.draw(st.sampled_from(parts))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_parts_of_synapses_are_the_whole(pre, post, number):
    query = Among("s", tuple(range(pre)), tuple(range(100, 100 + post)))
    pairs = [(a, b) for part in query.parts(number) for a in part.pre for b in part.post]
    assert sorted(pairs) == [(a, b) for a in query.pre for b in query.post]


def test_a_download_that_is_stopped_says_that_it_goes_on(cave, monkeypatch):
    source = open_cave(patience=HASTY)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("connectome2net.sources.cave.cache.Cache.write", stop)
    with pytest.raises(KeyboardInterrupt) as stopped:
        source.fetch_synapses(CELLS)
    assert stopped.value.__notes__ == [
        "What has arrived is kept; repeat the same command later: it goes on where it stopped."
    ]


@pytest.mark.parametrize("error", [duckdb.InterruptException("Interrupted"), RuntimeError("Query interrupted")])
def test_what_duckdb_makes_of_a_stop_is_a_stop(cave, monkeypatch, error):
    open_cave(patience=HASTY)
    asked = []

    def stops(run):
        def stop(*given: object, **options: object) -> object:
            asked.append(run)
            if len(asked) == at:
                raise error
            return run(*given, **options)

        return stop

    for name in ("raw_sql", "to_pyarrow"):
        monkeypatch.setattr(ibis.backends.duckdb.Backend, name, stops(getattr(ibis.backends.duckdb.Backend, name)))
    at = 0
    open_cave(patience=HASTY)
    questions = len(asked)
    for number in range(questions):
        at = number + 1
        asked.clear()
        with pytest.raises(KeyboardInterrupt):
            open_cave(patience=HASTY)
    assert questions > 5


def test_the_name_of_the_cache_is_no_pattern(cave, tmp_path):
    fetch(cache=tmp_path / "ca1")
    for file in (tmp_path / "ca1").rglob("*.parquet"):
        file.write_bytes(b"")
    assert is_right(fetch(cache=tmp_path / "ca[1]"))


def test_where_nobody_watches_there_is_a_line_for_each_table(cave, capsys):
    cave.wrong.rows_left = 5
    with pytest.raises(SourceError):
        fetch(piece_rows=5)
    assert capsys.readouterr().err.splitlines() == [f"CAVE: {CENSUS}, 8 rows"]
    cave.wrong.rows_left = FOR_EVER
    fetch(piece_rows=5)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "CAVE: nucleus_detection_v0, 8 rows, 6 of them from an earlier download"
    assert lines[-1] == "CAVE: synapses_pni_2, 16 rows"
    fetch(piece_rows=5)
    assert capsys.readouterr().err == ""


def test_where_nobody_watches_a_long_download_tells_how_far_it_is(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Progress("synapses_pni_2", 1000) as progress:
        for rows, seconds in ((600, 200), (100, 100), (100, 100), (200, 100)):
            now[0] += seconds
            progress.arrived(rows, fetched=rows < 600)
    assert capsys.readouterr().err.splitlines() == [
        "CAVE: synapses_pni_2, 600 of 1,000 rows",  # kept from before: nobody knows how fast the server is
        "CAVE: synapses_pni_2, 800 of 1,000 rows, 0:06:40 left",
        "CAVE: synapses_pni_2, 1,000 rows, 600 of them from an earlier download",
    ]


def test_who_watches_sees_the_rows_and_the_time_left(monkeypatch):
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Progress("synapses_pni_2", 1000) as progress:
        progress.arrived(600, fetched=False)  # kept: took no time
        now[0] += 50
        progress.arrived(100, fetched=True)
        shown = progress.screen.console.file = io.StringIO()
        progress.bar.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert re.search(r"synapses_pni_2 .*700/1,000 rows +0:02:30 left", text)


def test_two_downloads_at_once_share_a_cache(cave, tmp_path):
    cave.wrong.slow_s = 0.005
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda _: fetch(cache=tmp_path / "cache", piece_rows=3), range(4)))
    assert all(map(is_right, fetched))
    assert not list((tmp_path / "cache").rglob(".*.part"))
