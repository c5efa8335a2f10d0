"""The part of the document that tells where the gateway listens, and how each listener treats its clients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain and its key, by absolute paths. It is for `hosts`; without any, for the names that stand in it."""

    cert_file: str
    key_file: str
    hosts: tuple[str, ...] = ()
    """Names, and `*.` before a name for all one label below it."""


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """How a listener speaks TLS. Paths are absolute."""

    certificates: tuple[Certificate, ...]
    """The first is for those who ask for no name, or for one that no certificate has."""
    min_version: str = "1.2"
    client_ca: str | None = None
    client_auth: str = "none"
    """Whether clients are asked for a certificate: `none`, `optional` or `required`."""
    ciphers: tuple[str, ...] = ()
    """For TLS 1.2, by OpenSSL's names and in order of preference; none is the usual choice."""

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON values."""
        certificates = tuple(Certificate(**{**one, "hosts": tuple(one["hosts"])}) for one in fields["certificates"])
        return cls(**{**fields, "certificates": certificates, "ciphers": tuple(fields["ciphers"])})


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener: at `host` and `port`, or at a Unix socket, or at what systemd has opened under a name."""

    host: str = "0.0.0.0"
    port: int = 5900
    unix: str | None = None
    """An absolute path."""
    mode: int = 0o660
    """The permissions of the Unix socket."""
    systemd: str | None = None
    tls: ListenerTls | None = None
    redirect: int | None = None
    """The port of HTTPS to which every request is sent; None serves requests here."""
    proxy_protocol: bool = False
    """Whether each connection begins with a PROXY header."""

    @property
    def place(self) -> tuple[str, int, str | None, int, str | None]:
        """Where it listens, which is fixed at the start of the gateway; the rest can change with a reload."""
        return (self.host, self.port, self.unix, self.mode, self.systemd)

    @property
    def is_tcp(self) -> bool:
        """Whether it has an address that the gateway binds itself."""
        return self.unix is None and self.systemd is None

    @classmethod
    def decode(cls, fields: dict[str, Any]) -> Self:
        """Make it from JSON values."""
        tls = fields["tls"]
        return cls(**{**fields, "tls": None if tls is None else ListenerTls.decode(tls)})


def moved(listeners: Sequence[Listener], host: str | None, port: int | None) -> tuple[Listener, ...]:
    """Return the listeners with the first where the command line wants it; None leaves host or port as it is."""
    first, *others = listeners
    if host is not None or port is not None:
        host, port = first.host if host is None else host, first.port if port is None else port
        first = replace(first, host=host, port=port, unix=None, systemd=None)
    return (first, *others)


def renewed(listeners: Sequence[Listener], news: Sequence[Listener]) -> list[Listener]:
    """Return listeners that run, each as a new config has the one at its place; as it is if there is none any more."""
    remaining = list(news)
    found: list[Listener] = []
    for listener in listeners:
        new = next((one for one in remaining if one.place == listener.place), None)
        if new is not None:
            remaining.remove(new)
        found.append(new or listener)
    return found
