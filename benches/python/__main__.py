"""Run every benchmark; ``QUICK=1`` makes it short."""

from __future__ import annotations

import platform

from benches.python import core, gate, key_quotas, memory, metrics, middleware, rules, zone
from benches.python.harness import OUTPUT, say


def main() -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}")
    core.main()
    gate.main()
    key_quotas.main()
    zone.main()
    rules.main()
    middleware.main()
    metrics.main()
    memory.main()
    say(f"figures: {OUTPUT}")


if __name__ == "__main__":
    main()
