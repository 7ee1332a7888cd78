"""``sluicegate replay --policy``: the policy's file, and what a log cannot tell of it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from sluicegate._support.console import standard_output
from sluicegate.policy.document.loading import document_of
from sluicegate.policy.document.text.content import check_path, read_bytes
from sluicegate.replay.policy.engine import Asked, replay_policy
from sluicegate.replay.policy.report import PolicyFindings, as_document, show
from sluicegate.replay.policy.targets import Targets

if TYPE_CHECKING:
    from rich.progress import Progress

    from sluicegate.replay.logs.access_log import AccessLog

__all__ = ["PolicyReplay"]


class PolicyReplay:
    """A policy's file, to be replayed.

    Raises:
        ValueError: what is wrong with the file, or a tier that it does not have.
    """

    def __init__(self, file: str, tier: str | None, keys: Mapping[str, str]) -> None:
        self._path = path = check_path(file)
        for folder in (os.path.dirname(os.path.abspath(path)), os.getcwd()):
            if folder not in sys.path:
                sys.path.insert(0, folder)  # where the file's functions are
        content = read_bytes(os.path.abspath(path), path)
        with redirect_stdout(sys.stderr):  # what a module prints that the file names is no report
            options = document_of(path, content, {}, stand_ins=True).options
        tiers = options.get("tiers")
        if tier is not None and isinstance(tiers, Mapping) and tier not in tiers:
            raise ValueError(
                f"--tier must be one of the policy's, {', '.join(tiers)}, got {tier!r}"
            )
        self._asked = Asked(options, tier, keys)
        self.target = Targets(self._asked.enforcer())

    def run(self, log: AccessLog, progress: Progress, top: int, *, as_json: bool) -> None:
        """Replay a log that was read with the :attr:`target`, and print what was found."""
        task = progress.add_task(f"replaying {self._path}", total=2 * len(log))
        outcome = replay_policy(
            log, self._asked, None, lambda done: progress.update(task, completed=done)
        )
        at_once = outcome
        if not log.is_exact:
            at_once = replay_policy(
                log,
                self._asked,
                log.at_once(),
                lambda done: progress.update(task, completed=len(log) + done),
            )
        progress.update(task, completed=2 * len(log))
        progress.stop()
        findings = PolicyFindings(self._path, outcome, at_once, list(_left_out(self._asked)), top)
        if as_json:
            json.dump(as_document(findings), sys.stdout, indent=2)
            print()
        else:
            show(standard_output(), findings)


def _left_out(asked: Asked) -> Iterator[str]:
    """What a log does not tell."""
    options: Mapping[str, Any] = asked.options
    if isinstance(options.get("tiers"), Mapping):
        tier = asked.tier or options.get("default_tier") or next(iter(options["tiers"]))
        yield f"all clients have the tier {tier!r}: a log does not say who has which (--tier)"
    concurrent = any(
        quota.concurrent is not None for rule in options.get("rules", ()) for quota in rule.quotas
    )
    if concurrent or options.get("concurrency") is not None:
        yield "permits are left out: a log does not say how long a request took"
    given = [name for name in ("identify", "verify", "tier") if options.get(name) is not None]
    if given:
        yield f"clients are told apart by their addresses: nobody asks {' and '.join(given)}"
