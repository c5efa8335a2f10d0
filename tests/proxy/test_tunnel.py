"""What happens to the bytes of a tunnel, and how it ends."""

import gc
from collections.abc import Callable
from weakref import ref

import pytest

from kairos.proxy.tunnel import CLOSE_SECONDS
from kairos.shm import layout
from tests.protocols.websocket.frames import Seen, frame
from tests.proxy.messages import LATE
from tests.proxy.websockets import (
    AGREED,
    BINARY,
    CLOSE,
    GOING_AWAY,
    HANDSHAKE,
    OTHER,
    OTHER_AGREED,
    PING,
    PONG,
    TEXT,
    Pair,
    client_frame,
    configure,
    with_lines,
)
from tests.proxy.world import Server, World

LARGE = bytes(100_000)
OUT_OF_PLACE = frame(0, b"continues nothing")


@pytest.fixture
def server(world: World) -> Server:
    server = world.server()
    configure(world, server)
    return server


@pytest.fixture
def pair(world: World, server: Server) -> Pair:
    return Pair(world, server)


@pytest.fixture
def raw(world: World, server: Server) -> Pair:
    """A tunnel that is no WebSocket."""
    configure(world, server, protocol="http")
    return Pair(world, server, OTHER, OTHER_AGREED)


def closes(world: World) -> dict[str, int]:
    """Return how many WebSockets have ended, by code."""
    names = world.zone.columns().items()
    return {name.removeprefix("websocket closes "): world.count(at) for name, at in names if "closes" in name}


class TestRelay:
    def test_bytes_pass_as_they_are(self, world: World, pair: Pair) -> None:
        up = client_frame(TEXT, b"hello") + client_frame(BINARY, LARGE, fin=False) + client_frame(PING, b"p")
        up += client_frame(0, LARGE) + client_frame(PONG) + client_frame(TEXT)
        down = frame(TEXT, b"hi", fin=False) + frame(PONG, b"p") + frame(0, LARGE * 2) + frame(PING)

        pair.client.sends(up)
        pair.backend.sends(down)

        assert pair.backend.receives() == up
        assert pair.client.receives() == down
        assert world.count(layout.WEBSOCKET_BYTES_IN) == len(up)
        assert world.count(layout.WEBSOCKET_BYTES_OUT) == len(down)
        assert world.count(layout.WEBSOCKET_MESSAGES_IN) == 3
        assert world.count(layout.WEBSOCKET_MESSAGES_OUT) == 1

    def test_bytes_pass_however_they_arrive(self, pair: Pair) -> None:
        data = client_frame(TEXT, b"hello") + client_frame(BINARY, bytes(300)) + client_frame(PING, b"?")
        data += client_frame(CLOSE, b"\x03\xe8bye")

        pair.client.sends(*(data[at : at + 1] for at in range(len(data))))

        assert pair.backend.receives() == data

    def test_what_has_arrived_of_a_frame_does_not_wait_for_the_rest(self, pair: Pair) -> None:
        data = frame(TEXT, b"hello")
        pair.backend.sends(data[:4])
        assert pair.client.receives() == data[:4]

    def test_compressed_messages_pass(self, world: World, server: Server) -> None:
        extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
        pair = Pair(world, server, with_lines(HANDSHAKE, extension), with_lines(AGREED, extension))
        up, down = client_frame(TEXT, b"\xf2\x48", bits=4), frame(TEXT, b"\xf2\x48", bits=4)

        pair.client.sends(up)
        pair.backend.sends(down)

        assert (pair.backend.receives(), pair.client.receives()) == (up, down)

    @pytest.mark.parametrize("side", ["client", "backend"])
    def test_a_slow_reader_holds_the_other_side_back(self, pair: Pair, side: str) -> None:
        reader, writer = (pair.client, pair.backend) if side == "client" else (pair.backend, pair.client)
        data = (frame if side == "client" else client_frame)(BINARY, LARGE)
        reader.stops_reading()

        writer.sends(*[data] * 20)
        assert len(reader.transport.written) == 1
        assert not writer.transport.is_reading()

        reader.reads_on()
        assert reader.receives() == data * 20
        assert writer.transport.is_reading()

    def test_it_knows_nothing_of_the_exchange_and_of_the_config(self, world: World, server: Server, pair: Pair) -> None:
        old = ref(world.plane.snapshot)
        configure(world, server, idle=5.0)
        gc.collect()
        assert old() is None


class TestEnd:
    @pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 4999])
    @pytest.mark.parametrize("first", ["client", "backend"])
    def test_every_code_passes(self, world: World, pair: Pair, code: int, first: str) -> None:
        reason = code.to_bytes(2, "big") + b"because"
        steps: list[Callable[[], None]] = [
            lambda: pair.client.sends(client_frame(CLOSE, reason)),
            lambda: pair.backend.sends(frame(CLOSE, reason)),
        ]
        for step in steps if first == "client" else reversed(steps):
            step()
        pair.backend.leaves()
        pair.client.leaves()

        assert pair.backend_sees() == [Seen(CLOSE, reason)]
        assert pair.client_sees() == [Seen(CLOSE, reason)]
        name = {3: "3000-3999", 4: "4000-4999"}.get(code // 1000, str(code))
        assert closes(world) == {name: 1}
        assert not world.plane.tunnels

    def test_a_close_without_a_code(self, world: World, pair: Pair) -> None:
        pair.client.sends(client_frame(CLOSE))
        pair.client.resets()
        assert pair.backend_sees() == [Seen(CLOSE, b"")]
        assert closes(world) == {"1005": 1}

    @pytest.mark.parametrize("side", ["client", "backend"])
    def test_a_side_that_is_gone(self, world: World, pair: Pair, side: str) -> None:
        one, other = (pair.client, pair.backend) if side == "client" else (pair.backend, pair.client)
        one.resets()
        assert not other.is_open
        assert not other.transport.is_aborted
        assert closes(world) == {"1006": 1}

    def test_what_waits_for_a_reader_outlives_who_wrote_it(self, world: World, pair: Pair) -> None:
        data = frame(BINARY, LARGE)
        pair.client.stops_reading()
        pair.backend.sends(data)
        pair.backend.resets()
        for _ in range(9):
            world.pass_time(CLOSE_SECONDS - 2)
            pair.client.reads(10_000)
        assert not pair.client.is_lost

        pair.client.reads_on()
        assert pair.client.receives() == data
        assert pair.client.is_lost

    def test_but_not_without_end(self, world: World, pair: Pair) -> None:
        pair.client.stops_reading()
        pair.backend.sends(frame(BINARY, LARGE))
        pair.backend.resets()
        world.pass_time(2 * CLOSE_SECONDS + 2 * LATE)
        assert pair.client.is_lost

    @pytest.mark.parametrize("kind", ["pair", "raw"])
    def test_one_side_may_end_before_the_other(self, request: pytest.FixtureRequest, kind: str) -> None:
        pair: Pair = request.getfixturevalue(kind)
        pair.client.sends(client_frame(TEXT, b"last"))
        pair.client.leaves()
        assert pair.backend.receives() == client_frame(TEXT, b"last")
        assert pair.backend.transport.eof_written

        pair.backend.sends(frame(TEXT, b"answer"))
        assert pair.client.receives() == frame(TEXT, b"answer")

        pair.backend.leaves()
        assert pair.client.is_lost
        assert pair.backend.is_lost

    def test_a_side_that_ends_in_the_middle_of_a_header(self, pair: Pair) -> None:
        pair.client.sends(client_frame(TEXT, b"x") + b"\x81")
        pair.client.leaves()
        assert pair.backend.receives() == client_frame(TEXT, b"x") + b"\x81"

    def test_half_a_websocket_is_not_kept_for_ever(self, world: World, pair: Pair) -> None:
        pair.client.leaves()
        world.pass_time(60 + LATE)
        assert pair.client.is_lost
        assert pair.backend.is_lost

    def test_a_tunnel_of_other_bytes_is(self, world: World, raw: Pair) -> None:
        raw.client.leaves()
        world.pass_time(300)
        assert raw.backend.is_open

    def test_tls_has_no_half_closed_connections(self, world: World, server: Server, pair: Pair) -> None:
        pair.backend.transport.can_write_eof = lambda: False  # type: ignore[method-assign]
        pair.client.leaves()
        assert pair.backend.is_lost
        assert pair.client.is_lost


class TestFaults:
    def test_what_no_client_may_send_ends_it_on_both_sides(self, world: World, pair: Pair) -> None:
        good = client_frame(TEXT, b"good")
        pair.client.sends(good + frame(TEXT, b"not masked"))

        assert pair.backend_sees() == [Seen(TEXT, b"good"), Seen(CLOSE, b"\x03\xea")]
        assert pair.client_sees() == [Seen(CLOSE, b"\x03\xea")]
        assert pair.client.transport.eof_written  # its answer could not be found any more

        pair.backend.sends(frame(CLOSE, b"\x03\xea"))
        pair.client.leaves()
        assert pair.backend.is_lost
        assert pair.client.is_lost
        assert closes(world) == {"1002": 1}

    def test_what_no_server_may_send(self, world: World, pair: Pair) -> None:
        pair.backend.sends(OUT_OF_PLACE)
        assert pair.client_sees() == [Seen(CLOSE, b"\x03\xea")]
        assert pair.backend_sees() == [Seen(CLOSE, b"\x03\xea")]

    def test_garbage(self, world: World, pair: Pair) -> None:
        pair.client.sends(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert pair.backend_sees() == [Seen(CLOSE, b"\x03\xea")]

    def test_who_does_not_answer_a_close_is_cut_off(self, world: World, pair: Pair) -> None:
        pair.client.sends(OUT_OF_PLACE)
        world.pass_time(CLOSE_SECONDS + LATE)
        assert pair.client.is_lost
        assert pair.backend.is_lost

    @pytest.mark.parametrize(("limit", "data"), [("frame_bytes", 1001), ("message_bytes", 1001)])
    def test_too_much(self, world: World, server: Server, limit: str, data: int) -> None:
        configure(world, server, **{limit: 1000})
        pair = Pair(world, server)
        most, begun = client_frame(BINARY, bytes(1000)), client_frame(BINARY, bytes(1000))

        pair.client.sends(most + client_frame(BINARY, bytes(data))[:500])

        assert pair.backend.receives()[: len(most)] == most
        assert pair.client_sees() == [Seen(CLOSE, b"\x03\xf1")]
        pair.client.sends(client_frame(BINARY, bytes(data))[500:] + begun + client_frame(CLOSE, b"\x03\xf1"))
        assert pair.client.is_lost  # its answer has been found behind what was too much

    def test_a_close_waits_for_the_end_of_the_frame_that_is_on_its_way(self, world: World, pair: Pair) -> None:
        answer, more = frame(TEXT, b"a long answer"), frame(TEXT, b"more")
        pair.backend.sends(answer[:5])
        pair.client.sends(OUT_OF_PLACE)
        assert pair.client.receives() == answer[:5]

        pair.backend.sends(answer[5:] + more)

        assert pair.client.receives() == answer[5:] + frame(CLOSE, b"\x03\xea")

    def test_it_waits_for_a_slow_one_as_long_as_that_goes_on(self, world: World, pair: Pair) -> None:
        answer = frame(TEXT, b"a long answer")
        pair.backend.sends(answer[:5])
        pair.client.sends(OUT_OF_PLACE)
        for at in range(5, len(answer)):
            world.pass_time(CLOSE_SECONDS - 1)
            pair.backend.sends(answer[at : at + 1])

        assert pair.client.receives() == answer + frame(CLOSE, b"\x03\xea")

    def test_an_answer_is_found_also_when_there_is_nobody_for_the_rest_of_the_frame(
        self, world: World, pair: Pair
    ) -> None:
        data = client_frame(BINARY, b"hello")
        pair.client.sends(data[:-2])
        next(iter(world.plane.tunnels)).close(1001)
        assert pair.client_sees() == [GOING_AWAY]
        pair.backend.resets()

        pair.client.sends(data[-2:] + client_frame(CLOSE, b"\x03\xe9"))

        assert pair.client.is_lost
        assert not pair.client.transport.is_aborted

    def test_and_no_longer(self, world: World, pair: Pair) -> None:
        pair.backend.sends(frame(TEXT, b"a long answer")[:5])
        pair.client.sends(OUT_OF_PLACE)
        world.pass_time(2 * CLOSE_SECONDS + 2 * LATE)
        assert pair.client.is_lost
        assert pair.backend.is_lost

    def test_between_the_frames_of_a_message_it_does_not_wait(self, world: World, pair: Pair) -> None:
        pair.backend.sends(frame(TEXT, b"one", fin=False))
        pair.client.sends(OUT_OF_PLACE)
        assert pair.client_sees() == [Seen(TEXT, b"one", fin=False), Seen(CLOSE, b"\x03\xea")]

    def test_a_close_that_has_passed_is_the_last_word(self, world: World, pair: Pair) -> None:
        pair.client.sends(client_frame(CLOSE, b"\x0f\xa0"))
        pair.backend.sends(OUT_OF_PLACE)
        assert pair.backend_sees() == [Seen(CLOSE, b"\x0f\xa0")]
        assert pair.client_sees() == [Seen(CLOSE, b"\x03\xea")]
        assert pair.client.is_lost
        pair.backend.leaves()
        assert closes(world) == {"4000-4999": 1}


class TestLifetimes:
    def test_by_default_it_lives_without_end(self, world: World, pair: Pair, raw: Pair) -> None:
        world.pass_time(4000)
        assert pair.client.is_open
        assert raw.client.is_open

    def test_it_ends_when_nobody_says_anything(self, world: World, server: Server) -> None:
        configure(world, server, idle=10.0)
        pair = Pair(world, server)
        for _ in range(3):
            world.pass_time(9)
            pair.backend.sends(frame(TEXT, b"x"))
        assert pair.client.is_open
        pair.client_sees()

        world.pass_time(10 + LATE)

        assert pair.client_sees() == [GOING_AWAY]
        assert pair.backend_sees() == [GOING_AWAY]
        assert closes(world) == {}
        pair.client.sends(client_frame(CLOSE, b"\x03\xe9"))
        pair.backend.sends(frame(CLOSE, b"\x03\xe9"))
        assert closes(world) == {"1001": 1}

    def test_other_bytes_end_without_a_word(self, world: World, server: Server) -> None:
        configure(world, server, protocol="http", idle=10.0)
        raw = Pair(world, server, OTHER, OTHER_AGREED)
        world.pass_time(10 + LATE)
        assert raw.client.is_lost
        assert raw.backend.receives() == b""
        assert closes(world) == {}

    def test_it_ends_when_it_is_old(self, world: World, server: Server) -> None:
        configure(world, server, lifetime=100.0)
        pair = Pair(world, server)
        world.pass_time(89)
        pair.client.sends(client_frame(TEXT, b"x"))
        assert pair.client_sees() == []
        world.pass_time(11 + LATE)
        assert pair.client_sees() == [GOING_AWAY]

    def test_who_reads_nothing_is_cut_off(self, world: World, pair: Pair) -> None:
        pair.client.stops_reading()
        pair.backend.sends(frame(BINARY, LARGE))
        world.pass_time(30)
        pair.client.reads(10)
        world.pass_time(60)
        assert not pair.client.is_lost
        world.pass_time(60 + LATE)
        assert pair.client.is_lost


class TestPings:
    @pytest.fixture
    def pair(self, world: World, server: Server) -> Pair:
        configure(world, server, ping=10.0, pong=5.0, idle=100.0)
        return Pair(world, server)

    def test_who_is_silent_is_asked(self, world: World, pair: Pair) -> None:
        world.pass_time(10 + LATE)
        (to_client,), (to_backend,) = pair.client_sees(), pair.backend_sees()
        assert to_client == to_backend
        assert to_client.opcode == PING

        pair.client.sends(client_frame(TEXT, b"x") + client_frame(PONG, to_client.payload) + client_frame(TEXT, b"y"))
        pair.backend.sends(frame(PONG, to_backend.payload))
        world.pass_time(5)

        assert pair.backend_sees() == [Seen(TEXT, b"x"), Seen(TEXT, b"y")]
        assert pair.client_sees() == []
        world.pass_time(5 + LATE)
        assert [seen.opcode for seen in pair.client_sees()] == [PING]

    def test_who_does_not_answer_is_gone(self, world: World, pair: Pair) -> None:
        world.pass_time(10 + LATE)
        (ping,) = pair.client_sees()
        pair.backend.sends(frame(PONG, ping.payload))
        pair.backend_sees()
        world.pass_time(5 + LATE)
        assert pair.client_sees() == [GOING_AWAY]
        assert pair.backend_sees() == [GOING_AWAY]

    def test_anything_is_an_answer(self, world: World, pair: Pair) -> None:
        world.pass_time(10 + LATE)
        pair.client.sends(client_frame(TEXT, b"x"))
        pair.backend.sends(frame(TEXT, b"x"))
        world.pass_time(5)
        assert pair.client.is_open

    def test_other_pongs_pass(self, world: World, pair: Pair) -> None:
        world.pass_time(10 + LATE)
        pair.backend_sees()
        pong = client_frame(PONG, b"for somebody else")
        pair.client.sends(*(pong[at : at + 1] for at in range(len(pong))))
        assert pair.backend_sees() == [Seen(PONG, b"for somebody else")]

    def test_pongs_for_us_do_not_keep_it_alive(self, world: World, pair: Pair) -> None:
        for _ in range(12):
            world.pass_time(10)
            for seen in pair.client_sees():
                if seen.opcode == PING:
                    pair.client.sends(client_frame(PONG, seen.payload))
                    pair.backend.sends(frame(PONG, seen.payload))
        world.pass_time(2 * CLOSE_SECONDS)
        assert pair.client.is_lost

    def test_nobody_is_asked_in_the_middle_of_a_frame(self, world: World, pair: Pair) -> None:
        data = frame(TEXT, b"slow")
        pair.backend.sends(data[:3])
        world.pass_time(10 + LATE)
        assert pair.client.receives() == data[:3]
        pair.backend.sends(data[3:])
        assert pair.client.receives() == data[3:]
