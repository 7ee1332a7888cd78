"""``sluicegate import nginx FILE`` and its kin."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluicegate._support.console import standard_output
from sluicegate.importers.document import Document
from sluicegate.importers.origins import ImportFileError
from sluicegate.importers.table import show, show_unmatched
from sluicegate.importers.text import policy_text
from sluicegate.importers.writing import write_all

__all__ = ["importing"]

importing = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Make a policy file of what nginx or Kong limits, with where each rule comes from.",
)

_NAME = "limits"

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write the policy to this file. Without it, print it; on a terminal, as a table.",
    ),
]


@importing.callback()
def _import() -> None:
    """Make a policy file of what another program limits."""


@importing.command("nginx")
def import_nginx(
    file: Annotated[str, typer.Argument(help="The main file, as nginx.conf.")],
    output: Output = None,
) -> None:
    """Import limit_req and limit_conn with their zones, maps, locations and servers.

    Files that it includes are read as well. Above each rule stands where it comes from; what has
    no equivalent is listed, with the reason and the effect, on standard error and at the end of the
    policy. Keys made by map and geo become functions in a Python module beside the policy.
    """
    from sluicegate.importers.nginx.reading import read_nginx

    _import_file(lambda name: read_nginx(file, name), output)


@importing.command("kong")
def import_kong(
    file: Annotated[str, typer.Argument(help="The declarative configuration, as kong.yml.")],
    output: Output = None,
) -> None:
    """Import rate-limiting and rate-limiting-advanced of services, routes, consumers and groups.

    Of each plugin one configuration applies to a request, by Kong's precedence. Above each rule
    stands where it comes from; what has no equivalent is listed, with the reason and the effect, on
    standard error and at the end of the policy. Passwords are left to the environment.
    """
    from sluicegate.importers.kong.reading import read_kong

    _import_file(lambda name: read_kong(file, name), output)


def _import_file(read: Callable[[str], Document], output: Path | None) -> None:
    errors = Console(stderr=True, markup=False, emoji=False, highlight=False, width=_width())
    try:
        document = read(_NAME if output is None else _name_of(output))
    except ImportFileError as error:
        print(error, file=sys.stderr)  # a line for each problem
        raise typer.Exit(2) from None
    _tell(document, output)
    show_unmatched(errors, document.unmatched)
    sys.stdout.flush()


def _tell(document: Document, output: Path | None) -> None:
    if output is not None:
        texts = {output: policy_text(document)}
        if document.functions is not None:
            texts[output.parent / f"{document.module}.py"] = document.functions
        write_all(texts)
    elif not sys.stdout.isatty():
        if document.functions is not None:
            raise ValueError(
                "the policy needs a Python module beside it, with the keys that map and geo make: "
                "give a file by -o"
            )
        print(policy_text(document), end="")
        return
    show(standard_output(), document)


def _name_of(output: Path) -> str:
    """What a module and a zone can be called, after a file."""
    return re.sub(r"[^A-Za-z0-9_]", "_", output.stem).lstrip("_0123456789") or _NAME


def _width() -> int | None:
    return None if sys.stderr.isatty() else 120
