"""A real nginx beside the model of it, and the imported policy beside both."""

from __future__ import annotations

import http.client as http_client
import itertools
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nginx_configs import ZONES
from nginx_policies import GatePolicy
from nginx_runs import check_same, check_server, plan_of
from nginx_scenarios import SCENARIOS, Scenario
from nginx_search import blocks_of, server_of
from nginx_servers import configured, free_port, needs_nginx, nginx
from nginx_strategies import HOSTS, paths, servers
from servers import serving
from sluicegate.importers.nginx.parsing import parse
from sluicegate.importers.nginx.reading import read_nginx


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Works for as long as the request says."""
    import asyncio

    hold = dict(scope["headers"]).get(b"x-hold", b"0")
    await asyncio.sleep(int(hold) / 1000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def run(scenario: Scenario, folder: Path, seed: int, groups: int = 40, tries: int = 6) -> None:
    port = free_port()
    with serving(app) as address:
        plan = plan_of(scenario, folder, port, address, seed, groups)
        # The policy decides so, by buckets of the core on a clock of their own.
        document = read_nginx(str(plan.path))
        if not any("concurrent" in str(rule.values.get("quota")) for rule in document.rules):
            check_same(GatePolicy(document).run(plan.requests), plan.outcomes)
        check_server(plan, lambda: nginx(plan.path, port), port, scenario.refused, tries)


@needs_nginx
def test_a_burst_in_nginx_and_in_the_policy(tmp_path: Path) -> None:
    run(SCENARIOS["two at once, others held"], tmp_path, seed=1, groups=12, tries=2)


@needs_nginx
@pytest.mark.long
@pytest.mark.parametrize("seed", range(1))
@pytest.mark.parametrize("name", SCENARIOS)
def test_nginx_and_the_policy(name: str, seed: int, tmp_path: Path) -> None:
    run(SCENARIOS[name], tmp_path, seed)


@needs_nginx
@settings(max_examples=12)
@given(servers(), st.sampled_from(HOSTS), st.lists(paths, min_size=1, max_size=8))
def test_the_model_finds_the_location_that_nginx_finds(
    text: str, host: str, requests: list[str]
) -> None:
    numbers = itertools.count(1)
    port = free_port()
    text = re.sub(r"location [^{]*{", lambda m: f"{m[0]} return 200 at{next(numbers)};", text)
    text = re.sub(r"limit_\w+ [^;]*;", "", text)  # which also apply where there is no location
    text = text.replace("server {", f"server {{ listen 127.0.0.1:{port};")
    with tempfile.TemporaryDirectory() as folder:
        path = configured(Path(folder), ZONES + text)
        http = parse(str(path)).all("http")[0]
        with nginx(path, port):
            for asked in requests:
                innermost = blocks_of(server_of(http, host), asked)[-1]
                returned = [each.args[1] for each in innermost.all("return")]
                connection = http_client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", asked, headers={"host": host})
                answer = connection.getresponse()
                body = answer.read().decode()
                connection.close()
                assert (answer.status, [body]) == (200, returned) or (answer.status, returned) == (
                    404,
                    [],
                )


ANSWERS = {
    "return 200 ok;": True,
    "internal; empty_gif;": True,
    "rewrite ^ http://a.test/;": True,
    "rewrite ^/(.*)$ /$1 permanent;": True,
    "rewrite ^ /x break; empty_gif;": False,
    "if ($arg_a) { return 200 ok; } empty_gif;": False,
    "deny all;": False,
    "empty_gif;": False,
}


@needs_nginx
def test_what_nginx_answers_before_it_looks_at_limits(tmp_path: Path) -> None:
    port = free_port()
    zones = "".join(
        f"limit_req_zone $server_name zone=z{n}:32k rate=1r/m;" for n in range(len(ANSWERS))
    )
    locations = "".join(
        f"location /l{n}/ {{ limit_req zone=z{n}; {text} }}" for n, text in enumerate(ANSWERS)
    )
    server = f"server {{ listen 127.0.0.1:{port}; server_name a; {locations} }}"
    path = configured(tmp_path, f"limit_req_status 429; {zones} {server}")
    limited = {str(rule.values["match"]) for rule in read_nginx(str(path)).rules}
    with nginx(path, port):
        for number, answers in enumerate(ANSWERS.values()):
            statuses: list[int] = []
            for _ in range(2):
                connection = http_client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", f"/l{number}/x")
                statuses.append(connection.getresponse().status)
                connection.close()
            assert (429 in statuses) != answers, (number, statuses)
            assert (f"/l{number}/*" in limited) != answers, number
