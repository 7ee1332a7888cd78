"""A policy's file changes while four workers serve: nothing fails, and nothing is forgotten."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from policy_files import rewrite
from polling import until
from worker_servers import WORKERS, Served, served_by

CLIENTS = 8
LOW, HIGH, LAST = 100, 150, 1_000


class Load:
    """Clients that ask as fast as they can, until they are told to end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.answers: dict[str, Counter[int]] = {f"c{n}": Counter() for n in range(CLIENTS)}
        self._threads = [
            threading.Thread(target=self._ask, args=(client,)) for client in self.answers
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: str) -> None:
        while not self._over.is_set():
            self.ask(client)

    def ask(self, client: str) -> dict[str, str]:
        """One request, on a connection of its own so that any worker may get it."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", "/", headers={"x-client": client})
            answer = connection.getresponse()
            answer.read()
            self.answers[client][answer.status] += 1
            return dict(answer.headers)
        except (OSError, http.client.HTTPException) as error:
            self.answers[client][-1] += 1
            print(f"{client}: {error!r}")
            return {}
        finally:
            connection.close()


def policy(store: str, version: int, limit: int) -> str:
    """The tier's quota goes up and down, rules come and go, and so do options."""
    rules = "".join(
        f'[[rules]]\nmatch = "/{number}"\nquota = "{number + 1}/minute"\n'
        for number in range(version % 5)
    )
    watched = f'[[rules]]\nmatch = "*"\nquota = "{limit + 1}/hour"\nname = "all"\n'
    shown = 'headers = "x-ratelimit"\n' if version % 2 else ""
    return f'{shown}store = "{store}"\n[tiers]\nall = "{limit}/hour"\n{watched}{rules}'


def reload(tmp_path: Path, times: int) -> None:
    path, reloads = tmp_path / "limits.toml", tmp_path / "reloads"
    reloads.mkdir()
    store = f"shared://{tmp_path}/limits.zone?size=1m"
    path.write_text(policy(store, 0, LOW))
    quota = tmp_path / "quota"
    more = {"ZONE_APP_POLICY": str(path), "ZONE_APP_RELOADS": str(reloads)}

    def all_have(served: Served, number: int) -> bool:
        assert served.process.poll() is None
        had = {each.name: each.read_text() for each in reloads.iterdir()}
        assert all(int(each or 0) <= number for each in had.values()), (number, had)
        return list(had.values()) == [str(number)] * WORKERS

    with served_by("uvicorn", store, quota, **more) as served, Load(served.port) as load:
        for number in range(1, times + 1):
            limit = HIGH if number % 2 else LOW
            if number % 3:
                rewrite(path, policy(store, number, limit))
            else:
                path.write_text(policy(store, number, limit))
            until(partial(all_have, served, number), f"all have version {number}", 60)
        rewrite(path, policy(store, 1, HIGH))
        until(lambda: all_have(served, times + 1), "all have the highest limit", 60)
        until(
            lambda: all(answers[200] >= HIGH for answers in load.answers.values()),
            "all have spent it",
            60,
        )
        load.__exit__()
        for client, answers in load.answers.items():
            assert set(answers) == {200, 429}, (client, answers)
            assert answers[200] == HIGH, (client, answers)
        rewrite(path, policy(store, 1, LAST))

        def left(client: str) -> int:
            return int(load.ask(client).get("x-ratelimit-remaining", -1))

        def is_in_force() -> bool:
            load.ask("c0")
            return all_have(served, times + 2)

        until(is_in_force, "all have the last limit", 60)
        for client, answers in load.answers.items():
            remaining = left(client)
            assert remaining == LAST - answers[200], (client, answers)


def test_ten_reloads_under_load_lose_nothing(tmp_path: Path) -> None:
    reload(tmp_path, 10)


@pytest.mark.long
def test_a_hundred_reloads_under_load_lose_nothing(tmp_path: Path) -> None:
    reload(tmp_path, 100)
