"""What the replay found, for programs."""

from __future__ import annotations

from typing import Any

from sluicegate.replay.outcome import Findings, Outcome, Part, Refused

__all__ = ["as_document"]

_BINS = 24


def as_document(findings: Findings) -> dict[str, Any]:
    """What ``--json`` prints. Times are Unix seconds, shares lie in 0 to 1.

    ``times`` (``"exact"``, or ``"whole seconds"`` over which requests are spread), ``by, requests,
    keys, first, last`` (times of the first and last request), ``lines,
    malformed, first_malformed`` (line numbers), ``out_of_order, damage`` (``null``, or why
    reading ended early), ``doubt`` (``null``, or why the keys are most likely no clients),
    ``at_most_percent``, and ``limits``, each with

    - ``limit`` (as on the command line), ``admitted, refused, share`` (of requests refused),
      ``keys_refused, first_refusal, last_refusal`` (``null`` if there was none);
    - ``refused_at_once``: how many would be refused if the requests of a second, over which
      they are spread, had all come at its start;
    - ``most_in_a_window``: the most admitted for one key in any span of the window's length;
    - ``top_keys``: ``key, requests, refused, most_in_a_window`` (requests, admitted or not),
      ``first_refusal, last_refusal``, those refused most first;
    - ``over_time``: ``from, requests, refused`` for equal parts of the log's time;
    - ``parts``: the limits that decided, one or several together, each with ``limit, refused,
      share, keys_refused, first_refusal, last_refusal, most_in_a_window``; a request that several
      refused counts for each of them;
    - ``enough``: ``limit, refused, share`` of the smallest limit that refuses at most
      ``at_most_percent``; ``null`` if none does.

    Where several limits decide together there is no one window: both ``most_in_a_window`` outside of
    ``parts`` are ``null``, and each of ``top_keys`` has ``refused_by``, the refusals by limit.
    """
    log = findings.log
    return {
        "times": "exact" if log.is_exact else "whole seconds",
        "by": findings.by,
        "requests": len(log),
        "keys": len(log.names),
        "first": log.span[0],
        "last": log.span[1],
        "lines": log.lines,
        "malformed": log.malformed,
        "first_malformed": log.first_malformed,
        "out_of_order": log.out_of_order,
        "damage": log.damage,
        "doubt": log.doubt,
        "at_most_percent": findings.at_most_percent,
        "limits": [
            _outcome(outcome, findings.top)
            | {
                "refused_at_once": at_once,
                "enough": _enough(best) if findings.enough(best) else None,
            }
            for outcome, at_once, best in zip(
                findings.outcomes, findings.at_once, findings.found, strict=True
            )
        ],
    }


def _enough(best: Outcome) -> dict[str, Any]:
    return {"limit": str(best.spec), "refused": best.refused, "share": best.share}


def _outcome(outcome: Outcome, top: int) -> dict[str, Any]:
    rows = outcome.by_key
    return {
        "limit": str(outcome.spec),
        "admitted": outcome.admitted,
        "refused": outcome.refused,
        "share": outcome.share,
        "keys_refused": len(rows),
        "first_refusal": min((row.first for row in rows), default=None),
        "last_refusal": max((row.last for row in rows), default=None),
        "most_in_a_window": outcome.most_admitted,
        "top_keys": [_key(outcome, row) for row in rows[:top]],
        "over_time": [
            {"from": part.start, "requests": part.requests, "refused": part.refused}
            for part in outcome.over_time(_BINS)
        ],
        "parts": [_part(part) for part in outcome.parts],
    }


def _key(outcome: Outcome, row: Refused) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": row.key,
        "requests": row.requests,
        "refused": row.refused,
        "most_in_a_window": row.most,
        "first_refusal": row.first,
        "last_refusal": row.last,
    }
    if len(row.by) > 1:
        names = map(str, outcome.spec.parts)
        found["refused_by"] = dict(zip(names, row.by, strict=True))
    return found


def _part(part: Part) -> dict[str, Any]:
    return {
        "limit": str(part.spec),
        "refused": part.refused,
        "share": part.share,
        "keys_refused": part.keys,
        "first_refusal": part.first,
        "last_refusal": part.last,
        "most_in_a_window": part.most,
    }
