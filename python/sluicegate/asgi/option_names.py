"""Methods by which other middlewares are adapted, and the options that stand for them here."""

from __future__ import annotations

from typing import Any

__all__ = ["NamesOptions"]

_HOOKS = {
    "_get_tier": "pass tier=, a callable that gets the request and returns the tier's name",
    "_get_client_id": "pass identify=, a callable that gets the request and returns the key",
    "dispatch": "this is a plain ASGI middleware; pass refusal=, identify=, tier= or cost=",
}


class NamesOptions:
    """Refuses subclasses that have such a method, with the option that is meant."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for hook, advice in _HOOKS.items():
            if hook in cls.__dict__:
                raise TypeError(f"{cls.__name__}.{hook} would never be called: {advice}")
