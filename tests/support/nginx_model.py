"""nginx's limit_req as it is written, with exact fractions instead of its milliseconds."""

from __future__ import annotations

from fractions import Fraction


class LimitReq:
    """``limit_req zone=… rate=… burst=… delay=…`` of one key.

    ``rate`` is requests a second; after ngx_http_limit_req_lookup and ngx_http_limit_req_account.
    """

    def __init__(self, rate: Fraction, burst: int, delay: int = 0) -> None:
        self.rate = rate
        self.burst = burst
        self.delay = delay
        self.excess: Fraction | None = None
        self.last = Fraction(0)

    def request(self, now: Fraction) -> Fraction | None:
        """The seconds that a request is held; ``None`` if it is refused."""
        if self.excess is None:
            excess = Fraction(0)
        else:
            excess = max(self.excess - self.rate * (now - self.last) + 1, Fraction(0))
        if excess > self.burst:
            return None
        self.excess, self.last = excess, now
        return max(Fraction(0), excess - self.delay) / self.rate
