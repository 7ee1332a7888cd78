"""What `help()` shows, and what editors do: each public name, from one source of text."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import sluicegate
from sluicegate import _core

ROOT = Path(__file__).parents[2]

MODULES = [
    "sluicegate",
    "sluicegate.asgi",
    "sluicegate.breaker",
    "sluicegate.concurrency",
    "sluicegate.errors",
    "sluicegate.fastapi",
    "sluicegate.hooks",
    "sluicegate.identity",
    "sluicegate.leaky_bucket",
    "sluicegate.metrics",
    "sluicegate.opentelemetry",
    "sluicegate.policy",
    "sluicegate.redis",
    "sluicegate.retry",
    "sluicegate.shared",
    "sluicegate.testing",
    "sluicegate.types",
]


def stub_docstrings() -> ModuleType:
    path = ROOT / "tools" / "stub_docstrings.py"
    spec = importlib.util.spec_from_file_location("stub_docstrings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public() -> dict[str, Any]:
    """Every public name, and every public name in the package's own public classes."""
    found: dict[str, Any] = {}
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            thing = getattr(module, name)
            found[f"{module.__name__}.{name}"] = thing
            if not (isinstance(thing, type) and thing.__module__.startswith("sluicegate")):
                continue
            for attribute in dir(thing):
                static = inspect.getattr_static(thing, attribute)
                # Not an exception's own, nor a slot or a field, which have no text of theirs.
                inherited = hasattr(BaseException, attribute) or hasattr(Enum, attribute)
                described = callable(static) or isinstance(static, property)
                described = described or inspect.isgetsetdescriptor(static)
                if described and attribute[0] != "_" and not inherited:
                    found[f"{module.__name__}.{name}.{attribute}"] = getattr(thing, attribute)
    return found


def test_the_stub_says_what_the_extension_says() -> None:
    tool = stub_docstrings()
    stub = tool.STUB.read_text()
    assert tool.with_docstrings(stub) == stub, "run tools/stub_docstrings.py"
    text = inspect.cleandoc(_core.Limiter.peek.__doc__ or "")
    assert all(line in stub for line in text.splitlines())


def test_the_tool_puts_right_what_is_missing_and_what_is_not_true() -> None:
    tool = stub_docstrings()
    stub = tool.STUB.read_text()
    for old, new in [
        (r'(def time\(self\) -> float:)\n +""".*?"""', r"\1 ..."),
        (r'(def advance\(.*?:)\n +""".*?"""', r'\1\n        """Go."""'),
        (r'(class Ticket:)\n +""".*?"""\n', r"\1"),
        (r'(class FixedWindow\(Limiter\):)\n +""".*?"""', r'\1\n    """Wrong.\n\n    Quite."""'),
        (r"(def __len__\(self\) -> int:) \.\.\.", r'\1\n        """Return len(self)."""'),
        (r'(-> bool:)\n +""".*?"""', r"\1 ..."),
    ]:
        changed, times = re.subn(old, new, stub, count=1, flags=re.DOTALL)
        assert times == 1
        assert changed != stub
        assert tool.with_docstrings(changed) == stub


def test_help_says_something_of_each_public_name() -> None:
    names = public()
    assert len(names) > 150
    for name, thing in names.items():
        if getattr(thing, "__module__", None) in ("builtins", "types", "typing"):
            continue  # an alias or a constant
        text = inspect.getdoc(thing)
        assert text, name
        # Neither what Python says of every class, nor what it makes of a dataclass.
        assert not text.startswith("Create and return a new object"), name
        assert not re.fullmatch(r"\w+\(.*\)", text, re.DOTALL), name


def test_each_public_callable_has_a_signature() -> None:
    for name, thing in public().items():
        if callable(thing) and not (isinstance(thing, type) and issubclass(thing, BaseException)):
            assert str(inspect.signature(thing)).startswith("("), name


CHECKED = ("``TypeError``", "``ValueError``", "cost")
SAID: dict[str, tuple[str, ...]] = {
    "Limiter.check": (*CHECKED, "below 1", "microsecond"),
    "Limiter.peek": ("Raises", "Spends nothing"),
    "Limiter.is_allowed": ("Raises",),
    "Limiter.is_allowed_many": ("``TypeError``", "atomic"),
    "Limiter.wait_sync": ("seconds", "0 to 1,000,000,000", "Raises", "Ctrl-C"),
    "Limiter.refund": ("Raises", "It cannot know whose"),
    "Limiter.reset": ("``TypeError``",),
    "Limiter.statistics": ("frozen",),
    "Limiter.limit": ("units",),
    "Limiter.window_seconds": ("seconds",),
    "FixedWindow.set_quota": ("``ValueError``", "atomically"),
    "SlidingWindowRateLimiter.set_quota": ("``ValueError``",),
    "SlidingWindowRateLimiter.get_reset_time": ("Unix time in seconds",),
    "TokenBucket.set_quota": ("tokens per second", "``ValueError``"),
    "Decision.retry_after": ("Seconds", "microsecond"),
    "Decision.reset_after": ("Seconds",),
    "Decision.reset_at": ("Unix time in seconds",),
    "Decision.remaining": ("Units",),
    "Decision.store": ('"redis"', '"closed"', "of your own"),
    "ManualClock.advance": ("``seconds``", "``ValueError``"),
    "ManualClock.time": ("seconds",),
    "TokenBucketConfig.capacity": ("1 to 4,294,967,295",),
    "TokenBucketConfig.refill_rate": ("per second", "1e-9 to 1e12"),
    "TokenBucketConfig.initial_tokens": ("0 to ``capacity``",),
}


@pytest.mark.parametrize("name", SAID)
def test_help_has_units_ranges_and_errors(name: str) -> None:
    kind, attribute = name.split(".")
    text = inspect.getdoc(getattr(getattr(sluicegate, kind), attribute)) or ""
    for words in SAID[name]:
        assert words in text, (words, text)


def test_help_shows_it() -> None:
    import pydoc

    shown = pydoc.render_doc(sluicegate.TokenBucket, renderer=pydoc.plaintext)
    for text in (
        "Decide now, and spend",
        "check(self, /, key, cost=1, *, quota=None)",
        "Block this thread",
    ):
        assert text in shown
