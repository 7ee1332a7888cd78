"""The configuration of a leaky bucket, in the two ways in which it can be given."""

from __future__ import annotations

from dataclasses import dataclass

from sluicegate._support.arguments import number, whole

__all__ = ["LeakyBucketConfig", "leaky_config"]


@dataclass(frozen=True)
class LeakyBucketConfig:
    """The configuration of a leaky bucket. Immutable.

    Args:
        capacity: most requests that wait, 1 to 1,000,000,000.
        leak_rate: requests per second, 0.000001 to 1,000,000.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    capacity: int
    leak_rate: float

    def __post_init__(self) -> None:
        whole("capacity", self.capacity, 1, 1_000_000_000)
        number("leak_rate", self.leak_rate, 1e-6, 1e6, "requests per second")


def leaky_config(
    config: LeakyBucketConfig | int | None, capacity: int | None, leak_rate: float | None
) -> LeakyBucketConfig:
    """``config`` itself, or one made of the two numbers; ``config`` may be the capacity."""
    if isinstance(config, LeakyBucketConfig):
        if capacity is not None or leak_rate is not None:
            raise TypeError("pass config, or capacity and leak_rate, not both")
        return config
    if config is not None and capacity is not None:
        raise TypeError("pass capacity once")
    first = capacity if config is None else config
    if first is None or leak_rate is None:
        raise TypeError("pass config, or capacity and leak_rate")
    return LeakyBucketConfig(first, leak_rate)
