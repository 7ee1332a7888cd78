"""What the recipes say of nginx is true."""

from __future__ import annotations

import pytest

from sluicegate import ManualClock, TokenBucket


def nginx(arrivals: list[int], rate: int, burst: int) -> list[bool]:
    """nginx's own rule, in its units: a request is 1,000, times are milliseconds."""
    answers, excess, last = [], 0, None
    for moment in arrivals:
        now = 0 if last is None else max(0, excess - rate * (moment - last) + 1_000)
        answers.append(now <= burst * 1_000)
        if answers[-1]:
            excess, last = now, moment
    return answers


@pytest.mark.parametrize("gap", [0, 1, 30, 90, 99, 100, 101, 250])
def test_a_bucket_of_burst_and_one_admits_what_nginx_does(gap: int, clock: ManualClock) -> None:
    arrivals = [block * 1_700 + gap * number for block in range(4) for number in range(17)]
    arrivals.sort()
    bucket = TokenBucket(capacity=20 + 1, refill_rate=10, clock=clock)
    admitted = []
    for moment in arrivals:
        clock.advance(moment / 1_000 - clock.time())
        admitted.append(bucket.is_allowed("a"))
    assert admitted == nginx(arrivals, rate=10, burst=20)
