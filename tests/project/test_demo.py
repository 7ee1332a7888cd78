"""The demo and the example programs, run as their users run them."""

from __future__ import annotations

import asyncio
import os
import re
import runpy
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import httpx2
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEMO = [sys.executable, str(EXAMPLES / "demo.py"), "--quick"]


def server_of(output: str) -> tuple[int, int]:
    """Port and process id, which the demo prints."""
    found = re.search(r"Server: http://127\.0\.0\.1:(\d+), process (\d+)", output)
    assert found, output
    return int(found[1]), int(found[2])


def assert_gone(port: int, pid: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def assert_is_png(path: Path) -> None:
    """Right signature, every chunk's checksum, a picture of a sensible size."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    offset = 8
    kinds: list[bytes] = []
    while offset < len(data):
        length, kind = struct.unpack(">I4s", data[offset : offset + 8])
        body = data[offset + 4 : offset + 8 + length]
        (checksum,) = struct.unpack(">I", data[offset + 8 + length : offset + 12 + length])
        assert zlib.crc32(body) == checksum
        kinds.append(kind)
        offset += 12 + length
    assert kinds[0] == b"IHDR"
    assert kinds[-1] == b"IEND"
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 800
    assert height >= 600


def rows(output: str) -> dict[str, list[str]]:
    """The cells of the first table, by limiter."""
    table = output.partition("Every limiter got the same requests")[2]
    table = table.partition("Admitted, phase by phase")[0]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_the_demo_tells_its_story_and_ends(tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--out", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout, "no terminal, no escape sequences"
    table = rows(done.stdout)
    assert list(table) == ["fixed window", "sliding window", "token bucket"]
    for arrived, admitted, refused, _, overhead in table.values():
        assert int(arrived) == 195
        assert int(admitted) + int(refused) == int(arrived)
        float(overhead)
    assert int(table["fixed window"][3]) > 30, "both bursts, 20 each"
    assert int(table["sliding window"][3]) == 20
    assert 20 < int(table["token bucket"][3]) <= 40
    assert "What to see" in done.stdout
    assert re.search(r"^ +\d+\.\d s  spike ", done.stdout, re.MULTILINE), "live progress"
    picture = Path(done.stdout.partition("Picture: ")[2].strip())
    assert picture.parent == tmp_path
    assert_is_png(picture)
    assert_gone(*server_of(done.stdout))


@pytest.mark.parametrize(
    ("number", "phase"),
    [
        (signal.SIGINT, "Server:"),
        (signal.SIGINT, "spike"),
        (signal.SIGINT, "Measuring"),
        (signal.SIGTERM, "Server:"),
        (signal.SIGKILL, "Server:"),
    ],
)
def test_a_stopped_demo_leaves_no_server(
    tmp_path: Path, number: signal.Signals, phase: str
) -> None:
    command = [*DEMO, "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        output = ""
        while phase not in output:
            line = demo.stdout.readline()
            assert line, demo.stderr.read()
            output += line
        port, pid = server_of(output)
        if phase != "Measuring":
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        demo.send_signal(number)
        assert demo.wait(20) == (130 if number == signal.SIGINT else -number)
        assert demo.stderr.read() == ("demo: stopped\n" if number == signal.SIGINT else "")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    assert_gone(port, pid)


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [*DEMO, "--out", str(tmp_path / "file")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("demo: ")
    assert done.stdout == ""


def test_agents_share_the_limit_and_none_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "agents.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = [int(count) for count in re.findall(r": +(\d+) requests", done.stdout)]
    assert sum(counts) == 36
    assert len(counts) >= 4, "36 requests at 10 in any second take more than 3 seconds"


def test_the_quickstart_limits_by_client_key_and_route() -> None:
    app = runpy.run_path(str(EXAMPLES / "quickstart_fastapi.py"))["app"]

    async def visit() -> None:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            anyone = await client.get("/prices")
            assert (anyone.status_code, anyone.headers["x-ratelimit-limit"]) == (200, "100")
            alice = await client.get("/prices", headers={"X-API-Key": "example-key-of-alice"})
            assert alice.headers["x-ratelimit-limit"] == "10000"
            stranger = await client.get("/prices", headers={"X-API-Key": "guessed"})
            assert stranger.headers["x-ratelimit-limit"] == "100"
            assert "x-ratelimit-limit" not in (await client.get("/health")).headers
            reports = [await client.post("/reports") for _ in range(6)]
            assert [r.status_code for r in reports] == [200] * 5 + [429]
            assert [r.json()["left"] for r in reports[:5]] == [4, 3, 2, 1, 0]

    asyncio.run(visit())
