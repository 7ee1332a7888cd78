"""What is installed: the wheel in clean environments, a light import, a complete surface."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sluicegate
from sluicegate import _core

ROOT = Path(__file__).parents[2]

QUICKSTART = """
import asyncio, sys, threading
import sluicegate
assert "asyncio" not in sys.modules or {preloaded}
assert threading.active_count() == 1
from sluicegate import SlidingWindowRateLimiter, TokenBucket, TokenBucketConfig
limiter = SlidingWindowRateLimiter(max_requests=2, window_seconds=60)
assert [limiter.is_allowed("10.0.0.1") for _ in range(3)] == [True, True, False]
bucket = TokenBucket(TokenBucketConfig(capacity=100, refill_rate=10))
allowed, info = asyncio.run(bucket.acquire(tokens=5))
assert allowed and info["remaining"] == 95
assert asyncio.run(bucket.wait("agent", timeout=1))
async def told():
    task = asyncio.create_task(bucket.wait("agent", timeout=1))
    assert "wait" in repr(task)  # asyncio asks whether there is a coroutine
    return await task
assert asyncio.run(told(), debug=True)
try:
    bool(bucket.wait("agent"))
except TypeError as error:
    assert "await" in str(error)
else:
    raise AssertionError("a coroutine that nobody awaits is true")
print(sluicegate.__version__, sys.version.split()[0])
"""


def pythons() -> list[str]:
    """Every CPython from 3.10 on that this machine has, one a version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    home = Path.home()
    folders += sorted(home.glob(".pyenv/versions/*/bin"))
    folders += sorted(home.glob(".local/share/uv/python/*/bin"))
    found = {sys.version_info[:2]: sys.executable}
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            version = re.fullmatch(r"python3\.(\d+)", path.name)
            if version is None or int(version[1]) < 10 or (3, int(version[1])) in found:
                continue
            works = subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True)
            if works.returncode == 0:
                found[3, int(version[1])] = str(path)
    return [found[version] for version in sorted(found)]


#: The core is built anew where `make` has not built it.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    maturin = shutil.which("maturin", path=str(Path(sys.executable).parent)) or "maturin"
    build = [maturin, "build", "--release", "--quiet", "--interpreter", sys.executable]
    subprocess.run([*build, "--out", folder], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_there_is_one_typed_abi3_wheel_that_needs_nothing(wheel: Path) -> None:
    assert "-cp310-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    assert {"sluicegate/py.typed", "sluicegate/_core.pyi", "sluicegate/_core.abi3.so"} <= set(names)
    assert "sluicegate/policy.schema.json" in names
    required = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    assert all("extra ==" in line for line in required)
    assert "Requires-Python: >=3.10" in metadata


@pytest.mark.parametrize("python", pythons())
def test_the_wheel_works_in_a_clean_environment(wheel: Path, python: str, tmp_path: Path) -> None:
    subprocess.run([python, "-m", "venv", tmp_path / "venv"], check=True)
    clean = tmp_path / "venv" / "bin" / "python"
    subprocess.run([clean, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True)
    code = QUICKSTART.format(preloaded=True)
    done = subprocess.run([clean, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout.strip())


def test_importing_is_light_and_starts_no_thread() -> None:
    code = (
        "import sys, threading, time\n"
        "before = set(sys.modules); start = time.perf_counter()\n"
        "import sluicegate\n"
        "took = time.perf_counter() - start\n"
        "new = set(sys.modules) - before\n"
        "heavy = {'asyncio', 'typing', 'dataclasses', 'inspect', 'logging', 'ipaddress'} & new\n"
        "assert not heavy, heavy\n"
        "assert all(name.startswith('sluicegate') for name in new - {'__future__'}), new\n"
        "import os; assert len(os.listdir('/proc/self/task')) == 1\n"
        "print(f'import sluicegate: {took * 1e3:.1f} ms, {len(new)} modules')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    print(done.stdout)


def test_it_is_imported_where_nothing_forks() -> None:
    names = ", ".join(f"sluicegate.{name}" for name in ("redis", "fastapi", "breaker", "retry"))
    code = f"import os; del os.fork, os.register_at_fork; import {names}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_documented() -> None:
    for name in sluicegate.__all__:
        thing = getattr(sluicegate, name)
        assert inspect.getdoc(thing), name
    stub = (ROOT / "python" / "sluicegate" / "_core.pyi").read_text()
    for kind in (_core.Limiter, _core.Decision, _core.Statistics, _core.ManualClock):
        for name in vars(kind):
            if not name.startswith("_"):
                assert re.search(rf"def {name}\([^)]*\).*?\n(?:.*\n)?\s+\"\"\"", stub), name


def test_the_version_lives_in_one_place() -> None:
    cargo = (ROOT / "Cargo.toml").read_text()
    assert f'version = "{sluicegate.__version__}"' in cargo


def test_the_core_needs_no_python() -> None:
    manifest = (ROOT / "Cargo.toml").read_text()
    assert 'pyo3 = { version = "0.30", features = ["abi3-py310"], optional = true }' in manifest
    for path in (ROOT / "src").rglob("*.rs"):
        if "python" not in path.parts and path.name not in ("lib.rs", "python.rs"):
            assert "pyo3" not in path.read_text(), path
