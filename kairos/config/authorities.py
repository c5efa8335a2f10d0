"""The files with certificate authorities that a config names."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from kairos.config.environment import read_file
from kairos.config.findings import Draft
from kairos.config.source import reason
from kairos.config.validate import Validated, in_router

MAX_CA_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Authority:
    """A usable file: where it is, and the SHA-256 of its content."""

    path: str
    digest: str


@dataclass(slots=True)
class Authorities:
    """Reads each file once, so that what was checked is what is told to the workers. Relative names start in `folder`.

    The path is not resolved: a link may lead to another file the next time.
    """

    folder: Path
    found: dict[str, Authority | ValueError] = field(default_factory=dict)

    def of(self, name: str) -> Authority:
        """Return what is known of a file. Raises ValueError with the reason why it is unusable."""
        if name not in self.found:
            self.found[name] = self.look(name)
        found = self.found[name]
        if isinstance(found, ValueError):
            raise found
        return found

    def look(self, name: str) -> Authority | ValueError:
        """Read a file and see whether OpenSSL takes what is in it."""
        path = (self.folder / name).absolute()
        try:
            data = read_file(path, MAX_CA_BYTES)
        except (OSError, ValueError) as exc:
            return ValueError(f"Cannot read CA file '{path}': {reason(exc)}")
        text = data.decode("ascii", errors="ignore")  # comments may have other letters
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError):  # ValueError if there is nothing at all
            return ValueError(f"Cannot use CA file '{path}': it holds no certificates that can be read")
        return Authority(str(path), sha256(data).hexdigest())


def unusable_authorities(validated: Validated, authorities: Authorities) -> Iterator[Draft]:
    """Report the files that no backend's certificate can be checked with."""
    for path, router in validated.routers():
        for index, backend in enumerate(router.backends or ()):
            if backend.tls is None or backend.tls.ca_file is None:
                continue
            place = (*path, "backends", index, "tls", "ca_file")
            try:
                authorities.of(backend.tls.ca_file)
            except ValueError as exc:
                fix = "give the path of a readable file with certificates as PEM, relative to the config file"
                yield Draft("error", place, in_router(place, str(exc)), fix)
