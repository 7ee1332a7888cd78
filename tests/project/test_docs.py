"""Every Python snippet of the README and of docs/ runs as printed; links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from redis_fixtures import Start
from redis_servers import Server

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

#: The server that snippets speak of; here it is the test's.
SERVER = "redis://localhost:6379"

#: The directory of the zones of which they speak.
ZONES = "/run/app"


class Snippet(NamedTuple):
    page: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets() -> list[Snippet]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Snippet(page.name, line, match[1]))
    return found


def ran(code: str, folder: Path) -> str:
    """What it prints; it must neither fail nor warn."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_there_are_snippets() -> None:
    pages = {snippet.page for snippet in snippets()}
    assert {"README.md", "recipes.md", "own_limiter.md"} <= pages


@pytest.mark.parametrize("snippet", snippets(), ids=str)
def test_python_snippets_run(snippet: Snippet, tmp_path: Path, start: Start) -> None:
    code = snippet.code
    if SERVER in code:
        code = code.replace(SERVER, start(Server).url.removesuffix("/0"))
    code = code.replace(ZONES, str(tmp_path))
    ran(code, tmp_path)


def test_the_readmes_app_limits(tmp_path: Path) -> None:
    (code,) = (each.code for each in snippets() if "/reports/{report_id}" in each.code)
    more = (
        "from fastapi.testclient import TestClient\n"
        "client = TestClient(app)\n"
        "codes = [client.get(f'/reports/{n}').status_code for n in range(11)]\n"
        "assert codes == [200] * 10 + [429], codes\n"
    )
    ran(code + more, tmp_path)


def test_a_limiter_of_ones_own_limits(tmp_path: Path) -> None:
    (code,) = (each.code for each in snippets() if "class FileWindow" in each.code)
    more = (
        "from fastapi.testclient import TestClient\n"
        "client = TestClient(app)\n"
        "answers = [client.get('/reports') for _ in range(4)]\n"
        "codes = [answer.status_code for answer in answers]\n"
        "assert codes == [200] * 3 + [429], codes\n"
        "assert [a.json()['left'] for a in answers[:3]] == [2, 1, 0]\n"
        "last = answers[3]\n"
        "assert 1 <= int(last.headers['retry-after']) <= 3_600\n"
        "assert last.headers['ratelimit-policy'].startswith('\"route\";q=3;w=3600'), last.headers\n"
        "assert answers[0].headers['ratelimit-policy'].endswith('\"free\";q=100;w=3600')\n"
        "mine = FileWindow('limits.db', 5, 3_600)\n"
        "assert [bool(mine.check('a', 2)) for _ in range(3)] == [True, True, False]\n"
        "assert FileWindow('limits.db', 5, 3_600).peek('a').remaining == 1\n"
        "assert mine.check('b').store == 'file'\n"
    )
    ran(code + more, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        there = (page.parent / target) if target else page
        assert there.exists(), (page.name, target)
        if anchor:
            assert anchor in anchors(there.read_text()), (page.name, target, anchor)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {each.replace(" ", "-") for each in words}


def test_things_are_called_by_their_own_names() -> None:
    """Where a thing comes from is told on one page, docs/articles.md, to which others may link."""
    sources = [
        "python/**/*.py",
        "python/**/*.pyi",
        "src/**/*.rs",
        "examples/*.py",
        "benches/**/*.py",
    ]
    files = [path for pattern in sources for path in ROOT.glob(pattern)]
    assert len(files) > 150
    for path in [*files, *(page for page in PAGES if page.name != "articles.md")]:
        for line in path.read_text().splitlines():
            rest = re.sub(r"\[[^\]]*\]\((docs/)?articles\.md\)", "", line)
            assert not re.search(r"\barticles?\b", rest, re.IGNORECASE), (path.name, line)
