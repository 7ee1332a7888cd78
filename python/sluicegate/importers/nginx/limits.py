"""``limit_req`` and ``limit_conn``: which zones apply at a level, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil

from sluicegate.importers.nginx.pages.answer import Answer
from sluicegate.importers.nginx.pages.level import NO_STATUSES, Pages
from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.zones import Zone

__all__ = ["Limits", "Use", "limits_at"]

_NUMBER = re.compile(r"0*([1-9][0-9]{0,8})", re.ASCII)
_MOST_CONNECTIONS = 65_535
#: That of the policy's own answer.
_USUAL = 429
#: Longer than a policy holds a request.
LONGEST_DELAY = 3_600


@dataclass(frozen=True)
class Use:
    """A zone as a level uses it.

    Attributes:
        burst: of ``limit_req``, how many may come too early.
        delayed_from: of those, how many pass at once; ``None`` for all.
        connections: of ``limit_conn``.
        is_dry: it refuses nobody.
        status: what a request gets that it refuses.
        page: the ``error_page`` for it, if there is one.
        answer: what the request gets then, where a policy can say it.
    """

    zone: Zone
    directive: Directive
    burst: int = 0
    delayed_from: int | None = None
    connections: int = 0
    is_dry: bool = False
    status: int = 503
    page: Directive | None = field(default=None, compare=False)
    answer: Answer | None = None

    @property
    def quota(self) -> str:
        if self.zone.rate is None:
            return f"{self.connections} concurrent"
        return f"{self.zone.rate.amount}/{self.zone.rate.window} burst {self.burst + 1}"

    @property
    def is_held(self) -> bool:
        """Whether it delays requests instead of refusing them."""
        return self.delayed_from is not None and self.delayed_from < self.burst

    @property
    def delay(self) -> float:
        """The longest time in seconds, no less than exact, in which the whole burst is served."""
        assert self.zone.rate is not None
        exact = Fraction(self.burst) / self.zone.rate.per_second
        return min(ceil(exact * 1_000_000) / 1_000_000, LONGEST_DELAY)

    def same_as(self, other: Use) -> bool:
        """Whether it does the same, wherever it stands."""
        return replace(self, directive=other.directive) == other


@dataclass(frozen=True)
class Part:
    """What a level says of ``limit_req``, or of ``limit_conn``."""

    uses: tuple[Use, ...] = ()
    status: int = 503
    is_dry: bool = False
    #: What says the status.
    said: Directive | None = None

    def answer(self, pages: Pages) -> Answer | None:
        """What a request gets that is refused; ``None`` for the policy's own answer."""
        found = pages.answer(self.status)
        if found is not None or self.said is None or self.status in (_USUAL, *NO_STATUSES):
            return found
        return Answer(self.status, directives=(self.said,))


@dataclass(frozen=True)
class Limits:
    """What applies at a level, and the error pages there."""

    req: Part = Part()
    conn: Part = Part()
    pages: Pages = field(default_factory=Pages)

    @property
    def uses(self) -> tuple[Use, ...]:
        """All zones, with what the level says of statuses and dry runs."""
        return tuple(
            replace(
                use,
                status=part.status,
                is_dry=part.is_dry,
                page=self.pages.page(part.status),
                answer=None if part.is_dry else part.answer(self.pages),
            )
            for part in (self.req, self.conn)
            for use in part.uses
        )


def limits_at(level: Directive, outer: Limits, zones: Mapping[str, Zone], report: Report) -> Limits:
    """What applies in a block ``level`` within a level that has ``outer``.

    A level with a ``limit_req`` of its own has none of the outer ones; so with ``limit_conn``.
    Statuses and dry runs are those of the level, else of the outer one, whoever has the limits.
    """
    return Limits(
        _part("limit_req", level, outer.req, zones, report),
        _part("limit_conn", level, outer.conn, zones, report),
        outer.pages.within(level),
    )


def _part(
    name: str, level: Directive, outer: Part, zones: Mapping[str, Zone], report: Report
) -> Part:
    own = level.all(name)
    status = level.last(f"{name}_status")
    dry_run = level.last(f"{name}_dry_run")
    return Part(
        tuple(_uses(own, zones, report)) if own else outer.uses,
        outer.status if status is None else _status(status, report),
        outer.is_dry if dry_run is None else dry_run.args[0].lower() == "on",
        outer.said if status is None else status,
    )


def _uses(directives: list[Directive], zones: Mapping[str, Zone], report: Report) -> list[Use]:
    found: list[Use] = []
    for directive in directives:
        if any(arg.removeprefix("zone=").startswith("$") for arg in directive.args):
            _tell_of_variable(directive, report)
            continue
        try:
            use = (
                _req(directive, zones) if directive.name == "limit_req" else _conn(directive, zones)
            )
            if any(use.zone is other.zone for other in found):
                raise ValueError(f"zone {use.zone.name!r} is used twice in one block")
        except ValueError as error:
            report.wrong(directive.origin, f"{directive.name}: {error}")
        else:
            found.append(use)
    return found


def _tell_of_variable(directive: Directive, report: Report) -> None:
    report.differs(
        directive,
        "a zone's name is fixed; neither `set` nor another variable can choose one. nginx takes this for "
        "the name of a zone that nothing declares, and refuses the whole file (zero size shared "
        "memory zone)",
        f"it is left out, and {directive.name} of outer blocks does not apply beside it either; for a "
        "zone that depends on a request, let a map make its key empty for the others",
    )


def _req(directive: Directive, zones: Mapping[str, Zone]) -> Use:
    name, burst, delay = "", 0, 0
    at_once = False
    for parameter in directive.args:
        word, _, value = parameter.partition("=")
        if word == "zone":
            name = value
        elif word == "burst":
            burst = _number(parameter, value)
        elif word == "delay":
            delay = _number(parameter, value)
        elif parameter == "nodelay":
            at_once = True
        else:
            raise ValueError(f"unknown parameter {parameter!r}")
    if not name:
        raise ValueError("it needs zone=NAME")
    zone = _zone(name, zones, is_req=True)
    return Use(zone, directive, burst, None if at_once else delay)


def _conn(directive: Directive, zones: Mapping[str, Zone]) -> Use:
    name, most = directive.args
    connections = _number(most, most)
    if connections > _MOST_CONNECTIONS:
        raise ValueError(f"{connections} is above {_MOST_CONNECTIONS}")
    return Use(_zone(name, zones, is_req=False), directive, connections=connections)


def _zone(name: str, zones: Mapping[str, Zone], is_req: bool) -> Zone:
    zone = zones.get(name)
    if zone is None or (zone.rate is not None) != is_req:
        kind = "limit_req_zone" if is_req else "limit_conn_zone"
        other = "" if zone is None else f", only as {zone.directive.name} at {zone.origin}"
        raise ValueError(f"no {kind} declares the zone {name!r}{other}")
    return zone


def _number(parameter: str, text: str) -> int:
    read = _NUMBER.fullmatch(text)
    if read is None:
        raise ValueError(f"{parameter!r} is no whole number from 1 to 999,999,999")
    return int(read[1])


def _status(directive: Directive, report: Report) -> int:
    text = directive.args[0]
    if text.isascii() and text.isdigit() and 400 <= int(text) <= 599:
        return int(text)
    report.wrong(directive.origin, f"{directive.name}: {text!r} is not 400 to 599")
    return 503
