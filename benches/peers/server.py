"""Serves one app on a free port of the loopback: ``python -m benches.peers.server``."""

from __future__ import annotations

import socket
import sys
import threading

import uvicorn
from benches.peers.app import bare
from benches.peers.library import load
from benches.peers.settings import PLENTY


def stop_with_parent(server: uvicorn.Server) -> None:
    """Stop when whoever started us closes our input, or is gone."""
    sys.stdin.read()
    server.should_exit = True


def main() -> None:
    """Arguments: an adapter's module and the name of its app; none for the bare app."""
    app = load(sys.argv[1]).apps[sys.argv[2]](PLENTY) if len(sys.argv) > 1 else bare()
    # asyncio switches Nagle's algorithm off only where the socket says that it is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=stop_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
