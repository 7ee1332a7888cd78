"""TOML as the standard library reads it: on Python 3.10, by the package that it was taken from."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from tomllib import loads
else:
    from tomli import loads

__all__ = ["loads"]
