"""What the environment gives for ``${NAME}``, and how messages keep quiet of it."""

from __future__ import annotations

import os
import re
from typing import Final

from sluicegate.policy.document.text.nodes import UNKNOWN, Node
from sluicegate.policy.document.text.problems import Problems

__all__ = ["Secrets"]

# `$${` is a literal `${`.
_NAMES: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: A part of a value as long as this tells of it.
_TELLING: Final = 6


class Secrets:
    """Puts values of the environment in texts, and takes them out of messages."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._hidden: dict[str, str] = {}
        self._filled: set[int] = set()

    def fill(self, node: Node) -> None:
        """Replace ``${NAME}`` in all texts, in place. What cannot be had is a problem."""
        if id(node) in self._filled:
            return
        self._filled.add(id(node))
        if isinstance(node.value, str):
            text = self._text(node.value, node.line)
            node.value = UNKNOWN if text is None else text
        for child in node.children():
            self.fill(child)

    def hide(self, value: str, name: str) -> None:
        """Keep the value out of messages, which call it ``name``."""
        if value:
            self._hidden[value] = name

    def without(self, message: str) -> str:
        """The message without any of the values, nor a telling part of one."""
        for value in sorted(self._hidden, key=len, reverse=True):
            name = self._hidden[value]
            for form in (value, repr(value)[1:-1]):  # plain, and as it is quoted
                if len(form) >= _TELLING:
                    message = message.replace(form, name)
                else:
                    quoted = rf"(?<=['\"]){re.escape(form)}(?=['\"])"
                    message = re.sub(quoted, name.replace("\\", r"\\"), message)
        names = [name for value, name in self._hidden.items() if _tells(message, value)]
        if names:
            return f"it is refused with what {', '.join(names)} gives, which is not shown here"
        return message

    def _text(self, text: str, line: int) -> str | None:
        parts, end = [], 0
        for found in _NAMES.finditer(text):
            parts.append(text[end : found.start()])
            end = found.end()
            name = found[1]
            if name is None:
                parts.append("${")
                continue
            if not _NAME.fullmatch(name) or not found[0].endswith("}"):
                self._problems.add(
                    line,
                    f"{found[0][:40]!r} names no variable of the environment: write ${{NAME}}, or "
                    "$${ for the characters themselves",
                )
                return None
            value = os.environ.get(name)
            if value is None:
                self._problems.add(
                    line, f"the environment has no {name}, which ${{{name}}} stands for"
                )
                return None
            self.hide(value, f"${{{name}}}")
            parts.append(value)
        return "".join(parts) + text[end:]


def _tells(message: str, value: str) -> bool:
    message, value = message.casefold(), value.casefold()
    parts = (value[start : start + _TELLING] for start in range(len(value) - _TELLING + 1))
    return any(part in message for part in parts)
