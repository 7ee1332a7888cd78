"""Where a zone is, as its URL says; and the directory of those that have no path but a name."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest

from sluicegate._zone import own_directory
from sluicegate._zone.store import is_zone, zone_of
from sluicegate._zone.url import Place, place_of
from sluicegate.errors import StoreError

ME = os.geteuid()
PATH = "/run/app/limits.zone"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"shared://{PATH}", Place(PATH)),
        (f"SHARED://{PATH}", Place(PATH)),
        (f"shared://{PATH}?size=10m", Place(PATH, 10 << 20)),
        (f"shared://{PATH}?size=512K", Place(PATH, 512 << 10)),
        (f"shared://{PATH}?size=1g", Place(PATH, 1 << 30)),
        (f"shared://{PATH}?size=262144", Place(PATH, 262_144)),
        (f"shared://{PATH}?mode=660&size=1m", Place(PATH, 1 << 20, 0o660)),
        (f"shared://{PATH}?mode=0640", Place(PATH, None, 0o640)),
        (f"shared://{PATH}?owner={ME}", Place(PATH, None, None, ME)),
        (f"shared://{PATH}?owner={pwd.getpwuid(0).pw_name}", Place(PATH, None, None, 0)),
        ("shared:///a%20b/%C3%A9%3F", Place("/a b/é?")),
    ],
)
def test_a_path_and_how_its_file_is_made(url: str, place: Place) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://localhost", "its scheme is not shared:"),
        ("shared://run/app", "its path must be absolute"),
        ("shared:/run/app", "its path must be absolute"),
        ("shared:run/app", "its path must be absolute"),
        ("shared:////run/app", "its path must be absolute"),
        ("shared:", "a zone's path is absolute"),
        ("shared://", "its path must be absolute"),
        ("shared:///", "a file's, not a directory's"),
        ("shared:///run/", "a file's, not a directory's"),
        ("shared:///run/..", "a file's, not a directory's"),
        ("shared:///a%00b", "no zero byte"),
        ("shared:.hidden", "begins with a letter or a digit"),
        ("shared:" + "x" * 65, "1 to 64 letters"),
        ("shared:///a b", "percent-encode it"),
        ("shared:///a#b", "percent-encode it"),
        ("shared:///a?sizes=1m", "'sizes' is none of its options size, mode, owner"),
        ("shared:///a?size=1m&size=1m", "it has size= twice"),
        ("shared:///a?size", "size= has no value"),
        ("shared:///a?size=", "size= has no value"),
        ("shared:///a?size=1t", "size= must be bytes from 1 to 64g, as in size=512k"),
        ("shared:///a?size=-1", "size= must be bytes"),
        ("shared:///a?size=0", "size= must be bytes"),
        ("shared:///a?size=1.5m", "size= must be bytes"),
        ("shared:///a?size=65g", "size= must be bytes"),
        ("shared:///a?mode=777", "nobody execute, as in mode=600, 640, 660"),
        ("shared:///a?mode=060", "the owner read and write"),
        ("shared:///a?mode=rw", "mode= must let"),
        ("shared:///a?owner=nobody-of-that-name", "a user of this machine, by name or number"),
        ("shared:///a?owner=9999999999", "up to 4294967294"),
        ("shared:name?mode=660", "mode= is for shared:///path"),
        ("shared:name?owner=0", "owner= is for shared:///path"),
    ],
)
def test_what_is_no_url_of_a_zone_is_told_with_a_right_one(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as caught:
        place_of(url)
    told = str(caught.value)
    assert told.startswith("store must be a URL such as shared:///run/app/limits.zone?size=10m or ")
    assert repr(url) in told
    assert "\n" not in told


def test_a_zone_is_told_from_a_server() -> None:
    assert is_zone("shared:name")
    assert is_zone("Shared:///path")
    assert not any(map(is_zone, ("redis://localhost", "name", "/run/app/limits.zone", None, 5)))
    for store in (5, None, Path("/run/x"), b"shared:x"):
        with pytest.raises(TypeError, match="store must be a URL such as 'shared:///run/app"):
            zone_of(store)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in the place of ``/dev/shm``."""
    monkeypatch.setattr(own_directory, "_IN_MEMORY", str(tmp_path))
    return tmp_path


def test_a_name_is_a_file_in_a_directory_that_only_this_user_can_read(parent: Path) -> None:
    old = os.umask(0)
    try:
        place = place_of("shared:limits?size=1m")
    finally:
        os.umask(old)
    own = parent / f"sluicegate-{ME}"
    assert place == Place(str(own / "limits"), 1 << 20)
    assert own.stat().st_mode & 0o777 == 0o700
    assert place_of("shared:limits").path == str(own / "limits")


def test_without_memory_it_is_among_the_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_directory, "_IN_MEMORY", str(tmp_path / "missing"))
    monkeypatch.setattr(own_directory.tempfile, "gettempdir", lambda: str(tmp_path))
    assert place_of("shared:limits").path == str(tmp_path / f"sluicegate-{ME}" / "limits")


def test_a_directory_that_others_may_use_is_refused(parent: Path) -> None:
    own = parent / f"sluicegate-{ME}"
    own.mkdir(mode=0o750)
    own.chmod(0o750)
    with pytest.raises(StoreError, match=r"its mode is 0750, and must be 0700: chmod it"):
        place_of("shared:limits")


def test_a_link_in_its_place_is_refused(parent: Path) -> None:
    (parent / "elsewhere").mkdir(mode=0o700)
    (parent / f"sluicegate-{ME}").symlink_to(parent / "elsewhere")
    with pytest.raises(StoreError, match=r"it is no directory\. Or give a zone a path: shared:///"):
        place_of("shared:limits")


def test_a_file_in_its_place_is_refused(parent: Path) -> None:
    (parent / f"sluicegate-{ME}").touch()
    with pytest.raises(StoreError, match="it is no directory"):
        place_of("shared:limits")


@pytest.mark.skipif(ME != 0, reason="only root can give a directory away")
def test_somebody_elses_directory_is_refused(parent: Path) -> None:
    own = parent / f"sluicegate-{ME}"
    own.mkdir(mode=0o700)
    os.chown(own, 12_345, -1)
    with pytest.raises(StoreError, match="it belongs to user 12345, and this process is of user 0"):
        place_of("shared:limits")


def test_a_parent_in_which_others_can_replace_it_is_refused(parent: Path) -> None:
    parent.chmod(0o777)
    with pytest.raises(StoreError, match="others can replace it"):
        place_of("shared:limits")
    parent.chmod(0o1777)
    place_of("shared:limits")


def test_a_directory_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_directory, "_IN_MEMORY", "/proc")
    with pytest.raises(StoreError, match=r"/proc/sluicegate-\d+ cannot hold zones: it cannot be"):
        place_of("shared:limits")
