"""Random policies and requests: the Enforcer beside an interpreter that walks all rules."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from asgi_calls import call
from naive_policy import PROXY, Asked, NaivePolicy, Outcome
from sluicegate import ManualClock
from sluicegate._support.awaiting import at_once
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy, Rule
from sluicegate.policy.rules.checking import problems_of

QUOTAS = ["1/second", "2/minute", "3/second; 5/minute", "4/hour", "2/second; 3/minute; 6/day"]
TIERS = {"free": "3/second; 6/minute", "paid": "8/minute", "all": "unlimited"}
WITH_PATH = ["/a/{id}", "POST /a/{id}", "/a/{id}/*"]
MATCHES = ["*", "/a", "/a/*", "GET /a", "POST /a", "GET|DELETE /b", "/{any}", *WITH_PATH]
BYS = ["client", "address", "principal", "tier", "all", "header:x-org", "org"]
COUNTS: list[Any] = ["all", "all", "all", "failures", "successes", lambda status: status % 3]


class User:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.id = name


@st.composite
def rules(draw: st.DrawFn, bys: list[str] = BYS, *, is_plain: bool = False) -> list[Rule]:
    made = []
    for number in range(draw(st.integers(1, 7))):
        match = draw(st.sampled_from(MATCHES))
        own: dict[str, Any] = {
            "tier": draw(st.sampled_from([None, None, "free", ["paid", "all"]])),
            "group": draw(st.sampled_from([None, None, "a", "b"])),
            "name": f"rule {number}",
        }
        if draw(st.integers(0, 6)) == 0:
            made.append(Rule(match, exempt=True, **own))
            continue
        known = [*bys, *(["path:id"] if "{id}" in match else [])]
        most = 1 if is_plain else 3
        by = draw(st.lists(st.sampled_from(known), min_size=1, max_size=most, unique=True))
        made.append(
            Rule(
                match,
                draw(st.sampled_from(QUOTAS)),
                by="all" if "all" in by else by,
                cost=draw(st.sampled_from([None, None, None, 0, 1])),
                counts=draw(st.sampled_from(COUNTS)),
                shadow=draw(st.integers(0, 4)) == 0,
                **own,
            )
        )
    # Those that could never apply are refused.
    problems = {problem.place for problem in problems_of(made, keys=["org"], tiers=None)}
    return [rule for place, rule in enumerate(made) if place not in problems]


#: Requests that say no more than a path and an address.
plain_requests = st.builds(
    Asked,
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD", "OPTIONS"]),
    path=st.sampled_from(["/a", "/a/1", "/a/2", "//a/1/", "/b", "/a/1/2", "/a/../b", "/"]),
    peer=st.sampled_from(["192.0.2.1", "192.0.2.2", PROXY]),
    forwarded=st.sampled_from([None, "192.0.2.2", "192.0.2.7"]),
    org=st.none(),
    user=st.none(),
    tier=st.none(),
    cost=st.just(1),
    status=st.sampled_from([200, 302, 401]),
)
requests = st.builds(
    Asked,
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD"]),
    path=st.sampled_from(["/a", "/a/1", "/a/2", "//a/1/", "/b", "/a/1/2", "/a/../b", "/"]),
    peer=st.sampled_from(["192.0.2.1", "192.0.2.2", PROXY]),
    forwarded=st.sampled_from([None, "192.0.2.2", "192.0.2.7"]),
    org=st.sampled_from([None, "acme", "ip:192.0.2.1"]),
    user=st.sampled_from([None, None, "ann", "bob"]),
    tier=st.sampled_from([None, "free", "paid", "all", "gold"]),
    cost=st.sampled_from([1, 1, 1, 0, 2, 7]),
    status=st.sampled_from([200, 200, 201, 302, 401, 500]),
)
gaps = st.sampled_from([0.0, 0.0, 0.0, 0.25, 1.0, 20.0, 60.0])
steps = st.lists(st.tuples(gaps, requests), max_size=40)
plain_steps = st.lists(st.tuples(gaps, plain_requests), max_size=40)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the status that the request asks for."""
    await send({"type": "http.response.start", "status": scope["asked"].status, "headers": []})
    await send({"type": "http.response.body"})


def policy_of(rules: list[Rule], tiers: Any, clock: ManualClock) -> Policy:
    names = {by for rule in rules if not rule.exempt for by in rule.by}
    return Policy(
        tiers,
        rules=rules,
        keys={"org": lambda scope: scope["asked"].org} if "org" in names else None,
        tier=lambda scope: scope["asked"].tier,
        cost=lambda scope: scope["asked"].cost,
        trusted_proxies=[PROXY],
        clock=clock,
    )


def ask(app: Any, asked: Asked) -> Outcome | None:
    """The same of a middleware: ``None`` if it has asked no limit."""
    headers = [("X-Forwarded-For", asked.forwarded)] if asked.forwarded else []
    headers += [("X-Org", asked.org)] if asked.org else []
    more: dict[str, Any] = {"asked": asked, "method": asked.method}
    if asked.user is not None:
        more["user"] = User(asked.user)
    answer = at_once(call(app, asked.path, peer=asked.peer, headers=headers, **more))
    decision = answer.scope.get("sluicegate.decision")
    if decision is None and answer.status == 413:
        return Outcome(413, (), {})
    limits = getattr(decision, "limits", {})  # of a tier that is unlimited there are none
    if not limits:
        assert answer.status == asked.status
        return None
    left = {name: each.remaining for name, each in limits.items()}
    return Outcome(answer.status, decision.refused_by, left)


def check(
    rules: list[Rule],
    tiers: Any,
    steps: list[tuple[float, Asked]],
    policy: Policy,
    clock: ManualClock,
) -> None:
    """Both are asked the same, and answer alike."""
    naive = NaivePolicy(rules, tiers, clock.time)
    limited = RateLimitMiddleware(app, policy=policy)
    for seconds, asked in steps:
        clock.advance(seconds)
        assert ask(limited, asked) == naive.ask(asked), asked


@given(rules=rules().filter(bool), tiers=st.sampled_from([None, TIERS]), steps=steps)
def test_the_naive_interpreter_agrees(
    rules: list[Rule], tiers: Any, steps: list[tuple[float, Asked]]
) -> None:
    clock = ManualClock()
    check(rules, tiers, steps, policy_of(rules, tiers, clock), clock)


@given(
    rules=rules(["client", "address"], is_plain=True).filter(bool),
    tiers=st.sampled_from([None, TIERS]),
    steps=plain_steps,
)
def test_it_agrees_where_nothing_but_the_address_counts(
    rules: list[Rule], tiers: Any, steps: list[tuple[float, Asked]]
) -> None:
    """Most of these requests are admitted without steps."""
    clock = ManualClock()
    policy = Policy(tiers, rules=rules, trusted_proxies=[PROXY], clock=clock)
    assert policy.enforcer.has_plain_rules
    check(rules, tiers, steps, policy, clock)
