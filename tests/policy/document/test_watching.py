"""A thread of each process looks whether a policy's file has changed, from the first request on."""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from asgi_calls import get, hello
from forking import needs_fork, program_that_forks
from policy_files import rewrite
from polling import until
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy
from sluicegate.policy.document.reload import Watcher

ONE, TWO = (f'[tiers]\nfree = "{amount}/hour"\n' for amount in (1, 2))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text(ONE)
    return path


class Looks:
    """A watcher that is told when to look, and what it had read."""

    def __init__(self, where: Path) -> None:
        self.hasty: list[bool] = []
        self.while_waiting: list[Any] = []
        self.waits = 0
        self.watcher = Watcher(str(where), self._reload, self._pause)

    def _reload(self, *, hasty: bool) -> bool:
        self.hasty.append(hasty)
        return False

    def _pause(self, seconds: float) -> None:
        assert seconds < 0.1
        self.waits += 1
        if self.while_waiting:
            self.while_waiting.pop(0)()

    def look(self, times: int = 1) -> list[bool]:
        """What was read at these looks: whether each time was a hasty one."""
        self.hasty.clear()
        for _ in range(times):
            self.watcher.look()
        return [*self.hasty]


@pytest.fixture
def looks(path: Path) -> Looks:
    looks = Looks(path)
    assert looks.look(5) == [True, False, False], "what changed within a tick is seen at the third"
    return looks


def touch(path: Path) -> None:
    """Another time of change, whatever the clock's ticks are."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000))


def test_a_file_that_stays_as_it_is_is_not_read(looks: Looks) -> None:
    assert looks.look(100) == []


def test_a_file_that_is_touched_is_read(path: Path, looks: Looks) -> None:
    touch(path)
    assert looks.look(5) == [True, False, False]


def test_a_file_in_its_place_is_read(path: Path, looks: Looks) -> None:
    found = path.stat()
    rewrite(path, ONE)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert looks.look(5) == [True, False, False]


def test_links_are_followed_anew(tmp_path: Path) -> None:
    """As a ConfigMap is mounted: limits.toml -> ..data/limits.toml, ..data -> ..version."""
    for version, text in (("1", ONE), ("2", TWO)):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "limits.toml").write_text(text)
    data, path = tmp_path / "..data", tmp_path / "limits.toml"
    data.symlink_to("..1")
    path.symlink_to("..data/limits.toml")
    looks = Looks(path)
    assert looks.look(5) == [True, False, False]
    new = tmp_path / "..new"
    new.symlink_to("..2")
    new.rename(data)
    assert looks.look(5) == [True, False, False]


def test_a_file_that_goes_is_told_of_and_is_read_when_it_comes(path: Path, looks: Looks) -> None:
    path.unlink()
    assert looks.look(5) == [True, False, False]
    path.write_text(TWO)
    assert looks.look(5) == [True, False, False]


def test_it_waits_until_nobody_writes(path: Path, looks: Looks) -> None:
    def write() -> None:
        with path.open("a") as file:
            file.write("#\n")

    looks.waits = 0
    touch(path)
    looks.while_waiting = [write, write, write]
    assert looks.look() == [True]
    assert looks.waits == 4


def test_it_does_not_wait_for_ever(path: Path, looks: Looks) -> None:
    touch(path)
    looks.while_waiting = [lambda: touch(path)] * 1_000
    assert looks.look() == [True]


def watching(path: Path, **options: Any) -> tuple[Policy, Any]:
    policy = Policy.from_file(path, **{"reload_seconds": 0.02, **options})
    return policy, RateLimitMiddleware(hello, policy=policy)


class Watchers:
    """The threads that watch files, but for those of policies that other tests have left."""

    def __init__(self) -> None:
        self._others = self._all()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[threading.Thread]:
        return iter(self._all() - self._others)

    @staticmethod
    def _all() -> set[threading.Thread]:
        return {each for each in threading.enumerate() if each.name == "sluicegate-policy"}

    def all_end(self) -> None:
        """Wait until there are none; what nobody holds has to be collected for it."""
        until(lambda: gc.collect() >= 0 and len(self) == 0, "nothing is watched")


@pytest.fixture
def watchers() -> Watchers:
    return Watchers()


def test_a_module_that_ends_does_not_end_the_watching(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path.parent / "ending.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(path.parent)
    policy, app = watching(path)
    get(app)
    rewrite(path, f"tier = 'ending:f'\n{TWO}")
    until(lambda: policy.statistics().failed_reloads == 1, "the file is refused")
    rewrite(path, TWO)
    until(lambda: policy.statistics().reloads == 1, "the file is read again")


def test_a_thread_begins_with_the_first_request_and_ends_with_the_policy(
    path: Path, watchers: Watchers
) -> None:
    policy, app = watching(path)
    policies = [policy]
    del policy
    assert len(watchers) == 0
    for _ in range(3):
        get(app)
    assert len(watchers) == 1
    (thread,) = watchers
    assert thread.daemon
    rewrite(path, TWO)
    until(lambda: policies[0].statistics().reloads == 1, "the file has been read again")
    del app
    policies.clear()
    watchers.all_end()


def test_all_middlewares_of_a_policy_have_one_thread(path: Path, watchers: Watchers) -> None:
    policy, first = watching(path)
    apps = [first, *(RateLimitMiddleware(hello, policy=policy) for _ in range(3))]
    for app in apps:
        get(app)
    assert len(watchers) == 1


def test_an_endpoint_with_the_policy_alone_has_it_watched(path: Path) -> None:
    policy = Policy.from_file(path, reload_seconds=0.02)
    app = FastAPI()

    @app.get("/", dependencies=[rate_limit(policy=policy)])
    async def endpoint() -> str:
        return "hello"

    client = TestClient(app)
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]
    rewrite(path, TWO)
    until(lambda: policy.statistics().reloads == 1, "the file has been read again")
    assert [client.get("/").status_code for _ in range(2)] == [200, 429]


def test_many_threads_that_begin_at_once_begin_one(path: Path, watchers: Watchers) -> None:
    policy, _ = watching(path)
    begin = policy.on_first_request
    assert begin is not None
    begun = threading.Barrier(8)

    def request() -> None:
        begun.wait()
        begin()

    crowd = [threading.Thread(target=request) for _ in range(8)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert len(watchers) == 1


def test_without_seconds_nothing_is_watched(path: Path, watchers: Watchers) -> None:
    policy, app = watching(path, reload_seconds=0)
    get(app)
    assert len(watchers) == 0
    rewrite(path, TWO)
    assert policy.reload()


def test_each_way_to_change_a_file_comes_into_force(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(ONE)
    policy, app = watching(path)
    assert [get(app).status for _ in range(2)] == [200, 429]

    def after(change: Any, reloads: int) -> None:
        change()
        until(lambda: policy.statistics().reloads == reloads, "the change is in force")

    after(lambda: path.write_text(TWO), 1)
    assert [get(app).status for _ in range(2)] == [200, 429]
    after(lambda: rewrite(path, ONE), 2)
    assert get(app).status == 429
    (tmp_path / "other.toml").write_text('[tiers]\nfree = "3/hour"\n')
    link = tmp_path / "link"
    link.symlink_to("other.toml")
    after(lambda: link.rename(path), 3)
    assert [get(app).status for _ in range(2)] == [200, 429]
    touch(path)
    path.write_text(path.read_text())
    path.unlink()
    path.write_text('[tiers]\nfree = "4/hour"\n')
    after(lambda: None, 4)
    assert [get(app).status for _ in range(2)] == [200, 429]
    assert policy.statistics().failed_reloads == 0


def test_a_broken_file_is_told_of_when_it_stays_so(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy, app = watching(path)
    get(app)
    with caplog.at_level(logging.ERROR, "sluicegate"):
        rewrite(path, "[tiers\n")
        until(lambda: policy.statistics().failed_reloads == 1, "it is told")
        rewrite(path, TWO)
        until(lambda: policy.statistics().reloads == 1, "it is mended")
    assert len(caplog.messages) == 1
    assert get(app).status == 200


def test_a_half_written_file_is_not_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    policy = Policy.from_file(path)
    assert policy.source is not None
    path.write_text(TWO[:-4])
    assert policy.source.reload(hasty=True) is False
    path.write_text(TWO)
    assert policy.source.reload(hasty=True) is True
    assert policy.statistics()[:2] == (1, 0)
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_what_may_recover_is_tried_again(tmp_path: Path, path: Path) -> None:
    policy, app = watching(path)
    get(app)
    folder = tmp_path / "later"
    rewrite(path, f'store = "shared://{folder}/limits.zone?size=1m"\n{TWO}')
    until(lambda: policy.statistics().failed_reloads == 1, "there is no such directory")
    folder.mkdir()
    until(lambda: policy.statistics().reloads == 1, "there is one")
    assert [get(app).status for _ in range(3)] == [200, 200, 429], "a zone counts from nothing"


@needs_fork
def test_a_forked_child_watches_from_its_own_first_request_on(path: Path) -> None:
    program_that_forks(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2] / "support")!r})
from asgi_calls import get, hello
from pathlib import Path
from polling import until
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy

path = Path({str(path)!r})
policy = Policy.from_file(path, reload_seconds=0.02)
app = RateLimitMiddleware(hello, policy=policy)

def watchers():
    return sum(each.name == "sluicegate-policy" for each in threading.enumerate())

def child():
    assert watchers() == 0
    get(app)
    assert watchers() == 1
    until(lambda: policy.statistics().reloads == 1, "the child has read it")
    assert get(app).status == 200

children = [forked(child)]
get(app)
assert watchers() == 1
children += [forked(child) for _ in range(3)]
path.write_text('[tiers]\\nfree = "9/hour"\\n')
until(lambda: policy.statistics().reloads == 1, "the parent has read it")
ended_well(children)
"""
    )


@needs_fork
def test_a_fork_in_the_midst_of_a_reload_leaves_the_child_free(path: Path) -> None:
    program_that_forks(
        f"""
from pathlib import Path
from sluicegate.policy import Policy

path = Path({str(path)!r})
policy = Policy.from_file(path, reload_seconds=0)
over = threading.Event()

def reload():
    number = 1
    while not over.is_set():
        number += 1
        path.write_text(f'[tiers]\\nfree = "{{number}}/hour"\\n')
        policy.reload()

thread = threading.Thread(target=reload)
thread.start()

def child():
    policy.reload()
    assert policy.statistics().reloads >= 0

for _ in range(20):
    ended_well([forked(child)])
over.set()
thread.join()
"""
    )


def test_a_handler_of_a_signal_may_reload_in_the_midst_of_a_reload(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that has read the file later has the last word."""
    from sluicegate.policy.document import source

    policy = Policy.from_file(path)
    path.write_text(TWO)
    document_of = source.document_of
    inner: list[bool] = []

    def interrupted(*arguments: Any) -> Any:
        document = document_of(*arguments)
        if not inner:
            inner.append(False)
            path.write_text('[tiers]\nfree = "3/hour"\n')
            inner[0] = policy.reload()
        return document

    monkeypatch.setattr(source, "document_of", interrupted)
    outer = policy.reload()
    assert (inner, outer) == ([True], False)
    assert policy.enforcer.policy.tiers == {"free": "3/hour"}
    assert policy.reload() is False
