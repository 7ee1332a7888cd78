"""Three limiters, one story: steady traffic, a 10x spike, bursts around a window's boundary.

A real FastAPI app behind ``RateLimitMiddleware`` runs on uvicorn, and real HTTP requests
are sent to it. Prints a table, writes a picture, ends by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from _demo_load import Outcome, run_load
from _demo_overhead import measure
from _demo_picture import draw
from _demo_report import (
    Live,
    by_phase,
    complaints,
    how_measured,
    introduction,
    lateness,
    results,
    what_to_see,
)
from _demo_story import Story, contestants
from rich.console import Console

HERE = Path(__file__).resolve().parent
LONG = Story(limit=100, window=4.0)
QUICK = Story(limit=20, window=1.0)
STOP_WITHIN = 5.0


@contextmanager
def serving(story: Story) -> Generator[tuple[int, int], None, None]:
    """Run the server in a process of its own, and always stop it; gives its port and its id."""
    command = [sys.executable, str(HERE / "_demo_server.py"), str(story.limit), str(story.window)]
    # A session of its own: Ctrl-C reaches us alone, and we stop the server.
    server = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start, exit code {server.wait()}")
        yield int(line), server.pid
    finally:
        server.stdin.close()
        try:
            server.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()


@contextmanager
def noting_interrupts() -> Generator[Callable[[], bool], None, None]:
    """Give a function that tells of a Ctrl-C, which is raised only on the way out.

    Raised at once, it could land anywhere in asyncio's own code, which then complains.
    """
    noted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: noted.set())
    try:
        yield noted.is_set
    finally:
        signal.signal(signal.SIGINT, before)
    if noted.is_set():
        raise KeyboardInterrupt


def run(story: Story, out: Path, rounds: int) -> int:
    """The whole demo; the process's exit code."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    outcomes = [Outcome(contestant) for contestant in contestants(story)]
    console.print(introduction(story, outcomes))
    live = Live(console, story, outcomes)
    with serving(story) as (port, pid):
        console.print(f"Server: http://127.0.0.1:{port}, process {pid}")
        with noting_interrupts() as stopped, live.shown():
            asyncio.run(run_load(port, story, outcomes, live.every, live, stopped))
    console.print("Measuring what the middleware adds to a request ...")
    with noting_interrupts() as stopped:
        overhead = measure([o.contestant for o in outcomes], rounds, 100, stopped)
    picture = out / "arrivals.png"
    draw(story, outcomes, picture)
    for part in (results(story, outcomes, overhead), by_phase(story, outcomes)):
        console.print()
        console.print(part)
    for text in (what_to_see(story, outcomes), how_measured(overhead), lateness(outcomes)):
        console.print()
        console.print(text)
    console.print(f"\nPicture: {picture}", soft_wrap=True)
    wrong = complaints(story, outcomes)
    for complaint in wrong:
        print(f"demo: {complaint}", file=sys.stderr)
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="demo.py")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds instead of half a minute"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=HERE.parent / "demo-output",
        metavar="DIR",
        help="where the picture goes (default: demo-output in the project's folder)",
    )
    arguments = parser.parse_args()
    story, rounds = (QUICK, 5) if arguments.quick else (LONG, 40)
    try:
        return run(story, arguments.out, rounds)
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
