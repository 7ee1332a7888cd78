"""What was found by using zones in every wrong way, each with its smallest reproduction."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sluicegate import shared

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="zones need Linux")


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", program, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_an_interpreter_ends_silently_while_a_gate_lives(url: str) -> None:
    """As one in a module of an application does, which is not the main one."""
    program = (
        "import sys; from sluicegate import shared; "
        "sys.gate = shared.Gate(sys.argv[1], '5/minute'); sys.gate.check('a')"
    )
    done = python(program, url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("prefix", [None, 5, b"shop"])
def test_a_gates_prefix_is_a_str(url: str, prefix: object) -> None:
    with pytest.raises(TypeError, match="prefix must be a str, such as 'shop', got"):
        shared.Gate(url, "5/minute", prefix=prefix)  # type: ignore[arg-type]
