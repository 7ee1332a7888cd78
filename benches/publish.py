"""Put the last run's tables and pictures where README.md and docs/benchmarks.md show them."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "bench-output"
PICTURES = ROOT / "docs" / "images"

#: Which file's text stands between which marks of which document.
PLACES = {
    ROOT / "README.md": {"front page": "readme.md"},
    ROOT / "docs" / "benchmarks.md": {"in memory": "peers.md", "in Redis": "redis.md"},
}


def replaced(text: str, mark: str, new: str) -> str:
    """``text`` with ``new`` between the comments that name ``mark``."""
    begin, end = f"<!-- measured: {mark} -->", f"<!-- /measured: {mark} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"there is no {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n{new.strip()}\n{end}", text)


def deeper(text: str) -> str:
    """Without its title, and each heading one level down, as part of another document."""
    without_title = re.sub(r"\A# .*\n+", "", text)
    return re.sub(r"^#", "##", without_title, flags=re.MULTILINE)


def main() -> None:
    """What the last runs have; the rest stays as it is."""
    names = {name for places in PLACES.values() for name in places.values()}
    there = {name for name in names if (OUTPUT / name).exists()}
    if not there:
        sys.exit("bench-output has no tables: run make bench first")
    if missing := names - there:
        print(f"bench-output has no {', '.join(sorted(missing))}: what stands there stays")
    for document, places in PLACES.items():
        text = document.read_text()
        for mark, name in places.items():
            if name in there:
                text = replaced(text, mark, deeper((OUTPUT / name).read_text()))
        document.write_text(text)
    PICTURES.mkdir(exist_ok=True)
    for picture in OUTPUT.glob("*.png"):
        shutil.copy(picture, PICTURES)


if __name__ == "__main__":
    main()
