"""Look into the certificates and keys that listeners name, so that a gateway does not find out when it starts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from kairos.config import listeners, server_certificates
from kairos.config.findings import Draft, JsonPath
from kairos.config.listening import ListenerTls
from kairos.config.model.listeners import Tls
from kairos.config.server_certificates import Unusable
from kairos.config.validate import Validated

FIXES = {
    "cert_file": "give a readable file with the certificate as PEM, followed by those in between",
    "key_file": "give a readable file with the private key of the certificate as PEM, without a password",
    "client_ca": "give a readable file with the certificates of authorities as PEM",
    "ciphers": "write names as `openssl ciphers -v -tls1_2` shows them",
}


def unusable_listener_files(validated: Validated, folder: Path) -> Iterator[Draft]:
    """Report files that a listener cannot use, and certificates that have expired or do so soon."""
    if validated.config is None:
        return
    server = validated.config.server
    if server.tls is not None:
        yield from _problems(server.tls, listeners.tls(server.tls, folder), ("server", "tls"))
    for index, block in enumerate(server.listeners):
        path: JsonPath = ("server", "listeners", index)
        if block.tls is not None and path not in validated.broken:
            yield from _problems(block.tls, listeners.tls(block.tls, folder), (*path, "tls"))


def _problems(block: Tls, tls: ListenerTls, path: JsonPath) -> Iterator[Draft]:
    own = len(tls.certificates) - len(block.certificates)
    now = datetime.now(UTC)
    for index, certificate in enumerate(tls.certificates):
        place = path if index < own else (*path, "certificates", index - own)
        try:
            found = server_certificates.read_pair(certificate)
        except Unusable as error:
            yield _draft(place, error)
            continue
        if not found.pair.hosts and index:
            message = "Nobody gets this certificate: there is no name in it"
            yield Draft("warning", (*place, "cert_file"), message, 'list its names in "hosts"')
        warning = found.age_warning(now)
        if warning is not None:
            yield Draft("warning", (*place, "cert_file"), warning, "renew it")
    for check in (server_certificates.read_authorities, server_certificates.check_ciphers):
        try:
            check(tls)
        except Unusable as error:
            yield _draft(path, error)


def _draft(path: JsonPath, error: Unusable) -> Draft:
    return Draft("error", (*path, error.setting), str(error), FIXES[error.setting])
