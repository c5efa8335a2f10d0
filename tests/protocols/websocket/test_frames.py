"""What may be passed on of the frames of a WebSocket, however they arrive."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.protocols.websocket.frames import Frames
from tests.protocols.websocket.frames import MASK, frame

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frames(*, is_masked: bool = False, has_extensions: bool = False, frame: int = 1000, message: int = 2000) -> Frames:
    return Frames(is_masked=is_masked, has_extensions=has_extensions, most_frame=frame, most_message=message)


def feed(scanner: Frames, data: bytes, pieces: list[int]) -> bytes:
    """Feed data cut at these places; return what could be passed on."""
    passed, held, start = b"", b"", 0
    for end in [*pieces, len(data)]:
        held += data[start:end]
        size = scanner.scan(held)
        passed, held, start = passed + held[:size], held[size:], end
        if scanner.fault:
            break
    return passed


@dataclass
class Reader:
    """An endpoint that reads frame by frame, as the RFC tells it to."""

    is_masked: bool
    has_extensions: bool
    frame: int
    message: int
    passed: int = 0
    messages: int = 0
    fault: int = 0
    close_code: int = 0
    so_far: int | None = field(default=None)

    def read(self, data: bytes) -> None:
        while self.passed < len(data) and not self.fault:
            if not self.read_one(data[self.passed :]):
                return

    def read_one(self, data: bytes) -> bool:
        """Read a frame, or what there is of it; say whether more can be read."""
        if len(data) < 2:
            return False
        fin, bits, opcode = data[0] >= 128, data[0] >> 4 & 7, data[0] & 15
        if (data[1] >= 128) != self.is_masked or (bits and not self.has_extensions):
            return self.fail(1002)
        if opcode not in (0, 1, 2, 8, 9, 10):
            return self.fail(1002)
        size, at = data[1] % 128, 2
        if opcode >= 8 and (not fin or size > 125 or (opcode == 8 and size == 1)):
            return self.fail(1002)
        if opcode < 8 and (opcode == 0) != (self.so_far is not None):
            return self.fail(1002)
        if size >= 126:
            at = 4 if size == 126 else 10
        at += 4 if self.is_masked else 0
        if len(data) < at:
            return False
        if size >= 126:
            size = int.from_bytes(data[2:4] if size == 126 else data[2:10], "big")
        if opcode >= 8:
            return self.read_control(opcode, data, at, size)
        so_far = (self.so_far or 0) + size
        if size > self.frame or so_far > self.message:
            return self.fail(1009)
        self.so_far = None if fin else so_far
        self.messages += fin
        self.passed += min(at + size, len(data))
        return len(data) >= at + size

    def read_control(self, opcode: int, data: bytes, at: int, size: int) -> bool:
        if len(data) < at + size:
            return False
        if opcode == CLOSE and not self.close_code:
            code = data[at : at + 2]
            if self.is_masked:
                code = bytes(one ^ mask for one, mask in zip(code, data[2:4], strict=False))
            self.close_code = int.from_bytes(code, "big") if size else 1005
        self.passed += at + size
        return True

    def fail(self, code: int) -> bool:
        self.fault = code
        return False


SIZES = st.one_of(st.integers(0, 200), st.sampled_from([125, 126, 127, 999, 1000, 1001]))
GOOD = st.builds(
    lambda opcode, size, fin: (opcode, size if opcode < 8 else size % 126, fin or opcode >= 8),
    st.sampled_from([0, 1, 2, 8, 9, 10]),
    SIZES,
    st.booleans(),
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[int], bool, bool]:
    """Return a stream that mostly makes sense, where it is cut, whether it is masked, and has extensions."""
    is_masked, has_extensions = draw(st.booleans()), draw(st.booleans())
    data, is_open = b"", False
    for opcode, size, fin in draw(st.lists(GOOD, max_size=8)):
        chosen = opcode
        if opcode < 8:
            chosen = 0 if is_open else max(opcode, 1)
            is_open = not fin
        if draw(st.integers(0, 20)) == 0:
            chosen = draw(st.integers(0, 15))
        mask = draw(st.binary(min_size=4, max_size=4)) if is_masked else b""
        bits = draw(st.integers(0, 7)) if draw(st.integers(0, 10)) == 0 else 0
        data += frame(chosen, bytes(size) if size != 1 else b"x", fin=fin, mask=mask, bits=bits)
    if draw(st.integers(0, 5)) == 0:
        data += draw(st.binary(max_size=30))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return data, cuts, is_masked, has_extensions


@given(streams())
def test_it_sees_what_an_endpoint_sees(stream: tuple[bytes, list[int], bool, bool]) -> None:
    data, cuts, is_masked, has_extensions = stream
    scanner = frames(is_masked=is_masked, has_extensions=has_extensions)
    reader = Reader(is_masked, has_extensions, 1000, 2000)

    passed = feed(scanner, data, cuts)
    reader.read(data)

    assert passed == data[: reader.passed]
    assert (scanner.fault, scanner.close_code, scanner.messages) == (reader.fault, reader.close_code, reader.messages)


@pytest.mark.parametrize("mask", [b"", MASK])
def test_every_split_passes_the_same_bytes(mask: bytes) -> None:
    data = (
        frame(TEXT, b"hello", mask=mask)
        + frame(BINARY, bytes(300), fin=False, mask=mask)
        + frame(PING, b"?", mask=mask)
        + frame(0, b"end", mask=mask)
        + frame(CLOSE, b"\x0f\xa0bye", mask=mask)
    )
    for cut in range(len(data) + 1):
        scanner = frames(is_masked=bool(mask))
        assert feed(scanner, data, [cut]) == data
        assert (scanner.messages, scanner.close_code, scanner.fault) == (2, 4000, 0)
    assert feed(frames(is_masked=bool(mask)), data, list(range(len(data)))) == data


def test_the_beginning_of_a_header_waits() -> None:
    scanner, data = frames(), frame(BINARY, bytes(300))

    assert [scanner.scan(data[:size]) for size in range(4)] == [0, 0, 0, 0]
    assert scanner.scan(data[:4]) == 4
    assert scanner.left == 300


def test_a_control_frame_waits_until_it_is_whole() -> None:
    scanner, data = frames(), frame(PING, b"are you there")

    assert scanner.scan(data[:-1]) == 0
    assert scanner.scan(data) == len(data)


def test_too_large_a_frame_is_not_begun() -> None:
    scanner, good = frames(), frame(TEXT, bytes(1000))

    assert scanner.scan(good + frame(TEXT, bytes(1001))) == len(good)
    assert scanner.fault == 1009


def test_too_large_a_message_is_not_gone_on_with() -> None:
    scanner, good = frames(message=1500), frame(TEXT, bytes(1000), fin=False)

    assert scanner.scan(good) == len(good)
    assert scanner.scan(frame(0, bytes(501))) == 0
    assert scanner.fault == 1009


@pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64 - 1])
def test_sizes_that_nobody_can_send_are_too_large(size: int) -> None:
    scanner = frames()

    assert scanner.scan(b"\x82\x7f" + size.to_bytes(8, "big")) == 0
    assert scanner.fault == 1009


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"x", mask=MASK),
        frame(3),
        frame(7),
        frame(11),
        frame(15),
        frame(TEXT, bits=4),
        frame(TEXT, bits=1),
        frame(0, b"nothing to continue"),
        frame(TEXT, fin=False) + frame(TEXT),
        frame(PING, fin=False),
        frame(PING, bytes(126)),
        frame(CLOSE, b"x"),
    ],
)
def test_what_no_server_may_send(data: bytes) -> None:
    scanner = frames()
    scanner.scan(data)
    assert scanner.fault == 1002


def test_what_clients_send_is_masked() -> None:
    scanner = frames(is_masked=True)
    scanner.scan(frame(TEXT, b"x"))
    assert scanner.fault == 1002


def test_reserved_bits_belong_to_extensions() -> None:
    scanner, data = frames(has_extensions=True), frame(TEXT, b"x", bits=4)

    assert scanner.scan(data) == len(data)
    assert scanner.fault == 0


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999, 0, 65535])
@pytest.mark.parametrize("mask", [b"", MASK])
def test_the_code_of_a_close(code: int, mask: bytes) -> None:
    scanner = frames(is_masked=bool(mask))
    scanner.scan(frame(CLOSE, code.to_bytes(2, "big"), mask=mask) + frame(CLOSE, b"\x03\xe9", mask=mask))
    assert scanner.close_code == code or code == 0


def test_a_close_without_a_code() -> None:
    scanner = frames()
    scanner.scan(frame(CLOSE))
    assert scanner.close_code == 1005


def test_it_stops_where_a_frame_of_ours_may_stand() -> None:
    scanner, one, other = frames(), frame(TEXT, b"hello"), frame(TEXT, b"you")
    scanner.scan(one[:4])
    scanner.stops = True

    assert scanner.scan(one[4:] + other) == len(one) - 4
    assert scanner.left == 0


def test_it_stops_before_a_pong_that_somebody_waits_for() -> None:
    scanner, one, pong = frames(is_masked=True), frame(TEXT, b"hello", mask=MASK), frame(PONG, b"me", mask=MASK)
    scanner.stops_at_pongs = True

    assert scanner.scan(one + pong + one) == len(one)
    assert scanner.pong == len(pong)
    assert scanner.scan(one) == len(one)
    assert scanner.pong == 0


def test_the_end_of_what_was_too_large_can_be_looked_for() -> None:
    scanner, data = frames(), frame(TEXT, bytes(3000)) + frame(CLOSE, b"\x03\xf1")
    scanner.scan(data)

    scanner.accept_any_size()

    assert scanner.scan(data) == len(data)
    assert scanner.close_code == 1009
