"""WebSocket (RFC 6455): the handshake, and where the frames of a stream begin and end."""
