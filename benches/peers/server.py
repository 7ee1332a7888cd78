"""Serves the bare app and a library's, each on a port of its own: ``... MODULE``."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from typing import Any

import uvicorn
from benches.peers.app import bare
from benches.peers.library import load
from benches.peers.settings import PLENTY

BARE = ""


def listening() -> socket.socket:
    """A socket on a free port of the loopback.

    It says that it is TCP: only then does asyncio switch Nagle's algorithm off.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


async def serve(apps: list[Any], listeners: list[socket.socket]) -> None:
    options: dict[str, Any] = {"log_level": "warning", "access_log": False, "lifespan": "off"}
    servers = [uvicorn.Server(uvicorn.Config(app, **options)) for app in apps]

    def answer_parent() -> None:
        for _ in sys.stdin:
            print(time.process_time(), flush=True)
        for server in servers:  # it has closed our input, or is gone
            server.should_exit = True

    threading.Thread(target=answer_parent, daemon=True).start()
    serving = zip(servers, listeners, strict=True)
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in serving))


def main() -> None:
    """Tells the ports by the apps' names in one line; the bare app has the empty name.

    Then, for each line that comes in, the seconds of a processor that were used up to now.
    """
    named = {BARE: bare()}
    named |= {name: make(PLENTY) for name, make in load(sys.argv[1]).apps.items()}
    listeners = [listening() for _ in named]
    ports = [listener.getsockname()[1] for listener in listeners]
    print(json.dumps(dict(zip(named, ports, strict=True))), flush=True)
    asyncio.run(serve(list(named.values()), listeners))


if __name__ == "__main__":
    main()
