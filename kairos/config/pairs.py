"""A certificate with its key, as it lies in memory, and how OpenSSL takes it from there."""

import os
import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """A chain and its key, as PEM, for `hosts`: names, and `*.` before a name for all one label below it."""

    hosts: tuple[str, ...]
    chain: bytes
    key: bytes


def load_into(context: ssl.SSLContext, pair: Pair) -> None:
    """Let a context show this certificate. Raises OSError, of which ssl.SSLError is one kind, or ValueError.

    OpenSSL takes nothing but paths. Those of files in memory cannot change between two looks.
    """
    chain, key = _file(pair.chain), _file(pair.key)
    try:
        context.load_cert_chain(_path(chain), _path(key), password=_no_password)
    finally:
        os.close(chain)
        os.close(key)


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal."""
    raise ValueError("the key is encrypted, and nobody is there to give the password")


def _file(data: bytes) -> int:
    fd = os.memfd_create("kairos-tls", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd


def _path(fd: int) -> str:
    return f"/proc/self/fd/{fd}"
