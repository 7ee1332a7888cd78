"""Certificates for servers of the loopback, made when they are needed."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from redis_wire import HOST


class Certificates:
    """A certification authority of our own and a certificate for 127.0.0.1, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert(HOST, "localhost")
        self.ca_file = folder / "ca.pem"
        self.certificate_file = folder / "certificate.pem"
        self.key_file = folder / "key.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        issued.private_key_pem.write_to_path(str(self.key_file))
        for part in issued.cert_chain_pems:
            part.write_to_path(str(self.certificate_file), append=True)

    def server_context(self) -> ssl.SSLContext:
        """TLS as a server speaks it with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context
