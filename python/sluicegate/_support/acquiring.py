"""The arguments of a bucket's ``acquire``: a key and tokens, in either order."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["key_and_tokens"]


def key_and_tokens(given: tuple[Any, ...], key: Any, tokens: Any) -> tuple[Any, Any]:
    """The key and the tokens, of which ``...`` is what was not given; ``given`` by position.

    By position a ``str`` is the key, and anything else the tokens: programs are known in which
    the one comes first, and others in which the other does.
    """
    for value in given:
        if isinstance(value, str):
            if key is not ...:
                raise _twice("key", key, value)
            key = value
        else:
            if tokens is not ...:
                raise _twice("tokens", tokens, value)
            tokens = value
    return key, 1 if tokens is ... else tokens


def _twice(name: str, known: Any, value: Any) -> TypeError:
    return TypeError(
        "acquire takes one key, a str, and one number of tokens, an int, as in "
        f"acquire('llm', 5), got {name} {known!r} and {value!r}"
    )
