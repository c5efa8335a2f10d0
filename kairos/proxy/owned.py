"""Connections to a backend that belong to one client connection each: a PROXY header at their start has named it."""

from typing import TYPE_CHECKING, cast

from kairos.protocols.proxy_protocol import LOCAL_V2, Endpoint, encode_v1, encode_v2

if TYPE_CHECKING:
    from kairos.proxy.downstream import Downstream
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.upstream import Upstream

_ENCODE = {"v1": encode_v1, "v2": encode_v2}
OF_OUR_OWN = {"v1": encode_v1(None, None), "v2": LOCAL_V2}
"""The headers of connections that serve no client, such as health checks, by version."""


class Owned:
    """Keep idle connections for those whom they name: the backend takes every request on them for that client's.

    How it works: a client connection has one exchange at a time, and so at most one of them. It ends with its owner.
    """

    __slots__ = ("_idle", "_version")

    def __init__(self, version: str) -> None:
        """`version` is that of the protocol, `v1` or `v2`."""
        self._version = version
        self._idle: dict[Downstream, Upstream] = {}

    def header(self, exchange: "Exchange") -> bytes:
        """Return the header that names the client of an exchange.

        A client for whom a trusted proxy speaks has no port that anybody knows, which is written as 0.
        """
        source, destination = exchange.downstream.ends()
        if source is None or source.host != exchange.client:
            source = Endpoint(exchange.client, 0) if exchange.client else None
        return _ENCODE[self._version](source, destination)

    def adopt(self, upstream: "Upstream", exchange: "Exchange", header: bytes) -> None:
        """Note whose a new connection is."""
        owner = exchange.downstream
        upstream.owner, upstream.header = owner, header
        if owner.owns is None:
            owner.owns = set()
        owner.owns.add(self)

    def take(self, exchange: "Exchange") -> "list[Upstream]":
        """Return the connection that may serve an exchange, if there is one."""
        upstream = self._idle.pop(exchange.downstream, None)
        if upstream is None:
            return []
        if upstream.header != self.header(exchange):  # the last request was for another client of the same proxy
            upstream.close()
            return []
        return [upstream]

    def keep(self, upstream: "Upstream") -> None:
        """Keep a connection that has become idle."""
        self._idle[cast("Downstream", upstream.owner)] = upstream

    def remove(self, upstream: "Upstream") -> None:
        """Forget a connection that has ended while it was idle."""
        owner = cast("Downstream", upstream.owner)
        if self._idle.get(owner) is upstream:
            del self._idle[owner]

    def left(self, owner: "Downstream") -> None:
        """Close what a client connection has left behind."""
        upstream = self._idle.pop(owner, None)
        if upstream is not None:
            upstream.close()

    def close(self) -> None:
        """Close all."""
        while self._idle:
            self._idle.popitem()[1].close()
