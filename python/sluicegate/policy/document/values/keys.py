"""The keys of a policy's file: one table by which files are read and the JSON Schema is made."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, get_args

from sluicegate._connection.on_error import OnError
from sluicegate._connection.url import SCHEMES
from sluicegate.headers import HEADER_SETS
from sluicegate.policy.algorithms import NAMES
from sluicegate.policy.document.values.kinds import (
    Defined,
    Either,
    Flag,
    Function,
    Kind,
    Listed,
    Number,
    Table,
    Text,
    Whole,
)
from sluicegate.policy.document.values.quota_pattern import QUOTA
from sluicegate.policy.document.values.record import Record
from sluicegate.policy.stores.options import Overflow
from sluicegate.refusals import FixedRefusal

__all__ = ["DEFINED", "IDENTITY", "RULE", "TOP", "Key"]


class Key(NamedTuple):
    """What stands for a key.

    Attributes:
        kind: what its value may be.
        about: what it means, for editors.
        example: a right value, for messages and editors.
    """

    kind: Kind
    about: str
    example: object = None


_TEXTS: Final = Listed(Text(), "a list of texts")
_FUNCTION: Final = Defined("function", Function())
_QUOTA: Final = Defined("quota", Text(pattern=QUOTA))
_PATH: Final = Text(pattern="^/")
_STORE: Final = Defined(
    "store", Text(pattern=f"^({'|'.join(map(re.escape, SCHEMES))})://|^shared:")
)
_HEADERS: Final = Either(
    Text(*HEADER_SETS), Listed(Text(*HEADER_SETS), "a list of sets of header fields", "ietf")
)
_COST: Final = Either(
    _FUNCTION, Whole(0, 2**32 - 1), Table(Whole(0, 2**32 - 1), "a table of units by name", 100)
)
_ON_ERROR: Final = Text(*get_args(OnError))
_REFUSAL: Final = Defined(
    "refusal",
    Either(
        _FUNCTION,
        Text("json", "problem"),
        Record({"status": Whole(200, 599), "text": Text(), "content_type": Text()}, FixedRefusal),
    ),
)
_ALGORITHM: Final = Text(*NAMES)

#: Kinds that several keys have.
DEFINED: Final = (_FUNCTION, _QUOTA, _STORE, _REFUSAL)

IDENTITY: Final = {
    "trusted_proxies": Key(
        Either(Whole(0, 32), _TEXTS),
        "The proxies that may say who the client is: networks, or how many stand before the app.",
        ["10.0.0.0/8"],
    ),
    "proxy_header": Key(
        Text(), "The header in which trusted proxies write the client's address.", "x-forwarded-for"
    ),
    "ipv6_prefix": Key(Whole(16, 128), "IPv6 clients are told apart by so many bits.", 64),
    "no_address": Key(Text(), "The key of requests without an IP address.", "local"),
    "verify": Key(
        _FUNCTION, "Given an API key, returns its principal, or None.", "myapp.limits:verify"
    ),
    "verify_ttl": Key(Number(0, 1e6), "Seconds for which a verified key is remembered.", 30),
    "api_key_header": Key(Text(), "The header in which the API key is sent.", "x-api-key"),
    "identify": Key(_FUNCTION, "Gives the key of a request.", "myapp.limits:client_of"),
}

RULE: Final = {
    "match": Key(
        Text(pattern="^([A-Z][A-Z0-9_|-]* +)?([*]|/.*)$"),
        "Which requests: methods, a host, and a path in which {name} is a segment and a last * the "
        'rest. "*" is all.',
        "POST /login",
    ),
    "quota": Key(
        _QUOTA, 'How much, in what time. Several parts: "10/second; 100/minute".', "5/minute"
    ),
    "by": Key(
        Either(Text(), _TEXTS),
        'What is counted by: "client" (unless given), "address", "principal", "tier", "all", '
        '"header:NAME", "path:PARAM", one of [keys], or a list: their combination.',
        "address",
    ),
    "tier": Key(
        Either(Text(), _TEXTS), "The rule is for clients of this tier, or of these.", "free"
    ),
    "cost": Key(_COST, "What a request costs: units, units by name, or a function of it.", 1),
    "counts": Key(
        Either(_FUNCTION, Text("all", "failures", "successes")),
        "Which requests count, by the status of the answer; or a function of the status that gives "
        "the units.",
    ),
    "group": Key(Text(), "Of the rules of a group only the first that matches applies.", "login"),
    "name": Key(Text(), "The rule's name in headers, metrics and stores.", "login"),
    "algorithm": Key(_ALGORITHM, "How the quota is counted."),
    "shadow": Key(Flag(), "Decide and count, but refuse nobody."),
    "on_error": Key(_ON_ERROR, "Who decides when the store does not answer."),
    "store": Key(
        _STORE, "Where the rule is counted, if not where the policy is.", "redis://localhost:6379/0"
    ),
    "delay": Key(
        Number(0, 3600, above=True), "Seconds for which a request is held instead of refused.", 2
    ),
    "undelayed": Key(Whole(0, 2**32 - 1), "Units of a burst that are not held.", 5),
    "refusal": Key(_REFUSAL, "What a refused request is sent."),
    "headers": Key(_HEADERS, "Which sets of header fields are sent.", ["ietf"]),
    "exempt": Key(Flag(), "Requests that match it match no further."),
    "lease_seconds": Key(
        Number(0.1, 86_400), "Seconds after which a lost permit is free again.", 30
    ),
}

TOP: Final = {
    "algorithm": Key(
        _ALGORITHM, "How quotas are counted. Chosen by the quota unless given.", "token_bucket"
    ),
    "store": Key(
        _STORE,
        "Where quotas are counted: a server, or a zone of this host. In this process unless given.",
        "redis://localhost:6379/0",
    ),
    "prefix": Key(Text(), "What keys in the store begin with.", "myapp"),
    "on_error": Key(_ON_ERROR, "Who decides when the store does not answer."),
    "timeout": Key(Number(0.001, 60), "Seconds for which the store may take for a decision.", 0.25),
    "workers": Key(
        Whole(1, 1_000_000), "Among how many processes a quota is shared without the store.", 4
    ),
    "remember": Key(Flag(), "Whether refused keys are remembered in this process."),
    "max_keys": Key(Whole(1, 2**32 - 1), "Most keys that are held in memory.", 1_000_000),
    "overflow": Key(Text(*get_args(Overflow)), "What decides beyond max_keys."),
    "default_tier": Key(Text(), "The tier of clients for whom nobody names one.", "free"),
    "unknown_tier": Key(Text("default", "error"), "What stands for a tier that is not known."),
    "exempt": Key(
        Either(_FUNCTION, Listed(_PATH, "a list of paths", "/health")),
        "Paths that are not limited; or a function of the request.",
        ["/health", "/static/*"],
    ),
    "exempt_preflight": Key(Flag(), "Leave out the OPTIONS by which a browser asks."),
    "shadow": Key(Flag(), "Decide and count, but refuse nobody."),
    "headers": Key(_HEADERS, "Which sets of header fields are sent.", ["ietf"]),
    "closed_status": Key(Whole(400, 599), "The status of refusals that nobody decided.", 503),
    "concurrency": Key(Either(Whole(1, 2**32 - 1), _QUOTA), "Most requests of one key at once.", 5),
    "messages": Key(_QUOTA, "The quota of each WebSocket's incoming messages.", "10/second"),
    "cors": Key(
        Either(Text(), _TEXTS),
        "The origins whose scripts may read a refusal.",
        ["https://app.example.com"],
    ),
    "refusal": Key(_REFUSAL, "What a refused request is sent."),
    "name": Key(Text(), "The policy's name in metrics.", "api"),
    "secret": Key(
        Text(), "What keys from headers are hashed with: long and random.", "${RATE_LIMIT_SECRET}"
    ),
    "metrics": Key(Flag(), "Count for Prometheus."),
    "tier_ttl": Key(Number(0, 1e6), "Seconds for which an answer of the function tiers holds.", 60),
    "tier": Key(_FUNCTION, "Gives the name of a request's tier.", "myapp.limits:tier_of"),
    "cost": Key(_FUNCTION, "Gives what a request costs.", "myapp.limits:cost_of"),
    "endpoint": Key(
        _FUNCTION, "Gives what a request is for, in metrics.", "myapp.limits:endpoint_of"
    ),
    "tiers": Key(
        Either(
            _FUNCTION,
            Table(_QUOTA, "a table of quotas by the tiers' names", "100/minute", leave=True),
        ),
        "The quota of each tier, or a function of its name. The first is the default.",
    ),
    "keys": Key(
        Either(
            Table(_FUNCTION, "a table of functions by name", "myapp.limits:org_of", leave=True),
            Listed(Text(), "a list of names that are given in code"),
        ),
        "More to count by: functions of the request by name; or names that are given in code.",
        ["org"],
    ),
}
