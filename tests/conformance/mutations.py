"""Changes that turn a message of the corpus into one that nobody has thought of."""

from itertools import pairwise

from hypothesis import strategies as st

MOST = 2048  # bytes of a message that is changed

SNIPPETS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b"\x0b", b"\x7f", b"\xff", b":", b",", b";", b"\r\n\r\n", b"\n\n",
    b"\r\n ",
    b"Content-Length: 4\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
    b"Connection: close\r\n", b"Connection: Content-Length\r\n", b"Host: b\r\n", b"TE: trailers\r\n", b"Upgrade: x\r\n",
    b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"0\r\n", b"4\r\nbody\r\n", b"ffffffffffffffff", b"HTTP/1.1",
    b"HTTP/1.0",
    b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HEAD ", b"POST ", b"CONNECT ", b"OPTIONS * ", b"http://b", b"%00", b"/../", b"204 No Content",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, messages: list[bytes]) -> tuple[bytes, ...]:
    """Draw a changed message, cut into pieces."""
    data = draw(st.sampled_from(messages))
    for _ in range(draw(st.integers(0, 4))):
        data = _changed(draw, data, messages)
    data = data[: 2 * MOST]
    places = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=4)))
    edges = [0, *(at for at in places if at < len(data)), len(data)]
    pieces = (data[start:end] for start, end in pairwise(edges))
    return tuple(piece for piece in pieces if piece)


def _changed(draw: st.DrawFn, data: bytes, messages: list[bytes]) -> bytes:
    at = draw(st.integers(0, len(data)))
    end = min(at + draw(st.integers(1, 40)), len(data))
    match draw(st.sampled_from(("flip", "insert", "delete", "repeat", "splice", "bytes", "move"))):
        case "flip":
            flipped = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in data[at : at + 1])
            return data[:at] + flipped + data[at + 1 :]
        case "insert":
            return data[:at] + draw(st.sampled_from(SNIPPETS)) + data[at:]
        case "delete":
            return data[:at] + data[end:]
        case "repeat":
            return data[:end] + data[at:end] + data[end:]
        case "splice":
            other = draw(st.sampled_from(messages))
            return data[:at] + other[draw(st.integers(0, len(other))) :]
        case "bytes":
            return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[end:]
        case _:
            rest = data[:at] + data[end:]
            to = draw(st.integers(0, len(rest)))
            return rest[:to] + data[at:end] + rest[to:]
