"""Real servers with four workers each, over HTTP: the limit is the limit, whoever decides."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from polling import until
from worker_servers import SERVERS, Served, served_by

LIMIT = 100


@pytest.fixture
def quota(tmp_path: Path) -> Path:
    """Where it is written what the workers admit."""
    path = tmp_path / "quota"
    path.write_text(f"{LIMIT}/hour")
    return path


@pytest.mark.parametrize("server", SERVERS)
def test_four_workers_admit_exactly_the_limit(server: str, url: str, quota: Path) -> None:
    with served_by(server, url, quota) as served:
        assert served.ask(3 * LIMIT) == {200: LIMIT, 429: 2 * LIMIT}


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_what_was_spent_outlives_the_workers(server: str, url: str, quota: Path) -> None:
    with served_by(server, url, quota) as served:
        assert served.ask(60) == {200: 60}
        served.restart_workers()
        assert served.ask(60) == {200: LIMIT - 60, 429: 20}


def test_what_was_spent_outlives_the_app(url: str, quota: Path) -> None:
    for already in (0, 60):
        with served_by("granian", url, quota) as served:
            admitted = min(60, LIMIT - already)
            assert served.ask(60)[200] == admitted


class Load:
    """Clients that ask all the time, in threads, until the block ends."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._over = False
        self._threads = [threading.Thread(target=self._ask) for _ in range(4)]
        self._lock = threading.Lock()
        self.answers: Counter[int] = Counter()

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for each in self._threads:
            each.join()

    def _ask(self) -> None:
        while not self._over:
            try:
                status, _ = self._served.get()
            except OSError:
                continue  # of a worker that ends
            with self._lock:
                self.answers[status] += 1

    def goes_on(self) -> None:
        """Wait until there were a good many more answers."""
        enough = self.answers.total() + 50
        until(lambda: self.answers.total() > enough, "answers")


def test_a_reload_under_load_forgets_nothing_and_admits_no_more(url: str, quota: Path) -> None:
    with served_by("gunicorn", url, quota) as served, Load(served) as load:
        until(lambda: load.answers[200] == LIMIT, "the limit is reached")
        load.goes_on()
        assert load.answers[200] == LIMIT
        quota.write_text(f"{LIMIT + 60}/hour")
        served.restart_workers()
        until(lambda: load.answers[200] == LIMIT + 60, "the raised limit is reached")
        load.goes_on()
        quota.write_text(f"{LIMIT - 60}/hour")
        served.restart_workers()
        load.goes_on()
    assert load.answers[200] == LIMIT + 60


def test_requests_at_once_are_counted_for_all_workers(url: str, quota: Path) -> None:
    with served_by("uvicorn", url, quota, ZONE_APP_CONCURRENT="3") as served:
        answers = served.ask(12, "/slow", at_once=12)
        assert 3 <= answers[200] < 12  # all at once, or nearly
        assert answers[429] == 12 - answers[200]
        # One comes back when the app has returned, a moment after its answer has arrived.
        until(lambda: served.ask(30, at_once=2) == {200: 30}, "every permit has come back")
