"""How far long work is: a bar on a terminal, plain lines in a log."""

import io
import sys

import pytest
from rich.progress import BarColumn, TextColumn

from connectome2net import progress
from connectome2net.progress import SILENCE_S, Screen, time_left


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test moves."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def terminal(monkeypatch: pytest.MonkeyPatch, *, kind: str = "xterm") -> io.StringIO:
    """Make stderr a terminal, and return what it shows."""
    shown = io.StringIO()
    shown.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", kind)
    return shown


def work(screen: Screen) -> None:
    """Do something in two steps."""
    screen.title("[work]")
    with screen.bar(TextColumn("step"), BarColumn()) as bar:
        task = bar.add_task("", total=2)
        for step in (1, 2):
            bar.update(task, advance=1)
            screen.log(f"step [{step}] of 2")


def test_a_log_has_plain_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    work(Screen())
    assert capsys.readouterr() == ("", "[work]\nstep [1] of 2\nstep [2] of 2\n")


def test_a_terminal_has_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    work(Screen())
    assert shown.getvalue().startswith("[work]\n")
    assert "\x1b[" in shown.getvalue()
    assert "of 2" not in shown.getvalue()


def test_a_terminal_that_cannot_move_its_cursor_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch, kind="dumb")
    work(Screen())
    assert shown.getvalue() == "[work]\nstep [1] of 2\nstep [2] of 2\n"


@pytest.mark.parametrize("watched", [True, False])
def test_quiet_work_shows_nothing(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch, kind="xterm" if watched else "dumb")
    work(Screen(quiet=True))
    assert shown.getvalue() == ""


def test_a_line_is_due_after_minutes_of_silence(now: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    screen, quiet = Screen(), Screen(quiet=True)
    now[0] += SILENCE_S - 1
    assert not screen.is_due()
    now[0] += 1
    assert screen.is_due()
    assert not quiet.is_due()
    screen.log("half is done")
    assert not screen.is_due()
    now[0] += SILENCE_S
    assert screen.is_due()


def test_the_time_that_is_left(now: list[float]) -> None:
    now[0] += 60
    assert time_left(1000.0, done=0, todo=10) == ""
    assert time_left(1000.0, done=3, todo=9) == "0:03:00 left"
    assert time_left(1000.0, done=1, todo=0) == "0:00:00 left"
