"""A quota is a value: its text, its parts, and what it refuses."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate import Quota

AMOUNTS = st.integers(1, 2**32 - 1)
MICROSECONDS = st.integers(1, 10**15)
UNITS = st.sampled_from(["requests", "tokens", "output-tokens", "bytes_sent"])


@pytest.mark.parametrize(
    ("text", "limit", "window", "burst", "unit", "concurrent", "zone"),
    [
        ("300 per 5 minutes", 300, 300.0, None, "requests", None, None),
        ("10/second burst 6", 10, 1.0, 6, "requests", None, None),
        ("40_000 tokens/minute", 40_000, 60.0, None, "tokens", None, None),
        ("5 concurrent", 5, None, None, "requests", 5, None),
        ("unlimited", None, None, None, "requests", None, None),
        ("9/month in UTC", 9, 31 * 86_400.0, None, "requests", None, "UTC"),
    ],
)
def test_it_says_what_it_is_made_of(
    text: str,
    limit: int | None,
    window: float | None,
    burst: int | None,
    unit: str,
    concurrent: int | None,
    zone: str | None,
) -> None:
    quota = Quota(text)
    assert (quota.limit, quota.window_seconds, quota.burst) == (limit, window, burst)
    assert (quota.unit, quota.concurrent, quota.zone) == (unit, concurrent, zone)


@given(AMOUNTS, MICROSECONDS, UNITS)
def test_every_window_is_told_by_its_text(limit: int, microseconds: int, unit: str) -> None:
    quota = Quota(limit, microseconds / 1e6, unit=unit)
    assert Quota(str(quota)) == quota
    assert hash(Quota(str(quota))) == hash(quota)
    assert repr(quota) == f"Quota('{quota}')"
    assert pickle.loads(pickle.dumps(quota)) == copy.deepcopy(quota) == quota
    assert (quota.limit, quota.unit) == (limit, unit)
    assert quota.window_seconds == pytest.approx(microseconds / 1e6, rel=1e-15)


def test_numbers_and_texts_are_one_quota() -> None:
    assert Quota(300, 300) == Quota("300/5 minutes") != Quota("300/minute")
    assert Quota(10, 1, 20) == Quota(10, 1, burst=20) == Quota("10/s burst 20")
    assert Quota(4, 60, unit="tokens") == Quota("4 tokens/minute")
    assert Quota(concurrent=5) == Quota("5 concurrent")
    assert Quota(Quota("5/second")) == Quota("5/second")
    assert Quota("5/second") != "5/second"


def test_several_parts_are_several_quotas() -> None:
    assert Quota.parse_all("5/second; 300/minute") == (Quota("5/second"), Quota("300/minute"))
    with pytest.raises(ValueError, match=r"'5/second; 300/minute': there are 2 .* Gate takes"):
        Quota("5/second; 300/minute")
    with pytest.raises(TypeError, match=r"text must be a str such as .*got int 5"):
        Quota.parse_all(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((None,), {}, TypeError, "quota must be its text, .* got NoneType None"),
        ((5,), {}, TypeError, "quota must be its text, .* got int 5"),
        ((), {}, TypeError, r"Quota\('5/second'\)|'5/second'"),
        (("5/second", 1), {}, TypeError, "limit must be an int, got str '5/second'"),
        (("5/second",), {"unit": "tokens"}, TypeError, "one of these"),
        ((5, 1), {"concurrent": 5}, TypeError, "one of these"),
        ((0, 1), {}, ValueError, "limit must be an int from 1 to 4,294,967,295, got 0"),
        ((True, 1), {}, TypeError, "limit must be an int, got bool True"),
        ((5, 0), {}, ValueError, "window_seconds must be .* got 0"),
        ((5, float("nan")), {}, ValueError, "window_seconds must be .* got nan"),
        ((5, 1), {"burst": 0}, ValueError, "burst must be an int from 1"),
        ((5, 1), {"unit": "day"}, ValueError, "quota 'day': this cannot be a unit"),
        ((5, 1), {"unit": "two words"}, ValueError, "cannot be a unit"),
        ((5, 1), {"unit": 7}, TypeError, "unit must be a str such as 'tokens', got int 7"),
        ((), {"concurrent": 0}, ValueError, "concurrent must be an int from 1"),
        (("5/fortnight",), {}, ValueError, "quota '5/fortnight': 'fortnight' is no period"),
        (("5/1.0000001 s",), {}, ValueError, "quota '5/1.0000001 s': .* in whole microseconds"),
        (("5/day in Nowhere",), {}, ValueError, "'Nowhere' is no time zone"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        Quota(*arguments, **options)


@given(st.text(max_size=40))
def test_no_text_does_more_than_raise(text: str) -> None:
    try:
        quota = Quota(text)
    except ValueError as refusal:
        assert str(refusal).startswith("quota '")
    else:
        assert Quota(str(quota)) == quota
