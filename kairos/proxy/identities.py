"""What a listener shows to clients that speak TLS: a certificate for each name, and whose certificates it takes.

How it works: every connection begins with one context, which is made before the workers are forked and lives as long as
they do. It holds what must stay: the keys of the session tickets, so that any worker resumes what another began, also
after a change of certificates. As soon as the client has said which name it wants, the connection goes on with the
context of that name. Those are made anew with each change and replaced all at once; a connection keeps its own.
"""

import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Protocol, Self

import orjson

from kairos._speedups import handle_of
from kairos.config.pairs import Pair, load_into
from kairos.proxy.openssl import prefer, take_turns

PROTOCOLS = ["http/1.1"]
# Of TLS 1.2, with forward secrecy and authenticated encryption.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# Of TLS 1.3. That with SHA-256 comes first: what its handshakes and records cost is much less where processors help.
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
# Many clients leave without close_notify. How messages end is told by HTTP, so that nothing can be cut off unseen.
_ENDS_MAY_BE_SILENT = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # of OpenSSL 3
# Who puts it first has no help from its processor for the others: see SSL_CTX_set_options(3).
_CHACHA_IF_FIRST = 1 << 21  # SSL_OP_PRIORITIZE_CHACHA
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

_log = logging.getLogger("kairos.tls")


@dataclass(frozen=True, slots=True, repr=False)
class TlsRules:
    """All that decides about the handshakes of one listener, with the content of its files."""

    pairs: tuple[Pair, ...]
    """The first is for those who ask for no name, or for one that no certificate has."""
    min_version: str = "1.2"
    ciphers: tuple[str, ...] = ()
    client_auth: str = "none"
    client_ca: bytes = b""

    def encode(self) -> bytes:
        """Return it as JSON, for another process."""
        pairs = [[pair.hosts, pair.chain.decode("latin-1"), pair.key.decode("latin-1")] for pair in self.pairs]
        ca = self.client_ca.decode("latin-1")
        return orjson.dumps([pairs, self.min_version, self.ciphers, self.client_auth, ca])

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` has written."""
        pairs, version, ciphers, client_auth, ca = orjson.loads(data)
        found = tuple(Pair(tuple(hosts), chain.encode("latin-1"), key.encode("latin-1")) for hosts, chain, key in pairs)
        return cls(found, version, tuple(ciphers), client_auth, ca.encode("latin-1"))


class Connecting(Protocol):
    """A handshake under way. It can be referred to weakly."""

    connection: Any
    server_name: str | None
    """The name that the client has asked for."""


class Identities:
    """The contexts of one listener, which shows nothing before it has rules."""

    __slots__ = ("_by_name", "_content", "_default", "_trust", "_wildcards", "client_auth", "context", "number")

    def __init__(self, number: int = 0) -> None:
        self.number = number  # of the listener, by which processes speak of it
        self.context = _context(self._choose)
        self.client_auth = "none"
        self._default: ssl.SSLContext | None = None
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._wildcards: dict[str, ssl.SSLContext] = {}  # by what follows the `*`
        self._content: dict[bytes, ssl.SSLContext] = {}  # by a digest of what was loaded into it
        self._trust: tuple[str, bytes] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether there is a certificate to show."""
        return self._default is not None

    def follow(self, rules: TlsRules) -> None:
        """Do as these rules say, from the next handshake on. Raises OSError or ValueError, and then nothing changes."""
        content: dict[bytes, ssl.SSLContext] = {}
        by_hosts: dict[tuple[str, ...], list[Pair]] = {}
        for pair in rules.pairs:
            by_hosts.setdefault(pair.hosts, []).append(pair)  # two kinds of keys for the same names
        names: dict[str, ssl.SSLContext] = {}
        for hosts, pairs in by_hosts.items():
            digest = _digest(rules, pairs)
            context = content[digest] = self._content.get(digest) or _context_of(rules, pairs)
            for host in hosts:
                names.setdefault(host, context)  # the first that is named
        base = self.context
        trust = (rules.client_auth, rules.client_ca)
        if self._trust is not None and self._trust != trust:
            base = _context(self._choose)  # a ticket from before is no proof of what is asked for now
        base.minimum_version = VERSIONS[rules.min_version]
        base.verify_mode = VERIFY[rules.client_auth]
        if rules.ciphers:
            base.options &= ~_CHACHA_IF_FIRST
        else:
            base.options |= _CHACHA_IF_FIRST
        self._trust, self.client_auth, self.context = trust, rules.client_auth, base
        self._by_name = names
        self._wildcards = {name[1:]: context for name, context in names.items() if name.startswith("*.")}
        self._content, self._default = content, next(iter(content.values()))

    def begin(self, sock: socket.socket, handshake: Connecting) -> tuple[Any, int]:
        """Return OpenSSL's connection on a socket, and its address, which is 0 if that cannot be had.

        It has the methods of ssl.SSLSocket, for which it works.
        Without that layer of Python, which asks the kernel for what we know, a handshake costs a twentieth less.
        """
        context = self.context
        connection = context._wrap_socket(sock, True, None, owner=handshake, session=None)  # type: ignore[attr-defined] # noqa: SLF001
        handle = handle_of(connection, context)
        if not take_turns(handle):
            _tell_that_reads_may_be_long()
        return connection, handle

    def of(self, name: str | None) -> ssl.SSLContext | None:
        """Return the context for a name that a client asks for."""
        if not name:
            return self._default
        name = name.lower()
        found = self._by_name.get(name)
        if found is None and self._wildcards:
            found = self._wildcards.get(name[name.find(".") :])
        return found or self._default

    def _choose(self, handshake: Any, name: str | None, _: ssl.SSLContext) -> None:
        handshake.server_name = name
        context = self.of(name)
        if context is not None:
            handshake.connection.context = context


@cache
def _tell_that_reads_may_be_long() -> None:
    _log.warning(
        "this Python does not let OpenSSL come back early: clients that only send new keys can hold a worker up"
    )


def _context(choose: Callable[[Any, Any, ssl.SSLContext], None] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_ECDH_USE | _ENDS_MAY_BE_SILENT
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(PROTOCOLS)
    context.num_tickets = 1  # per handshake; each one that it resumes brings another
    if choose is not None:
        prefer(context, SUITES)
        # As ssl.SSLContext does it, but for the IDNA that it would make of each name, which is ASCII already.
        plain: Any = super(ssl.SSLContext, ssl.SSLContext)
        plain.sni_callback.__set__(context, choose)
    return context


def _context_of(rules: TlsRules, pairs: Iterable[Pair]) -> ssl.SSLContext:
    context = _context()
    if rules.ciphers:
        context.set_ciphers(":".join(rules.ciphers))
    for pair in pairs:
        load_into(context, pair)
    if rules.client_ca:
        context.load_verify_locations(cadata=rules.client_ca.decode("ascii", "ignore"))
    context.verify_mode = VERIFY[rules.client_auth]
    return context


def _digest(rules: TlsRules, pairs: Iterable[Pair]) -> bytes:
    """Return what tells contexts apart, without keeping keys."""
    parts = [rules.client_auth.encode(), rules.client_ca, ":".join(rules.ciphers).encode()]
    for pair in pairs:
        parts += (pair.chain, pair.key)
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
