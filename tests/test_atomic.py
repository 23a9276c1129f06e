"""Files lie there whole or not at all."""

from contextlib import suppress
from pathlib import Path

import pytest

from connectome2net.atomic import replacing, write_files


def test_files_that_belong_together_appear_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    replace = Path.replace

    def watched(part: Path, path: Path) -> Path:
        seen.append((path.name, sorted(item.name for item in tmp_path.iterdir())))
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", watched)
    write_files({tmp_path / "b": b"1", tmp_path / "a": b"2"})
    assert seen == [("b", [".a.part", ".b.part"]), ("a", [".a.part", "b"])]
    assert [(tmp_path / name).read_bytes() for name in "ba"] == [b"1", b"2"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_text("old")
    with pytest.raises(OSError, match=r"not empty|[Ii]s a directory"):
        write_files({tmp_path / "b": b"new", tmp_path / "a": b"new"})
    with suppress(ZeroDivisionError), replacing(tmp_path / "a") as part:
        part.write_text("new" * (1 // 0))
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "b"]


def test_what_is_written_takes_the_place_of_a_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as part:
        part.write_text("new")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "new"
