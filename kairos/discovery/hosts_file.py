"""The names that the system knows by itself: those of its hosts file, and localhost (RFC 6761 section 6.3)."""

from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

HOSTS_FILE = Path("/etc/hosts")
Addresses = dict[int, tuple[str, ...]]
"""Addresses by IP version."""

LOOPBACK: Addresses = {4: ("127.0.0.1",), 6: ("::1",)}


class HostsFile:
    """Look names up in the hosts file, which is read again when it has changed."""

    __slots__ = ("_names", "_path", "_seen")

    def __init__(self, path: Path = HOSTS_FILE) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._names: dict[str, Addresses] = {}

    def addresses(self, host: str) -> Addresses:
        """Return the addresses of a name in lower case; none if it is not there."""
        self._read()
        if (found := self._names.get(host)) is not None:
            return found
        return LOOPBACK if host == "localhost" or host.endswith(".localhost") else {}

    def _read(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            self._names = parsed(self._path.read_text(encoding="utf-8", errors="replace"))
            self._seen = seen
        except OSError:
            self._names, self._seen = {}, None


def parsed(text: str) -> dict[str, Addresses]:
    """Return the addresses of each name in a hosts file (hosts(5))."""
    names: dict[str, Addresses] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        with suppress(ValueError):  # a line without an address is not for us
            address = ip_address(words[0]) if words else None
            for name in words[1:] if address is not None else ():
                of_name = names.setdefault(name.lower().removesuffix("."), {})
                version = address.version  # type: ignore[union-attr]
                of_name[version] = (*of_name.get(version, ()), str(address))
    return names
