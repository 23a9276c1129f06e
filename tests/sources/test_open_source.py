"""Which source: the option, else the environment, else an error that lists the ways to get data."""

import pytest
from published_tables import eight_cells, write_tables

from connectome2net.errors import SourceError
from connectome2net.sources import open_source


@pytest.fixture(autouse=True)
def empty_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # where CAVEclient keeps a token
    for name in ("C2N_SOURCE", "CAVE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_the_word_synthetic_is_the_stand_in():
    source = open_source("synthetic", cells=200, seed=3)
    assert source.synthetic
    assert dict(source.parameters) == {"cells": "200", "seed": "3"}


def test_a_folder_by_path_or_text(tmp_path):
    folder = write_tables(tmp_path, eight_cells())
    assert open_source(folder).location == open_source(str(folder)).location == str(folder)
    assert open_source(folder, position_unit="voxel").position_unit == "voxel"


def test_the_environment_is_asked_where_the_option_is_silent(tmp_path, monkeypatch):
    monkeypatch.setenv("C2N_SOURCE", str(write_tables(tmp_path, eight_cells())))
    assert not open_source().synthetic
    assert open_source("synthetic", cells=200).synthetic


def test_no_source_lists_the_ways_the_stand_in_included():
    with pytest.raises(SourceError, match=r"no source is named[\s\S]*--source synthetic.*--source DIR.*C2N_SOURCE"):
        open_source()


def test_with_a_token_the_source_is_cave(monkeypatch):
    monkeypatch.setenv("CAVE_TOKEN", "secret")
    monkeypatch.setenv("C2N_CAVE_SERVER", "http://127.0.0.1:1")
    monkeypatch.setattr("connectome2net.sources.cave.open.open_cave", lambda text: text)
    assert open_source() == "cave"


def test_options_that_would_be_ignored_are_refused(tmp_path):
    folder = write_tables(tmp_path, eight_cells())
    given = [
        (folder, {"cells": 500}, "a folder", "--cells", "the stand-in"),
        (folder, {"seed": 3}, "a folder", "--seed", "the stand-in"),
        (
            folder,
            {"mapping": "m.toml", "position_unit": "nm"},
            "a folder with a mapping",
            "--position-unit",
            "a folder",
        ),
        ("synthetic", {"position_unit": "nm"}, "the stand-in", "--position-unit", "a folder"),
        ("synthetic", {"engine": "spark"}, "the stand-in", "--engine", "a folder or a folder with a mapping"),
        ("cave", {"mapping": "m.toml"}, "CAVE", "--mapping", "a folder with a mapping"),
        ("cave", {"position_unit": "nm"}, "CAVE", "--position-unit", "a folder"),
    ]
    for source, options, kind, where, wanted in given:
        message = rf"this option is not for {kind}\n.*{where}\n.*{source}\n.*--source for {wanted}"
        with pytest.raises(SourceError, match=message):
            open_source(source, **options)


def test_too_few_cells_are_refused():
    with pytest.raises(SourceError, match=r"too few cells\n.*--cells\n.*12\n.*200 or more"):
        open_source("synthetic", cells=12)
