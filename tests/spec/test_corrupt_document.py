"""Corruptions of the text and the shape of spec.json."""

from __future__ import annotations

from pathlib import Path

import pytest
from corrupting import CHANGE, NAME, Case, check, drop, put, raw, text

LINE = '"leak": 0.5'
TEXTS = [
    Case("empty", "pairs", raw(b""), "/", "no JSON (Expecting value", "a JSON object", "mend the text"),
    Case("cut off", "pairs", raw(b'{"format": "conn'), "/", "no JSON (Unterminated", "a JSON object", "mend the text"),
    Case(
        "no utf-8", "pairs", raw(b'{"name": "\xe4"}'), "/", "no JSON ('utf-8' codec", "a JSON object", "mend the text"
    ),
    Case("utf-16", "pairs", raw("{}".encode("utf-16")), "/", "no JSON ('utf-8'", "a JSON object", "mend the text"),
    Case("too deep", "pairs", raw(b"[" * 99999), "/", "no JSON (maximum recursion", "a JSON object", "mend the text"),
    Case(
        "too deep for pydantic",
        "pairs",
        text('"by hand"', "[" * 400 + "]" * 400),
        "/",
        "no JSON (recursion limit",
        "a JSON object",
        "mend the text",
    ),
    Case("half a character", "pairs", text("by hand", "\\ud800"), "/", "no JSON (", "a JSON object", "mend the text"),
    Case(
        "key twice",
        "pairs",
        text(LINE, f"{LINE}, {LINE}"),
        "/",
        'no JSON (the key "leak" twice in {"model": "rate", "leak": 0.5, "learn_leak": false, "norm',
        "a JSON object",
        "mend the text",
    ),
    Case(
        "5,000 digits", "pairs", text(LINE, f'"leak": {"9" * 5000}'), "/", "no JSON (Exceeds", "a JSON object", "mend"
    ),
    Case("a list", "pairs", raw(b"[]"), "/", "[]", "an object", CHANGE),
    Case("null", "pairs", raw(b"null"), "/", "null", "an object", CHANGE),
]

LEAK, CLASSES = "/network/dynamics/leak", "/network/readout/classes"
FINITE = "a finite number"
SHAPES = [
    Case("too new", "pairs", put("/format_version", 2), "/format_version", "2", "at most 1", "use a newer connectome"),
    Case("version 0", "pairs", put("/format_version", 0), "/format_version", "0", "greater than or equal to 1", CHANGE),
    Case("version true", "pairs", put("/format_version", True), "/format_version", "true", "a valid integer", CHANGE),
    Case("version 1.0", "pairs", put("/format_version", 1.0), "/format_version", "1.0", "a valid integer", CHANGE),
    Case("version text", "pairs", put("/format_version", "1"), "/format_version", '"1"', "a valid integer", CHANGE),
    Case("no version", "pairs", drop("/format_version"), "/format_version", "nothing", "a value", "add it"),
    Case("no format", "pairs", drop("/format"), "/format", "nothing", "a value", "add it"),
    Case("format", "pairs", put("/format", "nir"), "/format", '"nir"', "'connectome2net.spec'", CHANGE),
    Case("no input", "pairs", drop("/network/input"), "/network/input", "nothing", "a value", "add it"),
    Case(
        "no population",
        "pairs",
        drop("/network/input/population"),
        "/network/input/population",
        "nothing",
        "a value",
        "add it",
    ),
    Case(
        "no rate", "pairs", drop("/network/plasticity/oja/rate"), "/network/plasticity/oja/rate", "nothing", "a", "add"
    ),
    Case(
        "unknown key",
        "pairs",
        put("/network/dynamics/leek", 1),
        "/network/dynamics/leek",
        "a key that the format does not have",
        "no such key",
        "remove it or mend its spelling",
    ),
    Case("slash in a key", "pairs", put("/network/x", {}), "/network/x", "a key that", "no such key", "remove it"),
    Case("NaN", "pairs", put(LEAK, float("nan")), LEAK, "NaN", FINITE, CHANGE),
    Case("Infinity", "pairs", put(LEAK, float("inf")), LEAK, "Infinity", FINITE, CHANGE),
    Case("1e999", "pairs", text(LINE, '"leak": 1e999'), LEAK, "Infinity", FINITE, CHANGE),
    Case("true for a number", "pairs", put(LEAK, True), LEAK, "true", "a valid number", CHANGE),
    Case("text for a number", "pairs", put(LEAK, "0.5"), LEAK, '"0.5"', "a valid number", CHANGE),
    Case("null for a number", "pairs", put(LEAK, None), LEAK, "null", "a valid number", CHANGE),
    Case("leak 0", "pairs", put(LEAK, 0), LEAK, "0", "greater than 0", CHANGE),
    Case("true for an integer", "pairs", put(CLASSES, True), CLASSES, "true", "a valid integer", CHANGE),
    Case("text for an integer", "pairs", put(CLASSES, "3"), CLASSES, '"3"', "a valid integer", CHANGE),
    Case("fraction for an integer", "pairs", put(CLASSES, 3.0), CLASSES, "3.0", "a valid integer", CHANGE),
    Case("one class", "pairs", put(CLASSES, 1), CLASSES, "1", "greater than or equal to 2", CHANGE),
    Case(
        "too many classes", "pairs", put(CLASSES, 10**500), CLASSES, "1" + "0" * 56 + "...", "less than or eq", CHANGE
    ),
    Case(
        "1 for true",
        "pairs",
        put("/network/readout/bypass", 1),
        "/network/readout/bypass",
        "1",
        "a valid boolean",
        CHANGE,
    ),
    Case("number for text", "pairs", put("/name", 5), "/name", "5", "a valid string", CHANGE),
    Case(
        "object for a list", "pairs", put("/network/projections", {}), "/network/projections", "{}", "a valid", CHANGE
    ),
    Case(
        "dropout 1",
        "pairs",
        put("/network/readout/dropout", 1.0),
        "/network/readout/dropout",
        "1.0",
        "less than 1",
        CHANGE,
    ),
    Case(
        "even neighbourhood",
        "pairs",
        put("/network/input/neighbourhood", 4),
        "/network/input/neighbourhood",
        "4",
        "an odd number, so that there is a centre",
        CHANGE,
    ),
    Case(
        "even surround",
        "feedforward",
        put("/network/front_end/blocks/0/lateral_inhibition/surround", 2),
        "/network/front_end/blocks/0/lateral_inhibition/surround",
        "2",
        "an odd number",
        CHANGE,
    ),
    Case(
        "inhibition above 1",
        "feedforward",
        put("/network/inhibition/strength", 1.5),
        "/network/inhibition/strength",
        "1.5",
        "less than or equal to 1",
        CHANGE,
    ),
    Case(
        "kind",
        "pairs",
        put("/network/input/kind", "optic"),
        "/network/input/kind",
        "'optic'",
        "'retinotopic' or 'dense'",
        CHANGE,
    ),
    Case("no kind", "pairs", drop("/network/input/kind"), "/network/input/kind", "nothing", "a value", "add it"),
    Case(
        "rule",
        "pairs",
        put("/network/plasticity/oja/rule", "magic"),
        "/network/plasticity/oja/rule",
        "'magic'",
        "'hebbian' or 'oja' or ",
        CHANGE,
    ),
    Case(
        "negative rate",
        "pairs",
        put("/network/plasticity/oja/rate", -1),
        "/network/plasticity/oja/rate",
        "-1",
        "greater than or equal to 0",
        CHANGE,
    ),
    Case(
        "name of a rule",
        "pairs",
        put("/network/plasticity/o-ja", None),
        "/network/plasticity/o-ja",
        '"o-ja"',
        NAME,
        CHANGE,
    ),
    Case("name", "pairs", put("/network/name", "a b"), "/network/name", '"a b"', NAME, CHANGE),
    Case("line end in a name", "pairs", put("/network/name", "a\n"), "/network/name", '"a\\n"', NAME, CHANGE),
    Case("long name", "pairs", put("/network/name", "n" * 25), "/network/name", '"nnnnnnnnnnn', NAME, CHANGE),
    Case(
        "name of a population in use",
        "pairs",
        put("/network/projections/0/pre/0", "L4-E"),
        "/network/projections/0/pre/0",
        '"L4-E"',
        "text that matches ^(\\*|",
        CHANGE,
    ),
    Case(
        "no populations",
        "pairs",
        put("/network/populations", []),
        "/network/populations",
        "[]",
        "at least 1 item",
        CHANGE,
    ),
    Case(
        "word for signs",
        "pairs",
        put("/network/projections/0/sign", "Dale"),
        "/network/projections/0/sign",
        '"Dale"',
        "'dale' or",
        "",
    ),
    *(
        Case(
            f"file {file}",
            "pairs",
            put("/anatomy/cells/file", file),
            "/anatomy/cells/file",
            f'"{file}"',
            "text that matches ^[A-Za-z0-9_]",
            CHANGE,
        )
        for file in ("../cells.parquet", "/cells.parquet", "..", "a/cells.parquet", "c:cells.parquet", "")
    ),
    Case(
        "digest of 63 digits",
        "pairs",
        put("/anatomy/cells/sha256", "0" * 63),
        "/anatomy/cells/sha256",
        '"000',
        "text that matches ^[0-9a-f]{64}$",
        CHANGE,
    ),
    Case(
        "fewer than no rows",
        "pairs",
        put("/anatomy/edges/rows", -1),
        "/anatomy/edges/rows",
        "-1",
        "greater than or equal to 0",
        CHANGE,
    ),
]


@pytest.mark.parametrize("case", [*TEXTS, *SHAPES], ids=lambda case: case.name)
def test_one_corruption_gives_exactly_its_issue(tmp_path: Path, case: Case) -> None:
    check(case, tmp_path)
