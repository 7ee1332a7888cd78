"""A Redis Cluster and a Sentinel set of real servers."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from types import TracebackType
from typing import Any

from polling import until
from redis_servers import Server
from redis_wire import HOST, ReplyError

SLOTS = 16_384


class Cluster:
    """Three masters, each with one replica, ready when the ``with`` block begins.

    ``servers`` are all six, in the order they were started, also those that were killed.
    """

    def __init__(
        self,
        *,
        masters: int = 3,
        node_timeout_seconds: float = 1.0,
        program: Path | None = None,
    ) -> None:
        self._masters = masters
        config = {
            # A replica is listed once it has an offset; the first ping gives it one.
            "repl-ping-replica-period": "1",
            "cluster-enabled": "yes",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": str(round(node_timeout_seconds * 1000)),
        }
        self.servers = [Server(config=config, program=program) for _ in range(2 * masters)]
        self._owned = contextlib.ExitStack()

    def __enter__(self) -> Cluster:
        with contextlib.ExitStack() as owned:
            for server in self.servers:
                owned.enter_context(server)
            self._join()
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
        """How a client that knows the scheme reaches it: every server is named."""
        nodes = ",".join(f"{HOST}:{server.port}" for server in self.servers)
        return f"redis+cluster://{nodes}"

    @property
    def running(self) -> list[Server]:
        """The servers that were not killed."""
        return [server for server in self.servers if server.running]

    def slot_of(self, key: str | bytes) -> int:
        """The slot that a key belongs to."""
        return int(self.running[0].command("CLUSTER", "KEYSLOT", key))

    def master_of(self, slot: int, asked: Server | None = None) -> Server:
        """The master that serves a slot, as one server (by default the first that runs) sees it."""
        for first, last, (_, port, *_), *_ in self._slots(asked or self.running[0]):
            if first <= slot <= last:
                return self._by_port(port)
        raise LookupError(f"no master serves slot {slot}")

    def replicas_of(self, slot: int) -> list[Server]:
        """The replicas of the master that serves a slot."""
        for first, last, _, *replicas in self._slots(self.running[0]):
            if first <= slot <= last:
                return [self._by_port(port) for _, port, *_ in replicas]
        raise LookupError(f"no master serves slot {slot}")

    def begin_migration(self, slot: int, source: Server, target: Server) -> None:
        """From now on ``source`` answers ASK for the slot's keys that it does not have."""
        target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(target))

    def move_keys(self, slot: int, source: Server, target: Server) -> int:
        """Move the slot's keys in a migration that has begun; how many they were."""
        moved = 0
        with source.wire() as wire:
            while keys := wire.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
                wire.call("MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
                moved += len(keys)
        return moved

    def end_migration(self, slot: int, target: Server) -> None:
        """Tell every master, the new one first, and wait until every server has heard of it."""
        masters = {server.port: server for server in self._known_masters()}
        for server in (target, *(masters[port] for port in masters if port != target.port)):
            server.command("CLUSTER", "SETSLOT", slot, "NODE", self._id(target))
        until(
            lambda: all(self.master_of(slot, server) is target for server in self.running),
            f"slot {slot} known to be at port {target.port}",
        )

    def migrate_slot(self, slot: int, source: Server, target: Server) -> int:
        """Move a slot with its keys, as redis-cli does, under whatever load; how many keys."""
        self.begin_migration(slot, source, target)
        moved = self.move_keys(slot, source, target)
        self.end_migration(slot, target)
        return moved

    def kill_master(self, slot: int) -> Server:
        """SIGKILL the master of a slot and give it; ``wait_until_ok`` waits for its successor."""
        master = self.master_of(slot)
        master.kill()
        return master

    def wait_until_ok(self, timeout: float = 30.0) -> None:
        """Until every running server says cluster_state:ok and agrees on who serves what."""

        def agreed() -> bool:
            views = [self._masters_seen_by(server) for server in self.running]
            return all(view == views[0] for view in views) and views[0] <= {
                server.port for server in self.running
            }

        until(lambda: all(map(self._ok, self.running)) and agreed(), "cluster ok", timeout)

    def _join(self) -> None:
        masters, replicas = self.servers[: self._masters], self.servers[self._masters :]
        for index, server in enumerate(masters):
            share = range(SLOTS * index // len(masters), SLOTS * (index + 1) // len(masters))
            server.command("CLUSTER", "ADDSLOTS", *share)
        for epoch, server in enumerate(self.servers, 1):
            server.command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for server, other in itertools.combinations(self.servers, 2):
            server.command("CLUSTER", "MEET", HOST, other.port)
        for server, master in zip(replicas, masters, strict=True):
            self._replicate(server, master)
        self.wait_until_ok()
        until(lambda: all(self._linked(server) for server in replicas), "replicas in step")
        until(lambda: all(map(self._complete, self.servers)), "replicas known to all")

    def _replicate(self, server: Server, master: Server) -> None:
        def accepted() -> bool:
            try:
                server.command("CLUSTER", "REPLICATE", self._id(master))
            except ReplyError:  # the master is not known here yet
                return False
            return True

        until(accepted, f"port {server.port} a replica of {master.port}")

    def _complete(self, server: Server) -> bool:
        return all(len(row) == 4 for row in self._slots(server))

    def _ok(self, server: Server) -> bool:
        return b"cluster_state:ok" in server.command("CLUSTER", "INFO")

    def _linked(self, server: Server) -> bool:
        return b"master_link_status:up" in server.command("INFO", "replication")

    def _slots(self, server: Server) -> list[list[Any]]:
        rows: list[list[Any]] = server.command("CLUSTER", "SLOTS")
        return rows

    def _masters_seen_by(self, server: Server) -> set[int]:
        return {master[1] for _, _, master, *_ in self._slots(server)}

    def _known_masters(self) -> list[Server]:
        return [self._by_port(port) for port in self._masters_seen_by(self.running[0])]

    def _by_port(self, port: int) -> Server:
        return next(server for server in self.servers if server.port == port)

    def _id(self, server: Server) -> bytes:
        return bytes(server.command("CLUSTER", "MYID"))
