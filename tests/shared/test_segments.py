"""How many parts fit a word, how late they are, and which algorithm a quota has in a zone."""

from __future__ import annotations

import pytest

from sluicegate import Quota, _core
from sluicegate._zone.segments import algorithm_in_zone

PARTS = {1: 79, 15: 19, 127: 10, 128: 9, 1_023: 7, 1_024: 6, 8_191: 5, 10_000: 4, 65_535: 4}
PARTS |= {65_536: 3, 1_048_575: 3, 67_108_863: 2, 2**32 - 1: 1}


@pytest.mark.parametrize(("limit", "parts"), PARTS.items())
def test_as_many_parts_as_fit_the_word(limit: int, parts: int) -> None:
    assert _core.zone_parts_for(limit) == parts
    assert (parts + 1) * limit.bit_length() <= 80 < (parts + 2) * limit.bit_length()


def test_a_quota_is_counted_by_segments_or_a_bucket() -> None:
    assert algorithm_in_zone(Quota("1023/day")) == "segmented_window"
    assert algorithm_in_zone(Quota("5000/day burst 10")) == "token_bucket"
    beside = [Quota("9999/day burst 5"), Quota("1000/hour")]
    assert algorithm_in_zone(Quota("5/second"), beside) == "segmented_window"


def test_where_few_parts_fit_it_has_to_be_named() -> None:
    told = (
        r"quota '10000/day': in a zone, limits above 1,023 need an algorithm that is named: "
        r"algorithm='fixed_window', 'sliding_counter', or 'segmented_window', whose 4 parts here "
        r"give a unit back up to 6 h late; or count it in Redis"
    )
    with pytest.raises(ValueError, match=told):
        algorithm_in_zone(Quota("10000/day"))
    with pytest.raises(ValueError, match=r"'5/day' is counted in one way with '1024/day': in a z"):
        algorithm_in_zone(Quota("5/day"), [Quota("5/day"), Quota("1024/day")])
    with pytest.raises(ValueError, match="whose 1 part here"):
        algorithm_in_zone(Quota(2**32 - 1, 60))


def test_a_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'5/day in UTC': a zone has no calendar windows"):
        algorithm_in_zone(Quota("5/day in UTC"))
