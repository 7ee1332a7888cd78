"""Configurations of nginx, and the policies that are imported from them."""

from __future__ import annotations

from pathlib import Path

from sluicegate.importers.document import Document, Entry
from sluicegate.importers.nginx.reading import read_nginx

#: What the table's configurations share.
ZONES = """
limit_req_zone $binary_remote_addr zone=ip:1m rate=10r/s;
limit_req_zone $binary_remote_addr zone=slow:1m rate=30r/m;
limit_conn_zone $binary_remote_addr zone=conn:1m;
limit_req_status 429;
limit_conn_status 429;
"""


def write(folder: Path, http: str, **files: str) -> Path:
    """An ``nginx.conf`` with this in its http block, and other files beside it (``a_conf``: a.conf)."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    path = folder / "nginx.conf"
    path.write_text(f"events {{}}\nhttp {{\n{http}\n}}\n")
    return path


def imported(folder: Path, http: str, **files: str) -> Document:
    return read_nginx(str(write(folder, http, **files)))


def rules(document: Document) -> list[str]:
    """Each rule on a line: ``/api/* 10/second burst 21 by address as ip, group ip``."""
    return [*map(rule, document.rules)]


def rule(entry: Entry) -> str:
    values = dict(entry.values)
    match = values.pop("match")
    if values.pop("exempt", False):
        return " ".join([str(match), "no more", *map(str, values)])
    by = values.pop("by")
    by = by if isinstance(by, str) else "+".join(by)  # type: ignore[arg-type]
    text = f"{match} {values.pop('quota')} by {by} as {values.pop('name')}"
    return ", ".join([text, *(f"{key} {value}" for key, value in values.items())])


def differences(document: Document) -> list[str]:
    """What has no equivalent; zones that are not used are left out."""
    return [each.what for each in document.unmatched if "nothing is counted" not in each.effect]
