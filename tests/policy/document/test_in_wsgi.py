"""A policy's file behind a WSGI app: the same, with what WSGI cannot do found before a request does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from policy_files import rewrite
from polling import until
from sluicegate.errors import PolicyFileError
from sluicegate.policy import Policy
from sluicegate.wsgi import RateLimitMiddleware
from wsgi_calls import get


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"hello"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_text('[tiers]\nfree = "2/hour"\n')
    return path


def statuses(app: Any, times: int = 4) -> list[int]:
    return [get(app).status for _ in range(times)]


def test_a_middleware_takes_the_path_and_its_file_is_watched(path: Path) -> None:
    app = RateLimitMiddleware(hello, policy=str(path), reload_seconds=0.02)
    assert statuses(app) == [200, 200, 429, 429]
    rewrite(path, '[tiers]\nfree = "3/hour"\n')
    until(lambda: app._policy.statistics().reloads == 1, "the file has been read again")
    assert statuses(app) == [200, 429, 429, 429]


def test_what_only_asgi_can_do_is_told_with_its_line(path: Path) -> None:
    text = '[identity]\nverify = "policy_plans:{}"\n\napi_key_header = "{}"\n[tiers]\nfree = "2/hour"\n'
    path.write_text(text.format("looked_up", "x_api_key"))
    with pytest.raises(PolicyFileError) as caught:
        RateLimitMiddleware(hello, policy=path)
    ((line, why),) = caught.value.problems
    assert (line, why[:29]) == (4, "api_key_header must have no '")
    path.write_text(text.format("looked_up_later", "x-api-key"))
    with pytest.raises(PolicyFileError) as caught:
        RateLimitMiddleware(hello, policy=path)
    ((line, why),) = caught.value.problems
    assert (line, why[:6]) == (2, "verify")
    Policy.from_file(path)  # in ASGI it may be awaited


def test_a_file_that_wsgi_cannot_do_keeps_the_policy(path: Path) -> None:
    policy = Policy.from_file(path, reload_seconds=0)
    app = RateLimitMiddleware(hello, policy=policy)
    path.write_text(
        '[identity]\nverify = "policy_plans:looked_up_later"\n[tiers]\nfree = "3/hour"\n'
    )
    assert not policy.reload()
    assert statuses(app) == [200, 200, 429, 429]
    path.write_text('[tiers]\nfree = "3/hour"\n')
    assert policy.reload()
    assert statuses(app) == [200, 429, 429, 429]


def test_what_comes_after_a_refused_version_goes_on_from_what_is_in_force(path: Path) -> None:
    rules = '[[rules]]\nmatch = "*"\nquota = "{}/hour"\n'
    path.write_text(rules.format(2))
    policy = Policy.from_file(path, reload_seconds=0)
    app = RateLimitMiddleware(hello, policy=policy)
    assert statuses(app) == [200, 200, 429, 429]
    path.write_text(
        '[identity]\nverify = "policy_plans:looked_up_later"\n[tiers]\nfree = "9/hour"\n'
    )
    assert not policy.reload()
    path.write_text(rules.format(3))
    assert policy.reload()
    assert statuses(app) == [200, 429, 429, 429]
