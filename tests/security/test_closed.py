"""What protects fails closed."""

from typing import cast

from kairos.errors import Side
from kairos.filters import Asked
from kairos.security.closed import AuthenticationClosed, ProtocolClosed

ASKED = cast(Asked, None)  # nobody looks at what is asked


def test_a_route_with_authentication_lets_nobody_through() -> None:
    reply = AuthenticationClosed().take(ASKED)

    assert reply.status == 401
    assert reply.error is not None
    assert (reply.error.kind, reply.error.reason) == ("authentication_error", "auth_not_active")
    assert reply.error.side is Side.DOWNSTREAM


def test_a_route_with_a_protocol_that_is_not_served_says_so() -> None:
    reply = ProtocolClosed("ftp").take(ASKED)

    assert reply.status == 501
    assert reply.error is not None
    assert (reply.error.kind, reply.error.reason) == ("not_active", "not_active")
    assert "'ftp'" in reply.error.message
