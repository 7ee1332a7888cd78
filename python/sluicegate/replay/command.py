"""``sluicegate replay FILE``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sluicegate._support.console import standard_output
from sluicegate.replay import plot, specs
from sluicegate.replay.document import as_document
from sluicegate.replay.engine import refused_at_once, replay, smallest_limit
from sluicegate.replay.logs import access_log, keys
from sluicegate.replay.logs.choosing import Format
from sluicegate.replay.logs.common import field_of
from sluicegate.replay.outcome import Findings, Outcome
from sluicegate.replay.policy.command import PolicyReplay
from sluicegate.replay.report import show

__all__ = ["replay_log"]

_DEFAULT = "sliding_window:100/minute"


def replay_log(
    file: Annotated[str, typer.Argument(help="The log, plain or gzipped; - reads standard input.")],
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", "-l", help=f"May be given several times, to compare: {specs.GRAMMAR}."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="Replay through the rules of a policy's file, instead of --limit.",
        ),
    ] = None,
    tier: Annotated[
        str | None, typer.Option(help="The tier that all clients have, with --policy.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What all requests are counted by, instead of a function's word, with --policy.",
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="ip: a limit for each client. path: one for each path.")
    ] = "ip",
    client: Annotated[
        str | None,
        typer.Option(
            "--client-field",
            "--client",
            help="Where the client's address stands: the number of a word of the line; last, the last "
            "quoted field, as X-Forwarded-For is logged; first, the list at the line's start; or the "
            "name of a field of JSON lines or of --log-format. By default the peer's address.",
        ),
    ] = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            "--trusted-proxies",
            metavar="NETWORKS",
            help="Of a list of addresses, the client is the last that is not of these, as "
            "10.0.0.0/8,192.0.2.1. By default the private networks.",
        ),
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Of JSON lines, which fields say what, as client=ip,time=ts,request=line; also "
            "method, path and host. By default those of nginx, Caddy and Traefik are found.",
        ),
    ] = None,
    line: Annotated[
        str | None,
        typer.Option(
            "--log-format",
            metavar="FORMAT",
            help="A line's format, as nginx's log_format or Apache's LogFormat has it. By default "
            "the common and combined formats and JSON lines are told apart by the first line.",
        ),
    ] = None,
    at_most: Annotated[
        float, typer.Option(help="Find the limit that refuses at most so many percent.")
    ] = 1.0,
    top: Annotated[int, typer.Option(help="Show so many of those refused most.")] = 10,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON document instead of tables (pydoc sluicegate.replay.document).",
        ),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--plot", help="Draw requests and refusals: a .png or .svg file.")
    ] = None,
) -> None:
    """Replay an access log through limiters, in its own time.

    The log has the common or combined format of Apache and nginx, behind what syslog, a container or a
    virtual host puts before a line, or another one that --log-format gives; or it has JSON lines.

    Several limits in one --limit decide together, as a Gate does: all admit, or nothing is
    spent. Prints who would have been refused, when and by which limit, and the smallest limit
    that would have refused at most --at-most percent. Lines out of order are put in order; a
    line takes 12 bytes of memory, 24 while a log is put in order. Where a log has whole seconds,
    the requests of a second are spread over it, and what would be refused if they had come
    at once is told as well.
    """
    if by not in ("ip", "path"):
        raise ValueError(f"--by must be ip or path, got {by!r}")
    if not 0 <= at_most <= 100:
        raise ValueError(f"--at-most must be 0 to 100 percent, got {at_most}")
    if top < 1:
        raise ValueError(f"--top must be at least 1, got {top}")
    said = Format(
        client=None if client is None else field_of(client), fields=_fields(fields), line=line
    )
    who = keys.PATH if by == "path" else keys.CLIENT
    if proxies is not None:
        who = _behind(proxies, by)
    if policy is not None:
        if limit or by != "ip" or picture is not None:
            option = "--limit" if limit else "--by path" if by != "ip" else "--plot"
            raise ValueError(
                f"{option} means nothing beside --policy, whose rules say it: leave it out"
            )
        replay_file = PolicyReplay(policy, tier, _pairs("--key", key or []))
        with _progress(Console(stderr=True)) as progress:
            log = _read(file, who, said, progress, replay_file.target)
            replay_file.run(log, progress, top, as_json=as_json)
        sys.stdout.flush()
        return
    if tier is not None or key:
        raise ValueError(
            "--tier and --key say something of a policy's clients: give --policy as well"
        )
    chosen = [specs.parse(text) for text in limit or [_DEFAULT]]
    if picture is not None:
        plot.check_target(picture)
    errors = Console(stderr=True, markup=False, emoji=False, highlight=False)
    if not limit and not as_json:
        errors.print(f"no --limit given: {_DEFAULT} it is (see --help)")
    with _progress(errors) as progress:
        log = _read(file, who, said, progress)
        outcomes = [_one(log, spec, progress) for spec in chosen]
        at_once = [refused_at_once(log, spec) for spec in chosen]
        task = progress.add_task(f"finding limits that refuse at most {at_most:g} %", total=None)
        found = [
            smallest_limit(outcome, at_most / 100, lambda: progress.advance(task))
            for outcome in outcomes
        ]
    findings = Findings(log, by, outcomes, at_once, found, at_most, top)
    if as_json:
        json.dump(as_document(findings), sys.stdout, indent=2)
        print()
    else:
        show(standard_output(), findings)
    if picture is not None:
        plot.plot(outcomes, picture)
        errors.print(f"picture: {picture}", soft_wrap=True)
    sys.stdout.flush()


def _progress(errors: Console) -> Progress:
    """A bar on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _fields(given: str | None) -> dict[str, str]:
    """The names of fields, by what they say."""
    return {} if given is None else _pairs("--fields", given.split(","))


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in given:
        name, equals, value = map(str.strip, pair.partition("="))
        if not (name and equals and value):
            right = "client=ip,time=ts" if option == "--fields" else "org=acme"
            raise ValueError(f"{option} must be NAME=VALUE, as {right}, got {pair!r}")
        pairs[name] = value
    return pairs


def _behind(proxies: str, by: str) -> keys.By:
    if by == "path":
        raise ValueError("--trusted-proxies says who a client is: leave it out beside --by path")
    return keys.clients_behind(proxies)


def _read(
    file: str,
    who: keys.By,
    said: Format,
    progress: Progress,
    target: Callable[[bytes, bytes, bytes], object] | None = None,
) -> access_log.AccessLog:
    size = None if file == "-" or not Path(file).is_file() else os.path.getsize(file)
    task = progress.add_task("reading", total=size)
    log = access_log.read(
        file, who, lambda done: progress.update(task, completed=done), said=said, target=target
    )
    progress.update(task, completed=size or 1, total=size or 1)
    return log


def _one(
    log: access_log.AccessLog, spec: specs.Spec | specs.Several, progress: Progress
) -> Outcome:
    task = progress.add_task(f"replaying {spec}", total=len(log))
    return replay(log, spec, lambda done: progress.update(task, completed=done))
