"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sluicegate.importers import writing
from sluicegate.importers.writing import write_all


def test_several_files_are_written(tmp_path: Path) -> None:
    write_all({tmp_path / "a.toml": "é", tmp_path / "b.py": "2"})
    assert (tmp_path / "a.toml").read_text("utf-8") == "é"
    assert (tmp_path / "b.py").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.toml", "b.py"]


def test_one_that_is_there_keeps_its_mode_and_a_link_its_place(tmp_path: Path) -> None:
    target, link = tmp_path / "real.toml", tmp_path / "limits.toml"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_all({link: "new"})
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["missing/b.py", "folder", "pipe"])
def test_if_one_cannot_be_written_none_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.toml").write_text("old")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ValueError, match=f"{name.partition('/')[0]}.* must be"):
        write_all({tmp_path / "a.toml": "new", tmp_path / name: "new"})
    assert (tmp_path / "a.toml").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(ValueError, match="No space left"):
        write_all({tmp_path / "a.toml": "new"})
    assert list(tmp_path.iterdir()) == []
