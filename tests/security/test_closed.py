"""What protects fails closed."""

from kairos.errors import Side
from kairos.protocols.http1.head import RequestHead
from kairos.security.closed import AuthenticationClosed, ProtocolClosed

REQUEST = RequestHead(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n")


def test_a_route_with_authentication_lets_nobody_through() -> None:
    reply = AuthenticationClosed().look(REQUEST)

    assert reply.status == 401
    assert reply.error is not None
    assert (reply.error.kind, reply.error.reason) == ("authentication_error", "auth_not_active")
    assert reply.error.side is Side.DOWNSTREAM


def test_a_route_with_a_protocol_that_is_not_served_says_so() -> None:
    reply = ProtocolClosed("ftp").look(REQUEST)

    assert reply.status == 501
    assert reply.error is not None
    assert (reply.error.kind, reply.error.reason) == ("not_active", "not_active")
    assert "'ftp'" in reply.error.message
