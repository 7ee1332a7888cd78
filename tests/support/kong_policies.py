"""Configurations of Kong as policies at work, in this process and on a clock of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from asgi_calls import call, hello
from kong_model import Request
from sluicegate import ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.identity.principal import Principal
from sluicegate.importers.document import Document
from sluicegate.importers.kong.reading import read_kong
from sluicegate.importers.text import policy_text
from sluicegate.policy import Policy

_OF_STORES = ("store =", "on_error =", "timeout =", "closed_status =")


def written(folder: Path, config: dict[str, Any] | str) -> Path:
    """The configuration in a file; a table gets a format."""
    path = folder / "kong.yml"
    if not isinstance(config, str):
        config = yaml.safe_dump({"_format_version": "3.0", **config}, sort_keys=False)
    path.write_text(config)
    return path


def imported(folder: Path, config: dict[str, Any] | str) -> Document:
    return read_kong(str(written(folder, config)))


def rules(document: Document) -> list[str]:
    """Each rule on a line: ``/api/* 5/minute by client, tier gold, as global``."""
    return [_rule(dict(entry.values)) for entry in document.rules]


def _rule(values: dict[str, Any]) -> str:
    if values.pop("exempt", False):
        return f"{values.pop('match')} no more"
    by, tier = values.pop("by"), values.pop("tier", None)
    text = f"{values.pop('match')} {values.pop('quota')} by {_joined(by)}"
    text += "" if tier is None else f", tier {_joined(tier)}"
    text += f", as {values.pop('name')}"
    advanced = values.pop("group") == "rate-limiting-advanced"
    usual = "sliding_counter" if advanced else "fixed_window"
    if values["algorithm"] == usual:
        del values["algorithm"]
    return ", ".join([text, *(f"{key} {value}" for key, value in values.items())])


def _joined(texts: str | list[str]) -> str:
    return texts if isinstance(texts, str) else "+".join(texts)


def differences(document: Document) -> list[tuple[int | None, str]]:
    """What has no equivalent and where, without what is said of every file."""
    usual = ("clients' addresses", "requests that no route", "paths ", "strip_path of routes ")
    return [
        (each.origin.line, each.what)
        for each in document.unmatched
        if not each.what.startswith(usual)
    ]


class Imported:
    """An imported policy in a middleware. A request names its consumer by an API key."""

    def __init__(self, folder: Path, document: Document, now: float = 1_700_000_000) -> None:
        self.clock = ManualClock(now)
        self._tiers = {tier for entry in document.tiers for tier in entry.values}
        text = policy_text(document).splitlines(keepends=True)
        path = folder / "limits.toml"
        path.write_text("".join(line for line in text if not line.startswith(_OF_STORES)))
        self.groups: dict[str, list[str]] = {}
        policy = Policy.from_file(path, reload_seconds=0, clock=self.clock, verify=self._verify)
        self.app = RateLimitMiddleware(hello, policy=policy)

    def _verify(self, key: str) -> Principal:
        """The tier of a consumer is called as it is, or else as its groups are."""
        groups = sorted(self._tiers & {*self.groups.get(key, ())})
        tier = key if key in self._tiers else "+".join(groups)
        return Principal(key, tier or None)

    def admits(self, *requests: Request) -> list[bool]:
        """Whether each is admitted, at one time."""
        return asyncio.run(self._admit([(0, request) for request in requests]))

    def run(self, script: Iterable[tuple[int, Request]]) -> list[bool]:
        """The same with seconds before each."""
        return asyncio.run(self._admit(script))

    async def _admit(self, script: Iterable[tuple[int, Request]]) -> list[bool]:
        found: list[bool] = []
        for wait, (path, method, host, consumer, address) in script:
            self.clock.advance(wait)
            headers = [("host", host), *([] if consumer is None else [("x-api-key", consumer)])]
            answer = await call(self.app, path, method=method, headers=headers, peer=address)
            assert answer.status in (200, 429)
            found.append(answer.status == 200)
        return found
