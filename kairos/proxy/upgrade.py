"""The way of a request that asks to change protocols: what it offers, and what becomes of it when a backend agrees."""

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from kairos.config.policies import WebSocket
from kairos.errors import KairosError, MethodNotAllowed, Overloaded
from kairos.filters import Asked, LocalReply
from kairos.protocols.http1.head import ResponseHead
from kairos.protocols.http1.serialize import switching_head
from kairos.protocols.websocket import handshake
from kairos.protocols.websocket.handshake import WEBSOCKET, Agreement, Offer, UpgradeRequired
from kairos.proxy.answer import sticky_line
from kairos.proxy.replies import NOSNIFF_AND_ID
from kairos.proxy.tunnel import Tunnel
from kairos.security.refusals import Forbidden

if TYPE_CHECKING:
    from kairos.proxy.exchange import Exchange
    from kairos.proxy.plane import DataPlane
    from kairos.proxy.tunnels import Group
    from kairos.proxy.upstream import Upstream
    from kairos.security.cors import CorsPolicy

JITTER = 0.1  # of the life of a connection


class Draining(KairosError):
    """The gateway is about to end, and opens nothing that would have to be broken off."""

    kind = "draining"
    status = 503


class Upgrades:
    """The last filter of a route whose requests may change protocols."""

    def __init__(
        self,
        plane: "DataPlane",
        group: "Group",
        settings: WebSocket,
        cors: "CorsPolicy | None",
        *,
        only_websocket: bool,
    ) -> None:
        self.group = group
        self._plane = plane
        self._settings = settings
        self._cors = cors
        self._only_websocket = only_websocket

    def look(self, asked: Asked) -> LocalReply | None:
        """Return the refusal of a handshake that is not as it should be."""
        try:
            self._judge(asked)
        except KairosError as error:
            return _refusal(error)
        return None

    def take(self, asked: Asked) -> LocalReply | None:
        """Do the same, or count the connection and make the offer to the backend."""
        try:
            offer = self._judge(asked)
            if offer is None:
                return None
            self._enter()
        except KairosError as error:
            return _refusal(error)
        exchange = cast("Exchange", asked)
        exchange.upgrade = Upgrade(offer, self.group, self._settings)
        exchange.request_lines += offer.lines
        return None

    def _judge(self, asked: Asked) -> Offer | None:
        """Return what a request offers, None for a plain one; raises KairosError."""
        head = asked.head
        if self._only_websocket and head.method != b"GET":
            raise MethodNotAllowed("A WebSocket is opened with GET", "GET")
        offer = handshake.offer_of(head)
        if self._only_websocket:
            if offer is None or not offer.has_websocket:
                raise UpgradeRequired("No WebSocket Upgrade header found", reason="websocket_expected")
            offer = replace(offer, protocols=(WEBSOCKET,))
        if offer is not None and offer.has_websocket:
            handshake.check_request(head, offer)
            if self._cors is not None and not self._cors.admits(head):  # browsers leave that to the server
                raise Forbidden("Pages of this origin may not open a WebSocket here", reason="origin_not_allowed")
        return offer

    def _enter(self) -> None:
        most = self._settings.connections
        if self._plane.is_draining:
            raise Draining("The gateway is shutting down; connect again")
        if not self.group.enter(most):
            raise Overloaded(most, setting="websocket.max_connections", reason="too_many_websockets")


@dataclass(slots=True)
class Upgrade:
    """An offer on its way. Its connection is counted until the exchange ends, or a tunnel begins."""

    offer: Offer
    group: "Group"
    settings: WebSocket
    is_counted: bool = True
    agreement: Agreement | None = None
    head: ResponseHead | None = None

    def agree(self, head: ResponseHead, exchange: "Exchange") -> None:
        """Take the 101 of a backend; raises UpstreamError if it is not an answer to the offer."""
        self.agreement, self.head = handshake.agreement(self.offer, head), head
        if not exchange.request_done:
            raise handshake.not_agreed("the backend changed protocols before it had the whole request")

    def switch(self, exchange: "Exchange", upstream: "Upstream", rest: bytes) -> None:
        """End the exchange, and let a tunnel have its connections; `rest` has come with the 101."""
        agreement = cast("Agreement", self.agreement)
        plane, downstream = exchange.downstream.plane, exchange.downstream
        self.is_counted = False  # the tunnel does that
        pool = exchange.switched(_head_for_client(exchange, cast("ResponseHead", self.head), agreement.lines))
        tunnel = Tunnel(plane, self.group, self.settings, pool, agreement)
        life = self.settings.lifetime * random.uniform(1 - JITTER, 1)  # noqa: S311
        backend = (upstream.hand_over(), rest)
        tunnel.begin(downstream.hand_over(), backend, is_counted=upstream.is_counted, life=life)

    def end(self) -> None:
        """Count the connection no more, unless a tunnel does."""
        if self.is_counted:
            self.is_counted = False
            self.group.leave()


def _head_for_client(exchange: "Exchange", head: ResponseHead, lines: bytes) -> bytes:
    """Return the 101 as the client gets it; `lines` say what the protocol changes to."""
    route = exchange.route
    if route.response_change is not None:
        head = ResponseHead(route.response_change.apply(head.raw, exchange.head), to_head=False)
    if route.sticky is not None:
        lines += sticky_line(exchange)
    own = (lines, NOSNIFF_AND_ID, exchange.request_id, b"\r\n", exchange.snapshot.via, exchange.lines, b"\r\n")
    return switching_head(head, own, route.copies)


def _refusal(error: KairosError) -> LocalReply:
    lines = b""
    if isinstance(error, UpgradeRequired):
        lines = handshake.UPGRADE_LINES + handshake.VERSION_LINE
    return LocalReply(error.status, error=error, lines=lines)
