"""What jitter is good for, simulated: how many retries collide with and without it.

Agents are refused at the same moment and retry after 1, 2, 4, … seconds. The service has room
for one request at a time; a retry that comes while another is served collides, and is refused.

    python examples/retry_simulation.py [--agents 20] [--service-ms 10] [--picture FILE]

Needs matplotlib for the picture. The same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from pathlib import Path

from sluicegate.retry import Backoff

JITTERS = (0.0, 0.05, 0.2, 0.5)
ATTEMPTS = 8


@dataclass
class Outcome:
    """What came of one kind of backoff, summed up over all runs."""

    retries: list[float] = field(default_factory=list[float])
    collided: int = 0
    served: int = 0
    last_served: float = 0.0

    @property
    def colliding(self) -> float:
        """Share of the retries that met another."""
        return self.collided / len(self.retries)


def simulate(backoff: Backoff, agents: int, service: float, outcome: Outcome) -> None:
    """One run: ``agents`` come at 0 s, and each retries until it is served or gives up."""
    arrivals = [(0.0, agent, 0) for agent in range(agents)]
    heapify(arrivals)
    free_at = 0.0
    while arrivals:
        now, agent, retry = heappop(arrivals)
        busy = now < free_at
        if retry > 0:
            outcome.retries.append(now)
            outcome.collided += busy
        if not busy:
            free_at = now + service
            outcome.served += 1
            outcome.last_served = max(outcome.last_served, now)
        elif retry + 1 < ATTEMPTS:
            heappush(arrivals, (now + backoff.seconds(retry + 1), agent, retry + 1))


def simulations(agents: int, service: float, runs: int, seed: int) -> dict[float, Outcome]:
    """For each jitter what came of it."""
    outcomes: dict[float, Outcome] = {}
    for jitter in JITTERS:
        outcome = outcomes[jitter] = Outcome()
        backoff = Backoff(jitter=jitter, random=random.Random(seed).random)
        for _ in range(runs):
            simulate(backoff, agents, service, outcome)
    return outcomes


def table(outcomes: dict[float, Outcome], agents: int, runs: int) -> str:
    """The figures, a line for each jitter."""
    plain = outcomes[0.0].colliding
    lines = [
        f"{'jitter':>8} {'retries an agent':>17} {'colliding':>10} {'fewer by':>9} {'gave up':>8}"
    ]
    for jitter, outcome in outcomes.items():
        asked = agents * runs
        lines.append(
            f"{f'±{jitter:.0%}':>8} {len(outcome.retries) / asked:>17.1f}"
            f" {outcome.colliding:>10.0%} {1 - outcome.colliding / plain:>9.0%}"
            f" {1 - outcome.served / asked:>8.0%}"
        )
    return "\n".join(lines)


def draw(outcomes: dict[float, Outcome], file: Path) -> None:
    """When the retries come, without jitter above and with ±20 % below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    rows = figure.subplots(2, sharex=True)
    for row, jitter, colour in zip(rows, (0.0, 0.2), ("#E69F00", "#0072B2"), strict=True):
        times = [time for time in outcomes[jitter].retries if time < 20]
        row.hist(times, bins=400, range=(0, 20), color=colour)
        row.set_title(f"±{jitter:.0%}: {outcomes[jitter].colliding:.0%} of the retries collide")
        row.set_ylabel("retries in 50 ms")
    rows[-1].set_xticks(range(21))
    rows[-1].set_xlabel("seconds after everybody was refused")
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--agents", type=int, default=20, choices=range(2, 1001), metavar="2..1000")
    parser.add_argument(
        "--service-ms", type=int, default=10, choices=range(1, 1001), metavar="1..1000"
    )
    parser.add_argument(
        "--runs", type=int, default=200, choices=range(1, 10_001), metavar="1..10000"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    outcomes = simulations(options.agents, options.service_ms / 1000, options.runs, options.seed)
    print(
        f"{options.agents} agents refused together, one request of {options.service_ms} ms"
        f" at a time, {options.runs} runs:\n"
    )
    print(table(outcomes, options.agents, options.runs))
    if options.picture:
        draw(outcomes, options.picture)
        print(f"\nPicture: {options.picture}")


if __name__ == "__main__":
    main()
