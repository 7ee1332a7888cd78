"""The ring: the article's placement, little movement, the same everywhere."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.redis.hash_ring import ConsistentHashRing

KEYS = [f"client-{number}" for number in range(100_000)]
names = st.lists(st.text(max_size=8), unique=True, min_size=1, max_size=6)
surrogates = st.text(st.characters(exclude_categories=()), max_size=8)


def places(ring: ConsistentHashRing, keys: list[str]) -> list[str | None]:
    return [ring.get_node(key) for key in keys]


def slow_node(nodes: list[str], replicas: int, key: str) -> str:
    """As article 2 has it: the first point from the key's own on, one by one."""

    def point(text: str) -> int:
        return int(md5(text.encode("utf-8", "surrogatepass")).hexdigest(), 16)

    points = sorted((point(f"{node}:{i}"), node) for node in nodes for i in range(replicas))
    return next((node for at, node in points if at >= point(key)), points[0][1])


@given(names, st.integers(1, 9), surrogates)
def test_a_key_is_where_the_article_puts_it(nodes: list[str], replicas: int, key: str) -> None:
    assert ConsistentHashRing(nodes, replicas).get_node(key) == slow_node(nodes, replicas, key)


def test_a_key_on_a_point_and_one_past_the_last_point() -> None:
    nodes = ["a", "b", "c"]
    ring = ConsistentHashRing(nodes, replicas=2)
    assert [ring.get_node(f"{node}:{i}") for node in nodes for i in (0, 1)] == [*"aabbcc"]
    points = sorted((md5(f"{node}:{i}".encode()).digest(), node) for node in nodes for i in (0, 1))
    past = [key for key in KEYS[:1000] if md5(key.encode()).digest() > points[-1][0]]
    assert past
    assert set(places(ring, past)) == {points[0][1]}


def test_a_new_node_takes_its_share_and_nothing_else_moves() -> None:
    ring = ConsistentHashRing([f"redis-{number}" for number in range(4)])
    before = places(ring, KEYS)
    ring.add_node("redis-4")
    after = places(ring, KEYS)
    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    print(f"4 to 5 nodes: {len(moved):,} of {len(KEYS):,} keys move (a fifth is 20,000)")
    assert set(moved) == {"redis-4"}
    assert 0.14 < len(moved) / len(KEYS) < 0.26
    ring.remove_node("redis-4")
    assert places(ring, KEYS) == before


@given(names, st.text(max_size=8), st.lists(surrogates, max_size=200))
def test_no_key_moves_between_old_nodes(nodes: list[str], new: str, keys: list[str]) -> None:
    ring = ConsistentHashRing(nodes, replicas=20)
    before = places(ring, keys)
    ring.add_node(new)
    for old, now in zip(before, places(ring, keys), strict=True):
        assert now in (old, new)


@pytest.mark.parametrize(("replicas", "most"), [(100, 0.3), (1000, 0.1)])
def test_the_load_is_even(replicas: int, most: float) -> None:
    nodes = [f"10.0.0.{number}:6379" for number in range(10)]
    ring = ConsistentHashRing(nodes, replicas)
    even = len(KEYS) / len(nodes)
    off = {node: count / even - 1 for node, count in Counter(places(ring, KEYS)).items()}
    print(f"10 nodes, {replicas} replicas: {min(off.values()):+.1%} to {max(off.values()):+.1%}")
    assert len(off) == len(nodes)
    assert max(map(abs, off.values())) < most


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=20))
def test_only_the_set_of_nodes_counts(steps: list[tuple[str, bool]]) -> None:
    ring, present = ConsistentHashRing([], replicas=10), set[str]()
    for node, adding in steps:
        if adding:
            ring.add_node(node)
            present.add(node)
        elif node in present:
            ring.remove_node(node)
            present.remove(node)
    keys = KEYS[:200]
    assert ring.nodes == present
    assert places(ring, keys) == places(ConsistentHashRing(sorted(present), 10), keys)
    assert places(ring, keys) == places(ConsistentHashRing(sorted(present)[::-1] * 2, 10), keys)


def test_another_process_agrees() -> None:
    code = (
        "from sluicegate.redis.hash_ring import ConsistentHashRing\n"
        "ring = ConsistentHashRing(['c', 'a', 'b'])\n"
        "print(''.join(ring.get_node(str(key)) for key in range(500)))"
    )
    here = ConsistentHashRing(["a", "b", "c"])
    expected = "".join(str(here.get_node(str(key))) for key in range(500))
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert ran.stdout.strip() == expected, ran.stderr


def test_look_ups_while_nodes_come_and_go() -> None:
    ring = ConsistentHashRing(["a", "b"], replicas=50)
    keys = KEYS[:50]
    allowed = [{before, after} for before, after in _with_and_without(keys)]
    done = threading.Event()
    rounds: list[int] = []
    wrong: list[Any] = []

    def look_up() -> None:
        count = 0
        try:
            while not done.is_set() or not count:
                count += 1
                found = places(ring, keys)
                wrong.extend(n for n, ok in zip(found, allowed, strict=True) if n not in ok)
        except Exception as error:
            wrong.append(error)
        rounds.append(count)

    threads = [threading.Thread(target=look_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        ring.add_node("c")
        ring.remove_node("c")
    done.set()
    for thread in threads:
        thread.join()
    print(f"{sum(rounds)} rounds of look-ups beside 400 changes")
    assert wrong == []


def _with_and_without(keys: list[str]) -> list[tuple[str | None, str | None]]:
    without, within = ConsistentHashRing(["a", "b"], 50), ConsistentHashRing(["a", "b", "c"], 50)
    return list(zip(places(without, keys), places(within, keys), strict=True))


def test_changes_in_several_threads_are_all_kept() -> None:
    ring = ConsistentHashRing([], replicas=20)
    nodes = [[f"{thread}-{number}" for number in range(20)] for thread in range(4)]
    threads = [
        threading.Thread(target=lambda mine=mine: [ring.add_node(n) for n in mine])
        for mine in nodes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [node for mine in nodes for node in mine]
    assert ring.nodes == set(every)
    assert places(ring, KEYS[:500]) == places(ConsistentHashRing(every, 20), KEYS[:500])


def test_an_empty_ring_and_the_last_node() -> None:
    ring = ConsistentHashRing([])
    assert ring.get_node("key") is None
    ring.add_node("only")
    assert ring.get_node("key") == "only"
    ring.remove_node("only")
    assert ring.get_node("key") is None


def test_adding_twice_changes_nothing_and_removing_once_removes() -> None:
    ring = ConsistentHashRing(["a", "b"])
    before = places(ring, KEYS[:500])
    ring.add_node("a")
    assert places(ring, KEYS[:500]) == before
    ring.remove_node("a")
    assert set(places(ring, KEYS[:500])) == {"b"}
    with pytest.raises(ValueError, match=r"^node must be on the ring"):
        ring.remove_node("a")


def test_arguments() -> None:
    assert ConsistentHashRing(nodes=iter(["a"])).replicas == 100
    with pytest.raises(ValueError, match=r"^replicas must be 1 to 100000, got 0"):
        ConsistentHashRing(["a"], 0)
    for replicas in (True, 1.5, "1", None):
        with pytest.raises(TypeError, match=r"^replicas must be an int"):
            ConsistentHashRing(["a"], replicas)  # type: ignore[arg-type]
    bad: Any
    for bad in ("abc", [1], [b"a"], [None], None, 5):
        with pytest.raises(TypeError, match=r"^nodes must"):
            ConsistentHashRing(bad)
    ring = ConsistentHashRing(["a"])
    for bad in (1, b"a", None):
        with pytest.raises(TypeError, match=r"^node must be a str"):
            ring.add_node(bad)
        with pytest.raises(TypeError, match=r"^node must be a str"):
            ring.remove_node(bad)
        with pytest.raises(TypeError, match=r"^key must be a str"):
            ring.get_node(bad)


def test_a_repr_shows_no_password_of_a_node() -> None:
    assert repr(ConsistentHashRing(["redis://:hunter2@h"], 5)) == (
        "<ConsistentHashRing: 1 nodes, 5 replicas each>"
    )
