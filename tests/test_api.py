"""The public names: loaded when first used, and never hidden by the stage of the same name."""

import subprocess
import sys
from pathlib import Path

import pytest

import connectome2net as c2n


def test_every_public_name_is_there() -> None:
    for name in c2n.__all__:
        assert callable(getattr(c2n, name)), name
    assert set(c2n.__all__) <= set(dir(c2n))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        c2n.nonsense  # noqa: B018


def test_a_stage_does_not_hide_the_function_of_its_name() -> None:
    code = (
        "import connectome2net.extract, connectome2net.train.config, connectome2net.evaluate, connectome2net.load\n"
        "import connectome2net as c2n\n"
        "for name in ('extract', 'train', 'evaluate', 'load'):\n"
        "    assert type(getattr(c2n, name)).__name__ == 'function', name\n"
        "from connectome2net.train import loop\n"
        "from connectome2net import train\n"
        "assert train is c2n.train is loop.train\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_small_column_of_the_examples_is_valid() -> None:
    spec = c2n.read_spec(Path(__file__).parents[1] / "examples" / "small_column")
    assert (spec.cells.num_rows, spec.edges.num_rows) == (200, 8617)


@pytest.mark.slow
def test_the_walk_runs() -> None:
    walk = Path(__file__).parents[1] / "examples" / "walk.py"
    done = subprocess.run([sys.executable, str(walk)], capture_output=True, text=True, check=True)
    assert "'violations': 0" in done.stdout


@pytest.mark.slow
def test_the_look_inside_runs() -> None:
    look = Path(__file__).parents[1] / "examples" / "look_inside.py"
    done = subprocess.run([sys.executable, str(look)], capture_output=True, text=True, check=True)
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.startswith("without"))
    assert float(lines["without 0 of 200 cells"].rstrip("%")) > 40
    assert float(lines["without 200 of 200 cells"].rstrip("%")) < 25
