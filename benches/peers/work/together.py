"""Three limits that all have to admit: of one key, or each of a key of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from benches.peers.library import OURS, Call, Contestant, JointMaker, Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import FEW, HOT, HOUR
from benches.peers.timing import timed

Limits = Sequence[tuple[int, int]]

# None of the libraries takes larger ones, and some only several of one key that grow.
ADMITTING: Limits = ((100_000, 1), (500_000, 60), (1_000_000, HOUR))
REFUSING: Limits = (*ADMITTING[:2], (FEW, HOUR))
TENANT, TOOL = "acme", "search"


def same(each: Contestant, limits: Limits) -> Call:
    """Three limiters of one key, asked in a row until one refuses."""
    assert each.make is not None
    one, two, three = (each.make(limit, window) for limit, window in limits)
    if each.admitted is bool:
        return lambda key: one(key) and two(key) and three(key)
    admitted = each.admitted
    return lambda key: admitted(one(key)) and admitted(two(key)) and admitted(three(key))


def apart(each: Contestant, limits: Limits) -> Call:
    """The same with a key for each."""
    assert each.make is not None
    one, two, three = (each.make(limit, window) for limit, window in limits)
    if each.admitted is bool:
        return lambda key: one(key) and two(TENANT) and three(TOOL)
    admitted = each.admitted
    return lambda key: admitted(one(key)) and admitted(two(TENANT)) and admitted(three(TOOL))


def ways(library: Library) -> Iterator[tuple[str, Contestant, JointMaker]]:
    """What is asked, who answers, and what makes the call."""
    for each in library.contestants:
        for row, joint, in_a_row in (
            ("one key", each.one_key, same),
            ("three keys", each.each_its_own, apart),
        ):
            if joint is not None:
                yield row, each, joint
            elif each.make is not None and each.keyed and library.name != OURS:
                asked = replace(each, name=f"{each.name}, three calls", admitted=bool)
                yield row, asked, partial(in_a_row, each)


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for row, each, made in ways(library):
        keys, admitted = [HOT] * each.calls, made(ADMITTING)
        if not each.admitted(admitted(HOT)):
            raise RuntimeError(f"{each.name} does not admit")
        found.append(timed(f"{row}, admitted", each, admitted, keys))
        try:
            refused = made(REFUSING)
            for _ in range(2 * FEW):
                refused(HOT)
        except ValueError:  # its limits of one key have to grow
            continue
        if each.admitted(refused(HOT)):
            raise RuntimeError(f"{each.name} does not limit")
        found.append(timed(f"{row}, refused by the third", each, refused, keys))
    return found
