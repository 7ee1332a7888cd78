"""Writes the docstrings of the Rust core into its stub, where editors look for them.

``python tools/stub_docstrings.py`` rewrites ``python/sluicegate/_core.pyi``; with ``--check`` it
only says whether it would change. The stub's signatures are written by hand; its docstrings are
those of the extension, which must be built. What is in the stub alone keeps its text.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

from sluicegate import _core

STUB = Path(__file__).parent.parent / "python" / "sluicegate" / "_core.pyi"


def with_docstrings(stub: str) -> str:
    """The stub with the extension's docstrings, and no others."""
    lines = stub.splitlines()
    # From the end, so that what is above stays where it was.
    for node, text in sorted(_definitions(ast.parse(stub).body, _core), key=_last_first):
        first, last = _documentation(node, lines)
        quoted = _quoted(text, node.col_offset + 4)
        if isinstance(node, ast.ClassDef):
            lines[first:last] = [*quoted, ""] if quoted else []
        else:
            header, comment = _header(lines[first - 1])
            lines[first:last] = quoted
            lines[first - 1] = header + (":" if quoted else ": ...") + comment
    return "\n".join(lines) + "\n"


def _definitions(
    body: list[ast.stmt], thing: Any
) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef, str]]:
    """Each class and function that the extension has too, with what it says of it."""
    seen: set[str] = set()
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name not in vars(thing):
            continue
        found = vars(thing)[node.name]
        if isinstance(found, staticmethod):
            found = found.__func__  # without a text of its own, the other has that of its class
        # Python's own text of `__len__` and the like is no news; of overloads the first has it.
        ours = not node.name.startswith("__") and node.name not in seen
        seen.add(node.name)
        yield node, inspect.cleandoc(found.__doc__ or "") if ours else ""
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, found)


def _last_first(found: tuple[ast.ClassDef | ast.FunctionDef, str]) -> int:
    return -found[0].lineno


def _documentation(node: ast.ClassDef | ast.FunctionDef, lines: list[str]) -> tuple[int, int]:
    """The lines from which to which a docstring is, or where it would be, counted from 0."""
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        assert first.end_lineno is not None
        blank = isinstance(node, ast.ClassDef) and not lines[first.end_lineno].strip()
        return first.lineno - 1, first.end_lineno + blank
    decorators = getattr(first, "decorator_list", [])
    starts = [first.lineno, *(each.lineno for each in decorators)]
    at = min(starts) - 1 if isinstance(node, ast.ClassDef) else first.lineno
    return at, at


def _header(line: str) -> tuple[str, str]:
    """The last line of a function's signature without its colon, and the comment behind it."""
    found = re.fullmatch(r"(.*?):(?: \.\.\.)?(  #.*)?", line)
    assert found is not None, line
    return found[1], found[2] or ""


def _quoted(text: str, column: int) -> list[str]:
    if not text:
        return []
    end = '\n"""' if "\n" in text else '"""'
    return indent(f'"""{text}{end}', " " * column).splitlines()


def main(arguments: list[str]) -> int:
    old = STUB.read_text()
    new = with_docstrings(old)
    if new == old:
        return 0
    if "--check" in arguments:
        print(f"{STUB.name} differs from the docstrings in Rust: python {Path(__file__).name}")
        return 1
    STUB.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
