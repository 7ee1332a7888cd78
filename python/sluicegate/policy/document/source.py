"""The file that a policy comes from: read when the policy is made, and again when it has changed."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from weakref import ref

from sluicegate._support import fork
from sluicegate._support.arguments import number
from sluicegate.errors import PolicyFileError, StoreError
from sluicegate.policy.document.beside import check_in_code
from sluicegate.policy.document.loading import Document, document_of
from sluicegate.policy.document.reload import watch
from sluicegate.policy.document.statistics import PolicyStatistics
from sluicegate.policy.document.text.content import check_path, read_bytes
from sluicegate.policy.document.trial import REFUSALS, place_in
from sluicegate.policy.enforcer import Enforcer
from sluicegate.policy.options import PolicyOptions

__all__ = ["PolicySource"]

_log = logging.getLogger("sluicegate")
_LONGEST: Final = 86_400
P = TypeVar("P")


class PolicySource:
    """A policy's file, and what the code gives beside it.

    Attributes:
        path: the file as it was named.
        where: the same from the root, whatever the working directory becomes.
        reload_seconds: how often a watcher looks at it; 0: never.
        statistics: of its reloads.
    """

    def __init__(self, path: object, in_code: dict[str, Any], reload_seconds: float) -> None:
        self.path = check_path(path)
        self.where = os.path.abspath(self.path)
        check_in_code(in_code)
        self._in_code = in_code
        self.reload_seconds = number("reload_seconds", reload_seconds, 0, _LONGEST, "seconds")
        self.statistics = PolicyStatistics()
        #: Whether the last try failed by something else than the file, so that another may not.
        self.may_recover = False
        self._lock = fork.new_lock()
        self._beginning = fork.new_lock()  # a request must not wait for the other one
        self._policy: Callable[[], Any] = _none
        self._watching = False
        self._tries = 0
        self._loaded = b""
        self._told: tuple[bytes, str] | None = None

    def made(self, kind: type[P]) -> P:
        """The policy of this ``kind`` of the file's arguments.

        Raises :class:`~sluicegate.errors.PolicyFileError` with all that is wrong.
        """
        content = read_bytes(self.where, self.path)
        document = document_of(self.path, content, self._in_code)
        policy = object.__new__(kind)
        object.__setattr__(policy, "source", self)  # by which its limits are made to last
        with self._naming_lines(document):
            policy.__init__(**document.options)  # type: ignore[misc]
        self._policy = ref(policy)
        object.__setattr__(policy, "on_first_request", self.begin)
        self._loaded = _digest(content)
        self.statistics = PolicyStatistics(0, 0, time.time())
        self._note_metrics(policy, None)
        _warn(self.path, document)
        fork.call_in_child(self._in_child)
        return policy

    def begin(self) -> None:
        """Have the file watched in this process, from its first request on."""
        with self._beginning:
            policy = self._policy()
            if policy is None or self._watching:
                return
            self._watching = True
            object.__setattr__(policy, "on_first_request", None)
        if self.reload_seconds:
            watch(policy)

    def _in_child(self) -> None:
        self._watching = False
        policy = self._policy()
        if policy is not None:
            object.__setattr__(policy, "on_first_request", self.begin)

    def reload(self, *, hasty: bool = False) -> bool:
        """Put what the file says now into force. Returns whether that is something else.

        What is wrong is logged, once for each version, and the policy stays as it is. In a ``hasty``
        look it is not, since the file may be half written: not before the next look finds the same.
        """
        with self._lock:
            policy = self._policy()
            if policy is None:
                return False
            self._tries += 1
            mine = self._tries
            version = b""
            try:
                content = read_bytes(self.where, self.path)
                version = _digest(content)
                self.may_recover = False
                if version == self._loaded:
                    self._told = None
                    return False
                document = document_of(self.path, content, self._in_code)
                self.may_recover = True
                with self._naming_lines(document):
                    options = PolicyOptions(**document.options)
                    enforcer = Enforcer(options, policy.enforcer.owned)
            except Exception as error:
                if not hasty:
                    self._note_failure(policy, version, error)
                return False
            if mine != self._tries:
                return False  # what a handler of a signal has read meanwhile is newer
            self._put_into_force(policy, enforcer, version)
        _warn(self.path, document)
        return True

    def _put_into_force(self, policy: Any, enforcer: Enforcer, version: bytes) -> None:
        object.__setattr__(policy, "enforcer", enforcer)
        self.may_recover = False
        self._loaded, self._told = version, None
        reloads, failed, _ = self.statistics
        self.statistics = PolicyStatistics(reloads + 1, failed, time.time())
        self._note_metrics(policy, "ok")
        _log.info("The policy %s was read again, and is in force.", self.path)

    def _note_failure(self, policy: Any, version: bytes, error: Exception) -> None:
        told = version, str(error)
        if told == self._told:
            return
        self._told = told
        reloads, failed, loaded_at = self.statistics
        self.statistics = PolicyStatistics(reloads, failed + 1, loaded_at)
        self._note_metrics(policy, "failed")
        is_plain = isinstance(error, PolicyFileError)
        why = str(error) if is_plain else f"{self.path}: {type(error).__name__}: {error}"
        _log.error("The policy stays as it was, since its file cannot be used:\n%s", why)

    def _note_metrics(self, policy: Any, result: str | None) -> None:
        observer = policy.enforcer.observer
        if observer is not None:
            observer.loaded(result, self.statistics.loaded_at)

    @contextmanager
    def _naming_lines(self, document: Document) -> Generator[None]:
        """Tell of what its stores refuse by the file's line."""
        try:
            yield
        except (*REFUSALS, StoreError, OSError) as error:
            lines = document.given.lines
            found = place_in(str(error), [*lines, *self._in_code])
            if found is None and "store" in lines:
                found = "store", str(error)
            if found is None or found[0] not in lines:
                raise
            place, message = found
            told = document.secrets.without(message)
            raise PolicyFileError(self.path, [(lines[place], told)]) from None


def _none() -> None:
    """There is no policy yet."""


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _warn(path: str, document: Document) -> None:
    for line, why in document.warnings:
        _log.warning("%s:%d: %s", path, line, why)
