"""Connections that have changed from HTTP to WebSocket, or to another protocol."""

from typing import Annotated

from pydantic import Field

from kairos.config.model.base import Block, Unsigned32
from kairos.config.model.timeouts import Seconds

Size = Annotated[int, Field(ge=125, le=2**62)]
"""At least that of the longest control frame (RFC 6455 section 5.5)."""


class WebSocket(Block):
    """How long connections of WebSockets and of other upgrades live, and how much they carry. 0 is without end."""

    max_connections: Unsigned32 = 0
    """How many of the route may be open at a time, over all workers; 0 is any number. More get a 503."""
    max_frame_bytes: Size = 16 << 20
    """The payload of a frame, in both directions; both sides get a Close with code 1009 before a larger one."""
    max_message_bytes: Size = 64 << 20
    """The frames of a message together. What `permessage-deflate` has compressed counts as it is sent."""
    idle_timeout_seconds: Seconds = 0.0
    """How long nothing may be sent by either side; then both get a Close with code 1001."""
    max_lifetime_seconds: Seconds = 0.0
    """The age at which both sides get a Close with code 1001; drawn from the last tenth before it, so that those opened
    together do not end together."""
    ping_interval_seconds: Seconds = 0.0
    """How long a side may be silent before the gateway sends it a Ping. The answers are not passed on, and do not count
    against `idle_timeout_seconds`."""
    pong_timeout_seconds: Annotated[float, Field(gt=0)] = 20.0
    """How long the answer may take; then both sides get a Close with code 1001."""
    close_after_removal_seconds: Seconds | None = None
    """How long connections live on after a reload that has removed their route; null: as long as they like."""
