"""A file as the arguments of a policy: all that is wrong with it, or what it gives and warns of."""

from __future__ import annotations

from typing import Any, NamedTuple

from sluicegate.policy.document.arguments import Given, given_by
from sluicegate.policy.document.beside import check_beside, check_in_code, warnings_of
from sluicegate.policy.document.rules import rule_of
from sluicegate.policy.document.text.content import check_path, read_bytes, read_nodes
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.text.secrets import Secrets
from sluicegate.policy.document.trial import try_policy
from sluicegate.policy.document.values.reader import Reader

__all__ = ["Document", "document_of", "read_document"]


class Document(NamedTuple):
    """What a file and the code beside it give.

    Attributes:
        options: a policy's arguments.
        given: those of the file, with their lines.
        warnings: what can hardly be meant, ``(line, reason)``.
        secrets: what messages must not show.
    """

    options: dict[str, Any]
    given: Given
    warnings: list[tuple[int, str]]
    secrets: Secrets


def read_document(path: object, *, stand_ins: bool = False, **in_code: Any) -> Document:
    """The document of the file at ``path``, which is read once; see :func:`document_of`."""
    name = check_path(path)
    check_in_code(in_code)
    return document_of(name, read_bytes(name, name), in_code, stand_ins=stand_ins)


def document_of(
    path: str, content: bytes, in_code: dict[str, Any], *, stand_ins: bool = False
) -> Document:
    """The document of a file's ``content``; the policy has been tried, and no store been touched.

    ``stand_ins``: whether functions that the file expects of the code may be missing.

    Raises :class:`~sluicegate.errors.PolicyFileError` with all that is wrong with the file, and
    ``ValueError`` or ``TypeError`` for an option of the code.
    """
    problems = Problems(path)
    root = read_nodes(content, problems)
    if root is None:
        problems.raise_any()
    assert root is not None
    secrets = Secrets(problems)
    problems.without_secrets = secrets.without
    secrets.fill(root)
    given = given_by(root, Reader(problems))
    check_beside(given, in_code, problems, stand_ins)
    try_policy(given, in_code, problems)
    problems.raise_any()
    warnings = [(line, secrets.without(said)) for line, said in warnings_of(given)]
    options = given.beside(in_code)
    if given.rules:
        options["rules"] = tuple(map(rule_of, given.rules))
    return Document(options, given, warnings, secrets)
