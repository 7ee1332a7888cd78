"""The same traffic to nginx and to uvicorn with the imported policy: the same is refused, or held."""

from __future__ import annotations

from pathlib import Path

import pytest

from imported_app import answer
from imported_servers import uvicorn, written
from nginx_limits import Request
from nginx_runs import check_server, plan_of
from nginx_scenarios import SCENARIOS, Scenario
from nginx_servers import configured, free_port, needs_nginx, nginx
from nginx_traffic import sent
from servers import serving
from sluicegate.importers.nginx.reading import read_nginx

_REFUSED = 429


def run(scenario: Scenario, folder: Path, seed: int, groups: int, *, is_alone: bool) -> None:
    port = free_port()
    with serving(answer) as address:
        plan = plan_of(scenario, folder, port, address, seed, groups)
        policy = written(read_nginx(str(plan.path)), folder)
        check_server(plan, lambda: uvicorn(policy, port), port, _REFUSED, 2 if is_alone else 6)
        if not is_alone:
            check_server(plan, lambda: nginx(plan.path, port), port, scenario.refused)


def test_a_policy_does_what_the_model_of_nginx_says(tmp_path: Path) -> None:
    run(SCENARIOS["two at once, others held"], tmp_path, seed=2, groups=6, is_alone=True)


@needs_nginx
@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_nginx_and_uvicorn_do_the_same(name: str, tmp_path: Path) -> None:
    run(SCENARIOS[name], tmp_path, seed=3, groups=40, is_alone=False)


BOTH = """
limit_req_zone $binary_remote_addr zone=ip:1m rate=5r/s;
limit_conn_zone $binary_remote_addr zone=conn:1m;
limit_req_status 429; limit_conn_status 429;
server {
    listen 127.0.0.1:PORT;
    limit_conn conn 2;
    location / { limit_req zone=ip burst=5; proxy_pass http://APP; }
}
"""


@needs_nginx
@pytest.mark.long
def test_who_is_held_counts_as_connected_in_a_policy_alone(tmp_path: Path) -> None:
    port = free_port()
    with serving(answer) as address:
        http = BOTH.replace("PORT", str(port)).replace("APP", address)
        path = configured(tmp_path, http)
        document = read_nginx(str(path))
        (told,) = [each.effect for each in document.unmatched if each.what == "limit_conn conn 2"]
        assert "one that `limit_req zone=ip burst=5` holds is among those of limit_conn" in told
        policy = written(document, tmp_path)
        admitted: list[int] = []
        for server in (nginx(path, port), uvicorn(policy, port)):
            with server:
                answers = sent(port, [Request(0, 0)] * 6)
            admitted.append(sum(each.status == 200 for each in answers))
    assert admitted[0] == 6  # one by one
    assert admitted[1] in (2, 3)  # the first may be answered before the last has come
