"""Times with fractions, of which a second is read once: as each would be read by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.replay.logs.stamps import Stamps

HEADS = st.sampled_from(
    [
        "17/May/2015:10:05:03",
        "2015-05-17T10:05:03",
        "2015-05-17 10:05:60",
        "1431857103",
        "8000000000",
        "1431857103250",
        "1431857103250000",
        "1431857103250000000",
        "3",
        "17/May/2015:10:05:03,5",
        "31/Feb/2015:10:05:03",
        "1.5",
        "",
    ]
)
FRACTIONS = st.sampled_from(["", ".", ".0", ".25", ".000001", ".1234567", ".123456789", ".1234567890", ",25", ".5.5"])  # fmt: skip
ZONES = st.sampled_from(["", "Z", "z", "+02:00", "-0330", " +0000", " +0200", " ", "x", "7"])


@given(st.lists(st.tuples(HEADS, FRACTIONS, ZONES), max_size=20))
def test_a_second_that_is_known_changes_nothing(parts: list[tuple[str, str, str]]) -> None:
    stamps = Stamps()
    for text in map("".join, parts):
        alone = Stamps()
        assert stamps[text.encode()] == alone._parse(text), text
        assert stamps.has_fractions or not alone.has_fractions, text
