"""A policy's file is read again: what it says holds from the next request on, and counts go on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from asgi_calls import get, hello
from policy_files import rewrite
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text('[tiers]\nfree = "2/hour"\n')
    return path


def limited(path: Path, **in_code: Any) -> tuple[Policy, RateLimitMiddleware]:
    policy = Policy.from_file(path, reload_seconds=0, **in_code)
    return policy, RateLimitMiddleware(hello, policy=policy)


def admitted(app: RateLimitMiddleware, at_most: int = 20, **request: Any) -> int:
    """How many requests pass before one is refused."""
    for number in range(at_most):
        if get(app, **request).status != 200:
            return number
    return at_most


def test_a_changed_file_holds_from_the_next_request_on(path: Path) -> None:
    policy, app = limited(path)
    assert policy.reload() is False
    assert admitted(app) == 2
    path.write_text('[tiers]\nfree = "5/hour"\n')
    assert admitted(app) == 0, "it has not been read yet"
    assert policy.reload() is True
    assert admitted(app) == 3
    assert repr(policy) == f"<Policy {str(path)!r} of the tiers free>"
    assert policy.reload() is False


def test_a_policy_is_one_object_whatever_its_file_says(path: Path) -> None:
    policy, _ = limited(path)
    path.write_text('[tiers]\ngold = "5/hour"\n[[rules]]\nmatch = "*"\nquota = "9/hour"\n')
    before = policy.enforcer
    assert policy.reload()
    assert policy.enforcer is not before
    assert policy.enforcer.owned is before.owned
    assert repr(policy) == f"<Policy {str(path)!r} of the tiers gold and 1 rule>"


STORES = ["memory", "zone", "redis"]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        return ""
    if request.param == "zone":
        return f'store = "shared://{tmp_path}/limits.zone?size=1m"\n'
    server: Server = request.getfixturevalue("redis_server")
    # A machine that is busy must not have the limits decided without the server.
    patient = 'timeout = 10\non_error = "raise"'
    return f'store = "{server.url}"\nprefix = "{tmp_path.name[-20:]}"\n{patient}\n'


def tiers(quota: str) -> str:
    return f'[tiers]\nfree = "{quota}"\npaid = "90/hour"\n'


def rule(quota: str) -> str:
    return f'[[rules]]\nmatch = "*"\nquota = "{quota}"\n'


#: What stands in the file, before and after; and how many more pass when five were admitted.
CHANGES = [
    (tiers("5/hour"), tiers("8/hour"), 3),
    (tiers("5/hour"), tiers("5/hour; 9/day"), 0),
    (tiers("5/hour; 9/day"), tiers("7/hour"), 2),
    (tiers("5/day"), tiers("9/hour; 7/day"), 2),
    (tiers("5/hour; 50/day"), tiers("7/hour; 50/day"), 2),
    (tiers("9/hour; 5/day"), tiers("9/hour; 6/day"), 1),
    (rule("5/hour"), rule("8/hour"), 3),
    (rule("5/hour; 50/day"), rule("7/hour; 50/day"), 2),
    (tiers("5/hour") + rule("7/hour"), tiers("9/hour") + rule("6/hour"), 1),
    (tiers("5/hour"), tiers("8/hour") + rule("50/hour"), 3),
    (tiers("5/hour") + rule("6/hour"), tiers("7/hour"), 2),
    (rule("5/hour") + '[tiers]\nfree = "50/hour"\n', rule("8/hour") + '[tiers]\nfree = "60/hour"\n', 3),
    (tiers("5/hour"), 'shadow = false\nheaders = []\n' + tiers("6/hour"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "more"), CHANGES)
def test_a_raised_limit_admits_what_is_more_of_it(
    path: Path, store: str, before: str, after: str, more: int
) -> None:
    path.write_text(store + before)
    policy, app = limited(path)
    assert admitted(app) == 5
    path.write_text(store + after)
    assert policy.reload()
    assert admitted(app) == more


@pytest.mark.parametrize(("before", "after", "more"), CHANGES)
def test_a_lowered_limit_knows_what_was_spent(
    path: Path, store: str, before: str, after: str, more: int
) -> None:
    path.write_text(store + after)
    policy, app = limited(path)
    first = min(5, admitted(app, 5))
    path.write_text(store + before)
    assert policy.reload()
    assert admitted(app) == 5 - first
    path.write_text(store + after)
    assert policy.reload()
    assert admitted(app) == more


def test_a_limit_that_goes_and_comes_again_is_what_it_was(path: Path) -> None:
    policy, app = limited(path)
    assert admitted(app) == 2
    for text, more in (
        ('[tiers]\nfree = "3/day"\n', 3),
        ('[tiers]\nfree = "3/hour"\n', 1),
        ('[tiers]\nfree = "4/day"\n', 1),
    ):
        path.write_text(text)
        assert policy.reload()
        assert admitted(app) == more


def test_a_broken_file_keeps_the_policy_and_is_told_once_for_each_version(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy, app = limited(path)
    loaded_at = policy.statistics().loaded_at
    with caplog.at_level(logging.INFO, "sluicegate"):
        path.write_text('shadov = true\n[tiers]\nfree = "5/mintue"\n')
        assert [policy.reload() for _ in range(3)] == [False] * 3
        assert policy.statistics() == (0, 1, loaded_at)
        path.write_text("[tiers\n")
        assert [policy.reload() for _ in range(3)] == [False] * 3
        path.unlink()
        assert [policy.reload() for _ in range(3)] == [False] * 3
        assert policy.statistics() == (0, 3, loaded_at)
        assert admitted(app) == 2
        path.write_text('[tiers]\nfree = "3/hour"\n')
        assert policy.reload() is True
    assert admitted(app) == 1
    kept = "The policy stays as it was, since its file cannot be used:"
    assert caplog.messages == [
        f"{kept}\n{path}:1: a policy has no key 'shadov': did you mean 'shadow'?\n"
        f"{path}:3: tiers['free']: quota '5/mintue': 'mintue' is no period: write second, minute, hour, "
        "day or week, as in '5/day'",
        f"{kept}\n{path}:1: column 7: unclosed table, expected `]`",
        f"{kept}\n{path}: it cannot be read: No such file or directory",
        f"The policy {path} was read again, and is in force.",
    ]
    statistics = policy.statistics()
    assert statistics[:2] == (1, 3)
    assert loaded_at is not None
    assert statistics.loaded_at is not None
    assert statistics.loaded_at >= loaded_at


def test_a_broken_version_that_comes_again_is_told_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right, broken = path.read_text(), "[tiers\n"
    policy, _ = limited(path)
    for _ in range(2):
        path.write_text(broken)
        assert not policy.reload()
        path.write_text(right)
        assert not policy.reload(), "that is what is in force"
    assert policy.statistics()[:2] == (0, 2)
    assert len(caplog.messages) == 2


def test_a_warning_is_told_when_the_version_comes(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy, _ = limited(path)
    path.write_text('[tiers]\nfree = "100/minute; 50/hour"\n')
    assert policy.reload()
    assert not policy.reload()
    assert [each for each in caplog.messages if "can never refuse" in each] == [
        f"{path}:2: tiers['free']: '100/minute' can never refuse: '50/hour' allows less, for longer"
    ]


def test_what_a_store_refuses_keeps_the_policy(path: Path, tmp_path: Path) -> None:
    policy, app = limited(path)
    (tmp_path / "folder").mkdir()
    path.write_text(f'\nstore = "shared://{tmp_path}/folder"\n[tiers]\nfree = "5/hour"\n')
    assert not policy.reload()
    assert policy.statistics().failed_reloads == 1
    assert admitted(app) == 2


def test_an_exception_of_the_codes_functions_keeps_the_policy(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def quota_of(tier: str) -> str:
        asked.append(tier)
        if len(asked) > 2:
            raise ConnectionError("no database")
        return "2/hour"

    path.write_text("shadow = false\n")
    policy, app = limited(path, tiers=quota_of)
    path.write_text("shadow = true\n")
    assert not policy.reload()
    assert caplog.messages == [
        "The policy stays as it was, since its file cannot be used:\n"
        f"{path}: ConnectionError: no database"
    ]
    assert admitted(app) == 2


def test_requests_under_way_end_under_the_old_policy(path: Path) -> None:
    path.write_text(
        '[tiers]\nfree = "5/hour"\n[[rules]]\nmatch = "*"\nquota = "3/hour"\ncounts = "failures"\n'
    )
    policy, _ = limited(path)

    def change() -> None:
        path.write_text('[tiers]\nfree = "5/hour"\n')
        assert policy.reload()

    async def reloads(scope: Any, receive: Any, send: Any) -> None:
        change()
        await hello(scope, receive, send)

    app = RateLimitMiddleware(reloads, policy=policy)
    assert get(app).status == 200
    path.write_text(
        '[tiers]\nfree = "5/hour"\n[[rules]]\nmatch = "*"\nquota = "4/hour"\ncounts = "failures"\n'
    )
    assert policy.reload()
    assert admitted(RateLimitMiddleware(hello, policy=policy)) == 4, "the first has been given back"


def test_reloads_are_counted_for_prometheus(path: Path) -> None:
    registry = CollectorRegistry()
    policy, _ = limited(path, metrics=registry)

    def sample(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels or None)

    gauge = "sluicegate_policy_last_reload_success_timestamp_seconds"
    assert sample(gauge) == policy.statistics().loaded_at
    assert sample("sluicegate_policy_reloads_total", result="ok") == 0
    path.write_text("[tiers\n")
    for _ in range(3):
        policy.reload()
    path.write_text('[tiers]\nfree = "3/hour"\n')
    for _ in range(3):
        policy.reload()
    assert sample("sluicegate_policy_reloads_total", result="ok") == 1
    assert sample("sluicegate_policy_reloads_total", result="failed") == 1
    assert sample(gauge) == policy.statistics().loaded_at


@pytest.mark.parametrize("text", [tiers("{}/hour"), tiers("{}/hour; 90/day"), rule("{}/hour")])
def test_metrics_count_on_over_reloads(path: Path, text: str) -> None:
    registry = CollectorRegistry()
    path.write_text(text.format(5))
    policy, app = limited(path, metrics=registry)

    def totals() -> dict[tuple[str, str], float]:
        return {
            (sample.labels.get("limit", ""), sample.labels["result"]): sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name in ("rate_limit_requests_total", "rate_limit_limit_decisions_total")
            and sample.value
        }

    assert admitted(app) == 5
    before = totals()
    assert before["", "allowed"] == 5
    assert before["", "rejected"] == 1
    path.write_text(text.format(8))
    assert policy.reload()
    assert totals() == before
    assert admitted(app) == 3
    after = totals()
    assert after == {
        name: count * 2 if name[1] == "rejected" else count + 3 for name, count in before.items()
    }


def test_metrics_tell_of_one_tier_what_a_limit_counts_itself(path: Path) -> None:
    registry = CollectorRegistry()
    path.write_text('[tiers]\nfree = "5/hour"\n')
    policy, app = limited(path, metrics=registry)
    assert admitted(app) == 5
    path.write_text('[tiers]\nbasic = "7/hour"\n')
    assert policy.reload()
    assert admitted(app) == 2
    counted = {
        (sample.labels["tier"], sample.labels["result"]): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "rate_limit_limit_decisions_total"
    }
    assert counted == {("free", "allowed"): 7, ("free", "rejected"): 2}


def test_a_clock_of_a_test_is_the_policys_after_a_reload_too(
    path: Path, clock: ManualClock
) -> None:
    policy, app = limited(path, clock=clock)
    assert admitted(app) == 2
    path.write_text('[tiers]\nfree = "3/hour"\n')
    assert policy.reload()
    assert admitted(app) == 1
    clock.advance(3_600)
    assert admitted(app) == 3


def test_a_file_that_is_replaced_by_another_format_is_read_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("tiers:\n  free: 2/hour\n")
    policy, app = limited(path)
    assert admitted(app) == 2
    rewrite(path, "tiers:\n  free: 3/hour\n")
    assert policy.reload()
    assert admitted(app) == 1
