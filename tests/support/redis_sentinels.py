"""A primary, its replica and three Sentinels that watch them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType

from polling import until
from redis_servers import Server
from redis_wire import HOST, ReplyError

SERVICE = "service"


class Sentinels:
    """Ready to fail over when the ``with`` block begins.

    ``servers`` are the two data servers, ``sentinels`` the three that watch them.
    """

    def __init__(self, *, down_after_seconds: float = 0.5, program: Path | None = None) -> None:
        self._program = program
        self._down_after = round(down_after_seconds * 1000)
        self.servers: list[Server] = []
        self.sentinels: list[Server] = []
        self._owned = contextlib.ExitStack()

    def __enter__(self) -> Sentinels:
        with contextlib.ExitStack() as owned:
            primary = owned.enter_context(Server(program=self._program))
            replica = owned.enter_context(
                Server(config={"replicaof": f"{HOST} {primary.port}"}, program=self._program)
            )
            self.servers = [primary, replica]
            for _ in range(3):
                config = self._watching(primary)
                sentinel = Server(sentinel=True, config=config, program=self._program)
                self.sentinels.append(owned.enter_context(sentinel))
            for sentinel in self.sentinels:
                self._hurry(sentinel)
            until(lambda: all(map(self._ready, self.sentinels)), "Sentinels that know each other")
            self._owned = owned.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owned.close()

    @property
    def url(self) -> str:
        """How a client that knows the scheme reaches the primary."""
        nodes = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{nodes}/{SERVICE}"

    def primary(self) -> Server:
        """The primary, as the first Sentinel that runs names it."""
        asked = next(sentinel for sentinel in self.sentinels if sentinel.running)
        _, port = asked.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def kill_primary(self) -> Server:
        """SIGKILL the primary and give it; ``wait_until_moved`` waits for its successor."""
        primary = self.primary()
        primary.kill()
        return primary

    def wait_until_moved(self, old: Server, timeout: float = 30.0) -> Server:
        """Until the Sentinels name another primary than ``old`` and it takes writes; gives it."""

        def moved() -> bool:
            now = self.primary()
            return now is not old and b"role:master" in now.command("INFO", "replication")

        until(moved, "another primary", timeout)
        return self.primary()

    def _watching(self, primary: Server) -> dict[str, str]:
        return {
            f"sentinel monitor {SERVICE}": f"{HOST} {primary.port} 2",
            f"sentinel down-after-milliseconds {SERVICE}": str(self._down_after),
            f"sentinel failover-timeout {SERVICE}": "3000",
        }

    def _hurry(self, sentinel: Server) -> None:
        # They look for each other every two seconds and for replicas every ten.
        with contextlib.suppress(ReplyError):  # unknown before 7.0
            sentinel.command("SENTINEL", "DEBUG", "hello-publish-period", 100, "info-period", 500)

    def _ready(self, sentinel: Server) -> bool:
        reply = sentinel.command("SENTINEL", "MASTER", SERVICE)
        told = dict(zip(reply[::2], reply[1::2], strict=True))
        replicas = sentinel.command("SENTINEL", "REPLICAS", SERVICE)
        return (
            told[b"flags"] == b"master"
            and told[b"num-other-sentinels"] == b"2"
            and [self._link(replica) for replica in replicas] == [b"ok"]
        )

    def _link(self, replica: list[bytes]) -> bytes:
        return dict(zip(replica[::2], replica[1::2], strict=True))[b"master-link-status"]
