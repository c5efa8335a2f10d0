"""Certificates for tests that need files, and no more than that."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from kairos.cli.self_signed import self_signed


@cache
def pair(*hosts: str, days: int = 30) -> tuple[bytes, bytes]:
    """Return a certificate and its key, the same for the same arguments."""
    return self_signed(hosts or ("localhost",), datetime.now(UTC), days)


def write(folder: Path, *names: str, hosts: tuple[str, ...] = ()) -> None:
    """Write each name as a pair: `name.pem` with `name.key`."""
    certificate, key = pair(*hosts)
    for name in names:
        (folder / f"{name}.pem").write_bytes(certificate)
        (folder / f"{name}.key").write_bytes(key)
