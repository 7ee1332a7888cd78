"""Talk to a Redis server through a plain socket, so that no client library is in the way."""

from __future__ import annotations

import random
import socket
from types import TracebackType
from typing import Any, BinaryIO

HOST = "127.0.0.1"
# Below the ports that the kernel gives to outgoing connections, and so are the bus ports (+10000):
# else a client that reconnects to a killed server may take its port, or connect to itself.
PORTS = range(11_000, 22_000)
BUS_OFFSET = 10_000
_given: set[int] = set()


class ReplyError(Exception):
    """The server's own error reply."""


def bindable(port: int) -> bool:
    """Whether nobody listens on this port of the loopback."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free, as its bus port is, and that was not given before."""
    for _ in range(1_000):
        port = random.choice(PORTS)
        if port not in _given and bindable(port) and bindable(port + BUS_OFFSET):
            _given.add(port)
            return port
    raise RuntimeError("no free port")


class Wire:
    """One connection. ``call`` sends a command and gives its reply: bytes, int, None or a list."""

    def __init__(
        self, port: int, *, user: str = "", password: str = "", timeout: float = 5.0
    ) -> None:
        self.timeout = timeout
        self._socket = socket.create_connection((HOST, port), timeout)
        self._replies: BinaryIO = self._socket.makefile("rb")
        if password:
            self.call("AUTH", *([user] if user else []), password)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._replies.close()
        self._socket.close()

    def call(self, *words: str | bytes | int) -> Any:
        """Send one command and give its reply.

        ``ReplyError`` when the server refuses it, ``OSError`` when it is gone or too late: do not
        go on with the connection then.
        """
        self.send(*words)
        return self.receive()

    def send(self, *words: str | bytes | int) -> None:
        """Send one command; its reply is yet to be received."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        body = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%b" % (len(parts), body))

    def receive(self) -> Any:
        """The next reply; ``TimeoutError`` after ``timeout`` seconds."""
        self._socket.settimeout(self.timeout)
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise ReplyError(rest.decode(errors="replace"))
        size = int(rest)
        if kind == b":":
            return size
        if size < 0:
            return None
        if kind == b"*":
            return [self.receive() for _ in range(size)]
        return self._replies.read(size + 2)[:-2]
