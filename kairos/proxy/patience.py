"""How long tunnels wait: for bytes, for the answer to a Ping, for who reads too slowly; and until when they live."""

from typing import TYPE_CHECKING

from kairos.proxy.ticker import NEVER

if TYPE_CHECKING:
    from kairos.config.policies import WebSocket
    from kairos.proxy.end import End
    from kairos.proxy.tunnel import Tunnel

HALF_CLOSED_SECONDS = 60.0  # a WebSocket whose one side has ended without a Close, while the other one is silent


def is_over(tunnel: "Tunnel", now: float) -> bool:
    """Say whether it is time to end the tunnel in an orderly way."""
    return now >= min(tunnel.ends_at, tunnel.leaves_at, _idle_until(tunnel), *_unanswered_until(tunnel))


def is_stuck(tunnel: "Tunnel", now: float) -> bool:
    """Say whether one side has stopped reading what waits for it, or sends no more while the other one is silent."""
    stall = tunnel.settings.stall
    for end in (tunnel.client, tunnel.backend):
        if stall and end.is_full and not end.has_progressed(now) and now - end.full_since >= stall:
            return True
    return now >= _half_closed_until(tunnel)


def is_silent(end: "End", settings: "WebSocket", now: float) -> bool:
    """Say whether it is time to ask a side whether it lives."""
    return now >= _ask_at(end, settings)


def next_look(tunnel: "Tunnel") -> float:
    """Return when to look again, if nothing happens until then."""
    settings, ends = tunnel.settings, (tunnel.client, tunnel.backend)
    moments = [tunnel.ends_at, tunnel.leaves_at, _idle_until(tunnel), _half_closed_until(tunnel)]
    moments += [end.full_since + settings.stall for end in ends if end.is_full and settings.stall]
    if tunnel.is_websocket and settings.ping:
        moments += [*_unanswered_until(tunnel), *(_ask_at(end, settings) for end in ends)]
    return min(moments)


def _idle_until(tunnel: "Tunnel") -> float:
    idle = tunnel.settings.idle
    return max(tunnel.client.moved_at, tunnel.backend.moved_at) + idle if idle else NEVER


def _half_closed_until(tunnel: "Tunnel") -> float:
    for end in (tunnel.client, tunnel.backend):
        if tunnel.is_websocket and end.has_ended:
            return max(end.moved_at, end.peer.moved_at) + HALF_CLOSED_SECONDS
    return NEVER


def _unanswered_until(tunnel: "Tunnel") -> list[float]:
    """Return for each Ping of ours that nothing has followed when it is too late for an answer.

    Who is not read from, because its peer is slow, cannot answer.
    """
    ends = (tunnel.client, tunnel.backend)
    return [
        end.pinged_at + tunnel.settings.pong
        for end in ends
        if end.pinged_at > max(end.moved_at, end.heard_at) and not end.peer.is_full
    ]


def _ask_at(end: "End", settings: "WebSocket") -> float:
    heard_at = max(end.moved_at, end.heard_at)
    return NEVER if end.pinged_at > heard_at or end.peer.is_full else heard_at + settings.ping
