"""What ``sluicegate replay`` takes for a gigabyte of each kind of log: its time, and its memory at the most.

``python -m benches.python.replay [NAME ...]`` writes a log of each kind, a gigabyte long, into a temporary
directory, replays it and deletes it; ``QUICK=1`` writes 200 MB.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benches.python.harness import QUICK, Figure, save, say, show

GIGABYTE = 1_000_000_000
SIZE = 200_000_000 if QUICK else GIGABYTE
MAY_TAKE, MAY_HOLD = 60.0, 250.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120 Safari/537.36"
GIVEN = '$msec $host $request_method $request_uri $remote_addr $status "$http_user_agent"'

Line = Callable[[float, str, int], str]
"""A request's line: its Unix time, its client and a number in its path."""


def combined(at: float, client: str, number: int) -> str:
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at))
    request = f'"GET /a/b/{number}?x=1 HTTP/1.1" 200 5123 "https://shop.example/page/1"'
    return f'{client} - - [{stamp}] {request} "{BROWSER}"'


def syslog(at: float, client: str, number: int) -> str:
    stamp = time.strftime("%b %d %H:%M:%S", time.gmtime(at))
    return f"{stamp} web-1 nginx[812]: {combined(at, client, number)}"


def virtual_host(at: float, client: str, number: int) -> str:
    return f"shop.example:443 {combined(at, client, number)}"


def docker(at: float, client: str, number: int) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(at))
    text = f"{combined(at, client, number)}\n"
    return json.dumps({"log": text, "stream": "stdout", "time": stamp})


def nginx_json(at: float, client: str, number: int) -> str:
    fields = {
        "time_iso8601": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(at)),
        "remote_addr": client,
        "request": f"GET /a/b/{number} HTTP/1.1",
        "status": "200",
        "body_bytes_sent": "5123",
        "http_user_agent": BROWSER,
    }
    return json.dumps(fields)


def caddy(at: float, client: str, number: int) -> str:
    request = {
        "remote_ip": client,
        "client_ip": client,
        "proto": "HTTP/2.0",
        "method": "GET",
        "host": "shop.example",
        "uri": f"/a/b/{number}",
        "headers": {"User-Agent": [BROWSER], "Accept": ["*/*"]},
    }
    fields = {"level": "info", "ts": at, "logger": "http.log.access", "request": request}
    return json.dumps({**fields, "duration": 0.0009, "size": 10900, "status": 200})


def traefik(at: float, client: str, number: int) -> str:
    fields = {
        "ClientHost": client,
        "DownstreamStatus": 200,
        "RequestMethod": "GET",
        "RequestPath": f"/a/b/{number}",
        "RequestHost": "shop.example",
        "StartUTC": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
        + f".{int(at % 1 * 1e9):09}Z",
        "Duration": 900_000,
    }
    return json.dumps(fields)


def given(at: float, client: str, number: int) -> str:
    return f'{at:.3f} shop.example GET /a/b/{number} {client} 200 "{BROWSER}"'


KINDS: dict[str, tuple[Line, list[str]]] = {
    "combined": (combined, []),
    "combined, behind syslog": (syslog, []),
    "combined, behind a virtual host": (virtual_host, []),
    "combined, in docker's JSON": (docker, []),
    "JSON of nginx": (nginx_json, []),
    "JSON of Caddy": (caddy, []),
    "JSON of Traefik": (traefik, []),
    "a format that is given": (given, ["--log-format", GIVEN]),
}


def lines(line: Line) -> Iterator[str]:
    """Ten thousand clients, some 40 requests a second."""
    chance, at = random.Random(1), 1_773_545_472.0
    while True:
        at += chance.random() * 0.05
        client = f"203.{chance.randrange(40)}.7.{chance.randrange(250)}"
        yield f"{line(at, client, chance.randrange(1000))}\n"


def write(path: Path, line: Line) -> None:
    written = 0
    with path.open("w", buffering=1 << 20) as file:
        for each in lines(line):
            file.write(each)
            written += len(each)
            if written >= SIZE:
                return


def replayed(path: Path, options: list[str]) -> tuple[float, float, float]:
    """Seconds for a gigabyte, those of the processor among them, and the most megabytes held."""
    command = [sys.executable, "-m", "sluicegate", "replay", str(path), "--json", *options]
    start = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        redirect = (os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=[redirect])
        _, status, used = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    took, share = time.perf_counter() - start, path.stat().st_size / GIGABYTE
    return took / share, (used.ru_utime + used.ru_stime) / share, used.ru_maxrss / 1024


def figures(names: list[str]) -> Iterator[Figure]:
    with TemporaryDirectory() as folder:
        for name in names:
            say(f"replay: {name} ...")
            line, options = KINDS[name]
            path = Path(folder) / "access.log"
            write(path, line)
            seconds, busy, megabytes = replayed(path, options)
            note = f"{busy:.0f} s of a core; {len(next(lines(line)))} bytes a line"
            yield Figure(name, seconds, "s", MAY_TAKE, note=note)
            yield Figure(f"{name}, memory", megabytes, "MB", MAY_HOLD)
            path.unlink()


def main() -> None:
    found = list(figures(sys.argv[1:] or list(KINDS)))
    size = "a gigabyte" if SIZE == GIGABYTE else f"{SIZE // 1_000_000} MB, as if it were a gigabyte"
    show("Replay", f"The whole command, with one limit, over {size} of each log.", found)
    save("replay", found)


if __name__ == "__main__":
    main()
