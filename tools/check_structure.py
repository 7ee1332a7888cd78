"""Holds the structure: no circle of imports, no arrow that runs up, no file or folder too large.

A room is a file, an arrow an import, wherever in the file it stands and even if only a type
checker follows it. A name that a package hands on counts as its file's own. ``make lint`` runs
this; ``--draw`` prints the rooms by floor.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_LINES = {".py": 250, ".rs": 350}
MOST_FILES = 18  # in a folder of Python's
Arrows = dict[str, set[str]]

# From the ground up: a room knows its own floor and those below.
PYTHON_FLOORS = [
    "_core errors types",
    "_support",
    "_connection _zone headers",
    "limiters refusals gate",
    "redis shared concurrency testing leaky_bucket",
    "observe",
    "hooks metrics opentelemetry retry breaker identity",
    "policy",
    "asgi wsgi",
    "fastapi replay checking importers",
    "__init__ commands",
    "cli",
    "__main__",
]
RUST_FLOORS = [
    "error fraction fork clock",
    "quota decision",
    "algorithm",
    "store",
    "gate",
    "python",
    "lib",
]


def main() -> int:
    python, rust = python_arrows(ROOT / "python" / "sluicegate"), rust_arrows(ROOT / "src")
    if sys.argv[1:] == ["--draw"]:
        draw("python", python, PYTHON_FLOORS)
        draw("src", rust, RUST_FLOORS)
    faults = [
        *faults_of("python", python, PYTHON_FLOORS),
        *faults_of("src", rust, RUST_FLOORS),
        *too_large(),
    ]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def faults_of(tree: str, arrows: Arrows, floors: list[str]) -> Iterator[str]:
    for circle in circles(arrows):
        yield f"{tree}: a circle: {' -> '.join([*circle, circle[0]])}"
    for room, known in sorted(arrows.items()):
        for other in sorted(known):
            if floor(room, floors) < floor(other, floors):
                yield f"{tree}: an arrow that runs up: {room} -> {other}"


def too_large() -> Iterator[str]:
    for path in [*(ROOT / "python").rglob("*.py"), *(ROOT / "src").rglob("*.rs")]:
        lines, most = path.read_text().count("\n"), MOST_LINES[path.suffix]
        if lines > most:
            yield f"{path.relative_to(ROOT)} has {lines} lines, {most} at most: move an idea out"
    for folder in (ROOT / "python").rglob("*/"):
        files = len([*folder.glob("*.py")])
        if files > MOST_FILES:
            yield f"{folder.relative_to(ROOT)} has {files} files, {MOST_FILES} at most"


def floor(room: str, floors: list[str]) -> int:
    top = room.split(".")[0]
    for number, names in enumerate(floors):
        if top in names.split():
            return number
    raise SystemExit(f"no floor is named for {room}: add it to {Path(__file__).name}")


def draw(tree: str, arrows: Arrows, floors: list[str]) -> None:
    count = sum(map(len, arrows.values()))
    print(f"{tree}: {len(arrows)} rooms, {count} arrows, {len(list(circles(arrows)))} circles")
    for number in reversed(range(len(floors))):
        rooms = [room for room in sorted(arrows) if floor(room, floors) == number]
        print(f"{number:3}  {' '.join(rooms)}")


def circles(arrows: Arrows) -> Iterator[list[str]]:
    """One circle of each knot, by Tarjan's strongly connected components."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    knots: list[list[str]] = []

    def visit(room: str) -> None:
        index[room] = low[room] = len(index)
        stack.append(room)
        for other in arrows.get(room, ()):
            if other not in index:
                visit(other)
            if other in stack:
                low[room] = min(low[room], low[other])
        if low[room] == index[room]:
            knot = stack[stack.index(room) :]
            del stack[stack.index(room) :]
            if len(knot) > 1:
                knots.append(knot)

    for room in arrows:
        if room not in index:
            visit(room)
    for knot in knots:
        yield shortest_way_round(knot[0], arrows)


def shortest_way_round(start: str, arrows: Arrows) -> list[str]:
    ways = [[start]]
    seen = {start}
    for way in ways:
        for other in sorted(arrows[way[-1]]):
            if other == start:
                return way
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    raise AssertionError(start)


# Python


def python_arrows(root: Path) -> Arrows:
    files = {python_name(root, path): path for path in sorted(root.rglob("*.py"))}
    trees = {name: ast.parse(path.read_text()) for name, path in files.items()}
    handed_on = {
        name: {symbol: module for module, symbol in imports(tree)}
        for name, tree in trees.items()
        if name != "__init__" and only_hands_on(tree)
    }
    rooms = files.keys() - handed_on.keys()
    arrows: Arrows = {name: set() for name in [*sorted(rooms), "_core"]}
    for name in rooms:
        for module, symbol in imports(trees[name]):
            arrows[name] |= {found(module, symbol, rooms, handed_on)} - {name, ""}
    return arrows


def python_name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def only_hands_on(tree: ast.Module) -> bool:
    """Whether nothing is there but a docstring, imports and ``__all__``."""
    return all(
        isinstance(node, (ast.Expr, ast.ImportFrom))
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
        for node in tree.body
    )


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Each import of the package's own: the module below it, and the name out of that."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sluicegate":
            for alias in node.names:
                yield (node.module or "").partition(".")[2], alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "sluicegate":
                    yield alias.name.partition(".")[2], ""


def found(
    module: str, symbol: str, rooms: Collection[str], handed_on: dict[str, dict[str, str]]
) -> str:
    """The room in which a name is at home."""
    inner = f"{module}.{symbol}" if module else symbol
    if inner in rooms or inner in handed_on or inner == "_core":
        return inner if inner not in handed_on else ""
    if module in handed_on and symbol in handed_on[module]:
        return found(handed_on[module][symbol], symbol, rooms, handed_on)
    return module or "__init__"


# Rust


def rust_arrows(root: Path) -> Arrows:
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for path in sorted(root.rglob("*.rs"))
    }
    texts = {name: without_tests(path.read_text()) for name, path in files.items()}
    own = {name: text for name, text in texts.items() if not is_test(name, texts)}
    handed_on = {name: dict(rust_uses(name, text, public=True)) for name, text in own.items()}
    arrows: Arrows = {name: set() for name in own}
    for name, text in own.items():
        for symbol, module in rust_uses(name, text):
            room = rust_room(module, symbol, own, handed_on)
            arrows[name] |= {room} - {name, ""}
    return arrows


def without_tests(text: str) -> str:
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    return re.split(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub )?mod \w+ \{", text)[0]


def is_test(name: str, texts: dict[str, str]) -> bool:
    """Whether a file, or one above it, is declared for tests alone."""
    parts = name.split(".")
    for depth in range(len(parts)):
        parent = ".".join(parts[:depth]) or "lib"
        declared = rf"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub(?:\(\w+\))? )?mod {parts[depth]};"
        if re.search(declared, texts.get(parent, "")):
            return True
    return False


def rust_uses(name: str, text: str, *, public: bool = False) -> Iterator[tuple[str, str]]:
    """Each name of the crate's own that a file uses, with the module that it asks for it."""
    uses = re.findall(r"^\s*(pub(?:\([^)]*\))? )?use ([^;]+);", text, flags=re.M)
    for visible, tree in uses:
        if bool(visible) == public:
            for path in leaves(re.sub(r"\s+", " ", tree).strip()):
                yield from resolved(name, path)
    if not public:
        body = re.sub(r"^\s*(?:pub(?:\([^)]*\))? )?use [^;]+;", "", text, flags=re.M)
        body = re.sub(r"pub\(in [^)]*\)", "", body)  # who may see a thing, not what it knows
        for child in re.findall(r"^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);", body, flags=re.M):
            for symbol in re.findall(rf"(?<!::)\b{child}::(\w+)", body):
                yield from resolved(name, f"self::{child}::{symbol}")
        for path in re.findall(r"\b((?:crate|super|self)(?:::\w+)+)", body):
            yield from resolved(name, path)


def leaves(tree: str) -> Iterator[str]:
    """The paths that a use with braces stands for."""
    head, brace, rest = tree.partition("{")
    if not brace:
        yield tree.split(" as ")[0].strip()
        return
    depth, start = 0, 0
    body = rest[: rest.rindex("}")]
    for at, sign in enumerate(body + ","):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            if body[start:at].strip():
                for leaf in leaves(body[start:at].strip()):
                    yield head.strip() + leaf
            start = at + 1


def resolved(name: str, path: str) -> Iterator[tuple[str, str]]:
    parts = path.removesuffix("::self").split("::")
    here = [] if name == "lib" else name.split(".")
    if parts[0] == "crate":
        here, parts = [], parts[1:]
    elif parts[0] in ("super", "self"):
        while parts and parts[0] in ("super", "self"):
            here = here[:-1] if parts[0] == "super" else here
            parts = parts[1:]
    if parts:
        yield parts[-1], ".".join(here + parts[:-1])


def rust_room(
    module: str, symbol: str, rooms: dict[str, str], handed_on: dict[str, dict[str, str]]
) -> str:
    inner = f"{module}.{symbol}" if module else symbol
    home = module or "lib"
    if inner in rooms:
        return inner
    if home not in rooms:
        above, _, last = home.rpartition(".")
        return rust_room(above, last, rooms, handed_on)
    if symbol in handed_on[home] and handed_on[home][symbol] != module:
        return rust_room(handed_on[home][symbol], symbol, rooms, handed_on)
    defined = rf"\b(?:struct|enum|trait|type|fn|const|static|union|macro_rules!)\s+{symbol}\b"
    return home if re.search(defined, rooms[home]) else ""


if __name__ == "__main__":
    sys.exit(main())
