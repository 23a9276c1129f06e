"""Properties of spec files: what is written is read, order of keys means nothing, no damage ends in a traceback."""

from __future__ import annotations

import copy
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
from columns import NETWORKS, twelve_cells
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectome2net.spec import digest_document, make_spec, open_spec, read_spec, write_spec
from connectome2net.spec.parse import parse_document
from connectome2net.spec.tables import CELLS_SCHEMA, EDGES_SCHEMA
from connectome2net.spec.write import document_text

SPECS = {network: twelve_cells(network) for network in NETWORKS}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
integers = st.integers(-(2**63), 2**63 - 1)
number = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    """Tables of the right columns with any values: a spec need not be valid to be kept as it is."""
    count = draw(st.integers(0, 6))
    kinds = {pa.int32(): st.integers(0, 9), pa.int64(): integers, pa.string(): words, pa.float64(): number}
    kinds[pa.bool_()] = st.booleans()

    def table(schema: pa.Schema, rows: int) -> pa.Table:
        columns = []
        for field in schema:
            value = kinds[field.type] | st.none() if field.nullable else kinds[field.type]
            columns.append(pa.array(draw(st.lists(value, min_size=rows, max_size=rows)), field.type))
        return pa.table(columns, schema=schema)

    return table(CELLS_SCHEMA, count), table(EDGES_SCHEMA, draw(st.integers(0, 6)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables=tables(), name=words, why=words, parameters=st.dictionaries(words, words, max_size=3))
def test_what_is_written_is_read(
    tables: tuple[pa.Table, pa.Table], name: str, why: str, parameters: dict[str, str]
) -> None:
    document = SPECS["pairs"].document
    provenance = document.provenance.model_copy(update={"parameters": parameters, "why": why})
    document = document.model_copy(update={"name": name, "provenance": provenance})
    spec = make_spec(document, cells=tables[0], edges=tables[1])
    with tempfile.TemporaryDirectory() as folder:
        write_spec(spec, folder)
        again, _ = open_spec(folder)
    assert again == spec
    assert digest_document(again.document) == digest_document(spec.document)


@settings(max_examples=60, deadline=None)
@given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**32), indent=st.sampled_from([None, 0, 1, 7]))
def test_order_of_keys_and_white_space_mean_nothing(network: str, seed: int, indent: int | None) -> None:
    document = SPECS[network].document
    turned = shuffle_keys(json.loads(document_text(document)), random.Random(seed))
    text = json.dumps(turned, indent=indent, ensure_ascii=seed % 2 == 0)
    again, issues = parse_document(text.encode())
    assert issues == []
    assert again == document
    assert digest_document(again) == digest_document(document)
    assert document_text(again) == document_text(document)


def shuffle_keys(data: Any, order: random.Random) -> Any:
    if isinstance(data, list):
        return [shuffle_keys(item, order) for item in data]
    if isinstance(data, dict):
        keys = order.sample(sorted(data), len(data))
        return {key: shuffle_keys(data[key], order) for key in keys}
    return data


VALUES: list[Any] = [None, True, False, 0, 1, -1, 2, 4097, 2**70, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf")]
VALUES += [
    "",
    "*",
    "A",
    "L4E",
    "hebbian",
    "dense",
    "dale",
    "total_size",
    "x" * 300,
    "a/b~c",
    "\u0000",
    "\ud800",
    "[key]",
]
VALUES += [[], {}, [[]], ["*"], ["I", "I"], [None], {"": 1}, {"rule": "oja"}, {"[key]": 1}]
KEYS = ["", "why", "name", "[key]", "hebbian", "a/b", "rule", "kind", "0", "\n"]


def places(data: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every way to a value inside some JSON."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [(*way, step) for step, _ in inner] + [more for step, item in inner for more in places(item, (*way, step))]


def at(data: Any, way: tuple[Any, ...]) -> Any:
    for step in way:
        data = data[step]
    return data


def damage(data: Any, chance: random.Random) -> None:
    """Change one place: another value, no value, a key or an item more, or what stands somewhere else."""
    way = chance.choice(places(data))
    holder, step = at(data, way[:-1]), way[-1]
    match chance.randrange(5):
        case 0 | 1:
            holder[step] = copy.deepcopy(chance.choice(VALUES))
        case 2:
            del holder[step]
        case 3 if isinstance(holder, list):
            holder.insert(step, copy.deepcopy(chance.choice([holder[step], *VALUES])))
        case 3:
            holder[chance.choice(KEYS)] = copy.deepcopy(chance.choice([holder[step], *VALUES]))
        case _:
            holder[step] = copy.deepcopy(at(data, chance.choice(places(data))))


@settings(max_examples=400, deadline=None)
@given(network=st.sampled_from(NETWORKS), seed=st.integers(0, 2**63), times=st.integers(1, 4))
def test_damage_gives_issues_or_a_valid_spec(network: str, seed: int, times: int) -> None:
    chance = random.Random(seed)
    data = json.loads(document_text(SPECS[network].document))
    for _ in range(times):
        damage(data, chance)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_spec(SPECS[network], folder)
        (folder / "spec.json").write_text(json.dumps(data))
        spec, issues = open_spec(folder)
        for issue in issues:
            assert all([issue.path, issue.found, issue.wanted, issue.fix]), issue
            str(issue).encode()
        if not issues:
            write_spec(spec, folder / "again")
            assert read_spec(folder / "again").network == spec.network
