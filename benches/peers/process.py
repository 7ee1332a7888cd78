"""The parent's side of a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benches.peers.sample import Sample, Task
from benches.peers.settings import ROOT


class SectionError(Exception):
    """A library could not do a section; the message says why."""


class Worker:
    """A process that measures the library of one adapter. Close it after use."""

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        self.module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benches.peers.worker", module],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = module.removeprefix("of_").replace("_", "-")
        self.version = ""
        self.contestants: list[str] = []

    def introduce(self) -> str:
        """Wait until it has imported its library; why it could not, or nothing.

        Raises ``SectionError`` if the process ended.
        """
        said = self._heard()
        self.name = said.get("name", self.name)
        self.version = said.get("version", "")
        self.contestants = said.get("contestants", [])
        return said.get("skipped", "")

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SectionError(f"the process ended with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def measure(self, task: Task) -> list[Sample]:
        """Raises ``SectionError``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(task)) + "\n")
        self._process.stdin.flush()
        heard = self._heard()
        if "failed" in heard:
            raise SectionError(heard["failed"])
        return [Sample(**sample) for sample in heard["samples"]]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
