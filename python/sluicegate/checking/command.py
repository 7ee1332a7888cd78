"""``sluicegate check FILE``."""

from __future__ import annotations

import json
import os
import sys
from contextlib import redirect_stdout
from typing import Annotated
from urllib.parse import unquote

import typer

from sluicegate._support.console import standard_output
from sluicegate.checking.as_json import as_json
from sluicegate.checking.asked import Question, answer_of
from sluicegate.checking.tables import show_answer, show_policy
from sluicegate.identity.addresses import parse_address
from sluicegate.policy.document.loading import document_of
from sluicegate.policy.document.text.content import check_path, read_bytes

__all__ = ["check_policy"]


def check_policy(
    file: Annotated[str, typer.Argument(help="The policy: limits.toml, or a YAML file.")],
    request: Annotated[
        str | None,
        typer.Option(
            "--request",
            metavar="METHOD PATH",
            help='Which rules apply to a request, as "POST /login", and what it is charged.',
        ),
    ] = None,
    address: Annotated[str, typer.Option(help="The client's address.")] = "203.0.113.9",
    principal: Annotated[
        str | None, typer.Option(help="Who the client is, once it has logged in.")
    ] = None,
    tier: Annotated[str | None, typer.Option(help="The client's tier.")] = None,
    host: Annotated[str, typer.Option(help="The host that is asked.")] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:VALUE", help="A header, as if a trusted proxy had sent it."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What the request is counted by, instead of a function's word.",
        ),
    ] = None,
    output: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document (pydoc sluicegate.checking.as_json)."),
    ] = False,
) -> None:
    """Check a policy file, and show it; with --request also what becomes of a request.

    Every fault is told with its line, and the exit code is 2. No store is reached: a request is tried in
    memory, with all limits untouched. Functions that the file names are imported, from the working
    directory too; those that it leaves to code may be missing.
    """
    path = check_path(file)
    for folder in (os.path.dirname(os.path.abspath(path)), os.getcwd()):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    with redirect_stdout(sys.stderr):  # what a module prints that the file names is none of ours
        document = document_of(path, read_bytes(os.path.abspath(path), path), {}, stand_ins=True)
    question = answer = None
    if request is not None:
        question = _question(request, address, principal, tier, host, header or (), key or ())
        answer = answer_of(document.options, question)
    else:
        of_request = {"--principal": principal, "--tier": tier, "--host": host, "--header": header}
        for option, given in {**of_request, "--key": key}.items():
            if given:
                raise ValueError(f"{option} says something of a request: give --request as well")
    if output:
        json.dump(as_json(document, answer), sys.stdout, indent=2)
        print()
    elif question is None or answer is None:
        show_policy(standard_output(), path, document)
    else:
        show_answer(standard_output(), document, question, answer)
    sys.stdout.flush()


def _question(
    request: str,
    address: str,
    principal: str | None,
    tier: str | None,
    host: str,
    headers: list[str] | tuple[()],
    keys: list[str] | tuple[()],
) -> Question:
    method, _, path = request.strip().partition(" ")
    if not method.isalpha() or not path.strip().startswith("/"):
        raise ValueError(
            f'--request must be a method and a path, as "POST /login", got {request!r}'
        )
    if parse_address(address) is None:
        raise ValueError(f"--address must be an IP address, as 203.0.113.9, got {address!r}")
    return Question(
        method.upper(),
        unquote(path.strip().partition("?")[0]),  # as a server gives it to an app
        address,
        host,
        tuple(_pair("--header", text, ":") for text in headers),
        principal,
        tier,
        dict(_pair("--key", text, "=") for text in keys),
    )


def _pair(option: str, text: str, between: str) -> tuple[str, str]:
    name, sign, value = text.partition(between)
    if not sign or not name.strip():
        raise ValueError(f"{option} must be NAME{between}VALUE, got {text!r}")
    return name.strip(), value.strip()
