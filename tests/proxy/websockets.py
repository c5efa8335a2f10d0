"""A WebSocket between a client and a backend that the test plays."""

from kairos.config.policies import WebSocket
from kairos.protocols.websocket.handshake import accept_of
from tests.protocols.websocket.frames import MASK, Seen, frame, parse
from tests.proxy.world import Peer, Server, World

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: " + accept_of(KEY) + b"\r\n\r\n"
)
OTHER = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: foo/1\r\n\r\n"
OTHER_AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo/1\r\n\r\n"

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GOING_AWAY = Seen(CLOSE, b"\x03\xe9")


def with_lines(message: bytes, lines: bytes) -> bytes:
    """Add header lines to a message."""
    return message[:-2] + lines + b"\r\n"


def configure(world: World, *servers: Server, protocol: str = "websocket", **options: object) -> None:
    """Make `/chat` a route whose requests may change protocols; `options` are of its limits, or else of the route."""
    limits = {name: options.pop(name) for name in WebSocket.__slots__ if name in options}
    settings = WebSocket(**limits)  # type: ignore[arg-type]
    snapshot = world.configure(world.route("/chat", *servers, protocol=protocol, websocket=settings, **options))
    world.builder.groups.follow(snapshot.tunnels)


def client_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, bits: int = 0) -> bytes:
    """Write a frame as a client does."""
    return frame(opcode, payload, fin=fin, mask=MASK, bits=bits)


class Pair:
    """Both ends of an open tunnel: `client` and `backend`."""

    def __init__(self, world: World, server: Server, asks: bytes = HANDSHAKE, agrees: bytes = AGREED) -> None:
        self.client = world.client()
        self.client.sends(asks)
        self.backend: Peer = server.connection
        self.request = self.backend.receives()
        self.backend.sends(agrees)
        answer = self.client.receives()
        self.answer, _, rest = answer.partition(b"\r\n\r\n")
        self.early = rest
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def client_sees(self) -> list[Seen]:
        """Return the frames that the client has got."""
        return list(parse(self.client.receives()))

    def backend_sees(self) -> list[Seen]:
        """Return the frames that the backend has got."""
        return list(parse(self.backend.receives()))
