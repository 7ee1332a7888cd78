"""Which limits a request has: imported policies against a slow model of nginx's own search."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import assume, event, given
from hypothesis import strategies as st

from imported_rules import ImportedRules
from nginx_configs import ZONES, imported, write
from nginx_search import applied_at, applied_by, applied_of, blocks_of, same, server_of
from nginx_strategies import HOSTS, limits, paths, servers
from sluicegate.importers.nginx.parsing import parse
from sluicegate.importers.origins import ImportFileError


@given(servers(), limits, st.sampled_from(HOSTS), st.lists(paths, min_size=1, max_size=8))
def test_a_request_has_the_limits_that_it_has_in_nginx(
    text: str, outer: str, host: str, requests: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            document = imported(Path(folder), ZONES + outer + text)
        except ImportFileError as error:
            assert "nothing is limited" in str(error)
            event("nothing is limited")
            assume(False)
        tree = parse(str(write(Path(folder), ZONES + outer + text)))
    at_work = ImportedRules(document)
    http = tree.all("http")[0]
    server = server_of(http, host)
    for path in requests:
        wanted = applied_at(http, blocks_of(server, path))
        other = path[:-1] if path.endswith("/") and path != "/" else f"{path}/"
        if not same(wanted, applied_at(http, blocks_of(server, other))):
            event("a slash at the end makes a difference, and is told of")
            continue
        event(f"{len(wanted)} limits")
        found = applied_by(document, host, path)
        assert applied_of(at_work.applying(host, path)) == found
        assert same(found, wanted), (path, found, wanted, [dict(r.values) for r in document.rules])
