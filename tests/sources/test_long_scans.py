"""Long scans show how far they are, quick ones are silent."""

import re

import ibis
import pytest

from connectome2net import progress
from connectome2net.sources import progress as scan
from connectome2net.sources.engine import collect, start_engine


def numbers(count: int) -> ibis.Table:
    engine = start_engine()
    engine.con.execute(f"CREATE TEMPORARY VIEW numbers AS SELECT range AS number FROM range({count})")
    table = engine.table("numbers")
    return table.aggregate(total=table.number.sqrt().sum())


def test_a_long_scan_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module, name, value in ((scan, "QUICK_S", 0.0), (scan, "POLL_S", 0.001), (progress, "SILENCE_S", 0.0)):
        monkeypatch.setattr(module, name, value)
    table = numbers(20_000_000)
    assert collect(table, file="synapses.csv")["total"][0].as_py() == pytest.approx(20_000_000**1.5 * 2 / 3, rel=1e-6)
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(re.fullmatch(r"reading synapses\.csv: \d+%", line) for line in lines)


def test_a_quick_scan_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert collect(numbers(10), file="synapses.csv").num_rows == 1
    assert capsys.readouterr().err == ""
