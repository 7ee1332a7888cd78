"""``limit_req_zone`` and ``limit_conn_zone``: what is counted by which key, at which rate."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.origins import Origin

__all__ = ["Rate", "Zone", "zones_of"]

_RATE = re.compile(r"0*([1-9][0-9]{0,9})(r/s|r/m)?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,10})([kKmM]?)", re.ASCII)
_SHIFTS = {"": 0, "k": 10, "m": 20}
_SMALLEST = 32_768  # eight pages


@dataclass(frozen=True)
class Rate:
    """``amount`` requests a ``window``, ``second`` or ``minute``."""

    amount: int
    window: str

    @property
    def per_second(self) -> Fraction:
        return Fraction(self.amount, 60 if self.window == "minute" else 1)

    @property
    def counted(self) -> Fraction:
        """Per second, as nginx counts it: in whole thousandths."""
        return Fraction(self.per_second * 1000 // 1, 1000)


@dataclass(frozen=True)
class Zone:
    """A zone of shared memory.

    Attributes:
        rate: ``None`` of ``limit_conn_zone``.
        key: a text with variables.
        size: in bytes.
    """

    name: str
    key: str
    rate: Rate | None
    size: int
    directive: Directive

    @property
    def origin(self) -> Origin:
        return self.directive.origin


def zones_of(http: Directive, report: Report) -> dict[str, Zone]:
    """All zones by their names. What is wrong nginx refuses too."""
    found: dict[str, Zone] = {}
    for directive in http.block or ():
        if directive.name not in ("limit_req_zone", "limit_conn_zone"):
            continue
        zone = _zone(directive, report)
        if zone is None:
            continue
        if zone.name in found:
            first = found[zone.name].origin
            report.wrong(zone.origin, f"zone {zone.name!r} is declared twice, first at {first}")
        else:
            found[zone.name] = zone
    return found


def _zone(directive: Directive, report: Report) -> Zone | None:
    key, *parameters = directive.args
    faults = [*_faults(directive, parameters)]
    for fault in faults:
        report.wrong(directive.origin, f"{directive.name}: {fault}")
    if faults:
        return None
    given = dict(parameter.split("=", 1) for parameter in parameters if "=" in parameter)
    name, _, size = given["zone"].partition(":")
    rate = None
    if directive.name == "limit_req_zone":
        read = _RATE.fullmatch(given.get("rate", "1r/s"))
        assert read is not None
        rate = Rate(int(read[1]), "minute" if read[2] == "r/m" else "second")
    return Zone(name, key, rate, _bytes(size) or 0, directive)


def _faults(directive: Directive, parameters: list[str]) -> Iterator[str]:
    is_req = directive.name == "limit_req_zone"
    known = ("zone", "rate") if is_req else ("zone",)
    for parameter in parameters:
        if parameter != "sync" and parameter.partition("=")[0] not in known:
            yield f"unknown parameter {parameter!r}"
    given = [parameter.partition("=") for parameter in parameters if parameter != "sync"]
    zones = [value for name, _, value in given if name == "zone"]
    if len(zones) != 1 or not re.fullmatch(r"[^:]+:.+", zones[0]):
        yield "it needs one zone=NAME:SIZE, as zone=clients:10m"
    elif (_bytes(zones[0].partition(":")[2]) or 0) < _SMALLEST:
        yield f"{zones[0]!r} has no size from 32k, as clients:10m"
    for name, _, value in given:
        if name == "rate" and not _RATE.fullmatch(value):
            yield f"rate={value} is no whole number of requests a second or minute, as 10r/s or 30r/m"


def _bytes(text: str) -> int | None:
    read = _SIZE.fullmatch(text)
    return None if read is None else int(read[1]) << _SHIFTS[read[2].lower()]
