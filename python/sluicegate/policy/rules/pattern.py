"""Which requests a rule is for, as a text: methods, a host, and a template of the path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from sluicegate._support.unseen import unseen_in
from sluicegate.policy.rules.segments import DOTS, segments_of

__all__ = ["Pattern", "pattern_of"]

_RIGHT: Final = "'POST /login', '/users/{id}', '/static/*', '//api.example.com/*' or '*'"
_METHOD: Final = re.compile(r"[A-Z][A-Z0-9_-]*", re.ASCII)
_PARAMETER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)
_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}")


class Pattern:
    """A pattern that has been read.

    Attributes:
        text: the pattern without what makes no difference, such as a slash at the end.
        methods: ``None`` for all; with ``GET`` there is ``HEAD``.
        host: in lower case, ``*.example.com`` for all below; ``None`` for any.
        segments: of the path, ``None`` where any will do.
        rest: whether all below matches as well.
        parameters: names by the place of their segment.
    """

    __slots__ = ("host", "methods", "parameters", "rest", "segments", "text")

    def __init__(
        self,
        methods: tuple[str, ...],
        host: str | None,
        template: Sequence[str],
        parameters: dict[int, str],
        rest: bool,
    ) -> None:
        path = "/" + "/".join((*template, *(["*"] if rest else [])))
        if host is not None:
            path = f"//{host}{path}"
        elif rest and not template:
            path = "*"
        self.text = f"{'|'.join(methods)} {path}" if methods else path
        closed = {*methods, *(["HEAD"] if "GET" in methods else [])}
        self.methods = frozenset(closed) if methods else None
        self.host = host
        self.segments = tuple(
            None if place in parameters else segment for place, segment in enumerate(template)
        )
        self.rest = rest
        self.parameters = parameters

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Pattern {self.text!r}>"

    def fits(self, segments: Sequence[str]) -> bool:
        """Whether a path of these segments matches, whatever the method and the host."""
        own = self.segments
        if len(segments) < len(own) or (len(segments) > len(own) and not self.rest):
            return False
        # The path may be longer, by what the rest stands for.
        return all(mine is None or mine == its for mine, its in zip(own, segments, strict=False))


def pattern_of(text: object) -> Pattern:
    """The pattern that a rule's ``match`` says.

    Raises ``TypeError`` for what is no ``str``, ``ValueError`` for one that no request could match,
    or that means something else than it seems to.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"match must be a pattern such as {_RIGHT}, got {type(text).__name__} {text!r}"
        )
    if (unseen := unseen_in(text)) is not None:
        _refuse(text, f"it has {unseen!r}, which cannot be seen")
    if text != text.strip():
        _refuse(text, "leave out the space around it")
    methods, target = _methods(text)
    if target == "*":
        return Pattern(methods, None, (), {}, rest=True)
    if not target.startswith("/"):
        _refuse(text, "a path begins with '/', a host with '//'")
    host = None
    if target.startswith("//"):
        host, target = _host(text, target)
    return Pattern(methods, host, *_template(text, target))


def _refuse(text: str, why: str) -> NoReturn:
    raise ValueError(f"match must be a pattern such as {_RIGHT}, got {text!r}: {why}")


def _methods(text: str) -> tuple[tuple[str, ...], str]:
    """The methods, and what stands behind them."""
    if text[:1] in ("/", "*"):
        return (), text
    word, _, target = text.partition(" ")
    if not target:
        _refuse(text, "a path begins with '/', a host with '//'")
    for method in word.split("|"):
        if not _METHOD.fullmatch(method):
            _refuse(
                text, f"{method!r} is no method: write 'POST /login' or 'GET|PUT /users/{{id}}'"
            )
    return tuple(dict.fromkeys(word.split("|"))), target.strip()


def _host(text: str, target: str) -> tuple[str, str]:
    """The host, and the path behind it."""
    host, slash, path = target[2:].partition("/")
    if not slash:
        _refuse(text, f"behind a host stands a path: '//{host}/*', or '/{host}' if it is a path")
    host = host.lower().removesuffix(".")
    if not host.isascii():
        _refuse(text, "a host is written as it is sent, in ASCII: 'xn--…'")
    if re.search(r"[^:\]]:\d*$", host) and not host.startswith("["):
        _refuse(text, "a host is written without its port")
    if host == "*":
        _refuse(text, f"for any host leave it out: '/{path}'")
    if not _HOST.fullmatch(host):
        _refuse(text, f"{host!r} is no host; '*.example.com' is for all below example.com")
    return host, f"/{path}"


def _template(text: str, path: str) -> tuple[list[str], dict[int, str], bool]:
    """The segments of a path template, its parameters, and whether all below matches."""
    if "?" in path:
        _refuse(text, "a pattern has no query: leave out '?' and what is behind it")
    if _ENCODED.search(path):
        from urllib.parse import unquote

        _refuse(text, f"it is compared with the decoded path: write {unquote(path)!r}")
    segments = segments_of(path)
    rest = segments[-1:] == ["*"]
    if rest:
        segments.pop()
    parameters: dict[int, str] = {}
    for place, segment in enumerate(segments):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            _check_literal(text, segment)
        elif found[1] in parameters.values():
            _refuse(text, f"{segment!r} is there twice: give one another name")
        else:
            parameters[place] = found[1]
    return segments, parameters, rest


def _check_literal(text: str, segment: str) -> None:
    if segment in DOTS:
        _refuse(text, f"leave out {segment!r}: write the path that it leads to")
    if "*" in segment:
        _refuse(text, "'*' stands at the end only, behind '/'; one segment is '{name}'")
    if re.search(r"[{}]|^<.*>$", segment):
        _refuse(
            text,
            f"{segment!r} is no parameter: one is a whole segment, '{{name}}', of letters, digits "
            "and '_', without a type; what is below as well is '*'",
        )
