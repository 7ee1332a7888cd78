"""Who decides when the server does not."""

from __future__ import annotations

from typing import Literal

__all__ = ["OnError"]

#: Who decides when the server does not.
OnError = Literal["local", "open", "closed", "raise"]
