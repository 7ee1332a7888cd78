"""What the replay of a policy found: as tables, and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from sluicegate._support.arguments import printable
from sluicegate.replay.report import format_of, name_of, notes, percent, table_of, titled

if TYPE_CHECKING:
    from sluicegate.replay.policy.outcome import PolicyOutcome

__all__ = ["PolicyFindings", "as_document", "show"]


class PolicyFindings(NamedTuple):
    """What a replay found.

    Attributes:
        outcome: with the requests of a second spread over it, or at their exact times.
        at_once: with all of them at its start.
        left_out: what a log cannot tell, so that it was not replayed.
        top: how many of those refused most are shown.
    """

    policy: str
    outcome: PolicyOutcome
    at_once: PolicyOutcome
    left_out: list[str]
    top: int


def show(console: Console, findings: PolicyFindings) -> None:
    """Print the tables."""
    outcome = findings.outcome
    log = outcome.log
    first, last = map(format_of("%Y-%m-%d %H:%M:%S"), log.span)
    console.print(
        f"{len(log):,} requests by {len(log.names):,} clients, {first} to {last} UTC, "
        f"under {printable(findings.policy)}"
    )
    for note in [*notes(log), *findings.left_out]:
        console.print(f"  {note}")
    console.print(
        f"{outcome.refused:,} would have been refused ({percent(outcome.share)}); "
        f"{outcome.free:,} are not limited"
    )
    if outcome.held:
        console.print(f"{outcome.held:,} would have been held, for up to {outcome.longest:.3f} s")
    limits = table_of("limit", "quota", "requests", "refused", "share", "clients", "first\nrefusal")
    when = format_of("%Y-%m-%d %H:%M:%S")
    for limit in outcome.limits():
        limits.add_row(
            name_of(f"{limit.name} (shadow)" if limit.is_shadow else limit.name),
            limit.quota,
            f"{limit.requests:,}",
            f"{limit.refused:,}",
            percent(limit.refused / limit.requests) if limit.requests else "",
            f"{len(limit.keys):,}",
            "never" if limit.first is None else when(limit.first),
        )
    limits.columns[1].justify = "left"
    titled(console, "What each limit would have done", limits)
    console.print(_accuracy(findings))
    rows = outcome.by_client()
    if rows:
        shown = f", the first {findings.top} of {len(rows):,}" if len(rows) > findings.top else ""
        who = table_of("client", "request", "by", "requests", "refused")
        for row in rows[: findings.top]:
            who.add_row(
                name_of(row.client),
                name_of(row.target),
                name_of(row.limit),
                f"{row.requests:,}",
                f"{row.refused:,}",
            )
        for column in who.columns[:3]:
            column.justify, column.overflow = "left", "fold"
        titled(console, f"Who would have been refused{shown}", who)


def _accuracy(findings: PolicyFindings) -> str:
    if findings.outcome.log.is_exact:
        return "The log's times say more than the second: the requests are replayed at them."
    both = sorted((findings.outcome.share, findings.at_once.share))
    return (
        "The log has whole seconds: the requests of one are spread over it. The truth most likely lies "
        f"between that and all of them at its start: {percent(both[0])} to {percent(both[1])} refused."
    )


def as_document(findings: PolicyFindings) -> dict[str, Any]:
    """What ``--json`` prints. Times are Unix seconds.

    ``policy, requests, clients, first, last, times`` (``"exact"`` or ``"whole seconds"``), ``lines,
    malformed, first_malformed, damage, doubt, left_out``; ``free`` (requests that nothing limits),
    ``refused``, ``refused_at_once`` (if all requests of a second had come at its start), ``held`` and
    ``longest_seconds``; ``limits``, each with ``name, quota, shadow, requests, refused, clients,
    first_refusal, last_refusal``; and ``top``, those refused most: ``client, request, limit, requests,
    refused``.
    """
    outcome = findings.outcome
    log = outcome.log
    return {
        "policy": findings.policy,
        "requests": len(log),
        "clients": len(log.names),
        "first": log.span[0],
        "last": log.span[1],
        "times": "exact" if log.is_exact else "whole seconds",
        "lines": log.lines,
        "malformed": log.malformed,
        "first_malformed": log.first_malformed,
        "damage": log.damage,
        "doubt": log.doubt,
        "left_out": findings.left_out,
        "free": outcome.free,
        "refused": outcome.refused,
        "refused_at_once": findings.at_once.refused,
        "held": outcome.held,
        "longest_seconds": outcome.longest,
        "limits": [
            {
                "name": limit.name,
                "quota": limit.quota,
                "shadow": limit.is_shadow,
                "requests": limit.requests,
                "refused": limit.refused,
                "clients": len(limit.keys),
                "first_refusal": limit.first,
                "last_refusal": limit.last,
            }
            for limit in outcome.limits()
        ],
        "top": [
            {
                "client": row.client,
                "request": row.target,
                "limit": row.limit,
                "requests": row.requests,
                "refused": row.refused,
            }
            for row in outcome.by_client()[: findings.top]
        ],
    }
