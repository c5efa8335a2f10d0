"""Steering: the program chooses among live slots, and the kernel does what it says."""

import errno
import select
import socket
from collections import Counter
from contextlib import closing

import pytest

from kairos.config.listening import Listener
from kairos.workers.listeners import Listeners
from kairos.workers.steering import program, steer, turn_away

CONNECTIONS = 60


def slot_of(instructions: list[tuple[int, int, int, int]], random: int) -> int:
    """Run the program as the kernel would."""
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = random
        elif code == 0x94:
            accumulator %= operand
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        elif code == 0x06:
            return operand
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


@pytest.mark.parametrize("live", [[0], [3], [0, 1], [1, 4, 6], list(range(300))])
def test_every_live_slot_is_as_likely_as_the_others(live: list[int]) -> None:
    chosen = Counter(slot_of(program(live), random) for random in range(10 * len(live)))

    assert chosen == dict.fromkeys(live, 10)


def test_there_must_be_a_slot() -> None:
    with pytest.raises(ValueError, match="no slot"):
        program([])


def connect(listeners: Listeners, count: int = CONNECTIONS) -> list[int]:
    """Connect so often, and return how many connections are in the queue of each slot."""
    clients = [socket.create_connection(listeners.of(0)[0][1].getsockname(), 30) for _ in range(count)]
    queued = [take_all(sock) for sock in listeners.groups[0].sockets]
    for client in clients:
        client.close()
    return queued


def take_all(sock: socket.socket) -> int:
    count = 0
    while True:
        try:
            sock.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_connections_come_only_to_live_slots() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=4)) as listeners:
        steer(listeners.groups[0].sockets, [1, 3])
        queued = connect(listeners)
        assert (queued[0], queued[2], sum(queued)) == (0, 0, CONNECTIONS)
        assert min(queued[1], queued[3]) > 0

        steer(listeners.groups[0].sockets, [2])
        assert connect(listeners) == [0, 0, CONNECTIONS, 0]


def test_without_live_slots_connections_wait_everywhere() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=2)) as listeners:
        steer(listeners.groups[0].sockets, [1])
        steer(listeners.groups[0].sockets, [])

        assert min(connect(listeners)) > 0


def test_a_connection_that_waits_already_stays_where_it_is() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=2)) as listeners:
        steer(listeners.groups[0].sockets, [0])
        with socket.create_connection(listeners.of(0)[0][1].getsockname(), 30):
            steer(listeners.groups[0].sockets, [1])
            assert [take_all(sock) for sock in listeners.groups[0].sockets] == [1, 0]


def test_what_the_kernel_cannot_do_is_an_error() -> None:
    is_invalid = pytest.raises(OSError, check=lambda error: error.errno == errno.EINVAL)
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=2)) as listeners, is_invalid:
        steer(listeners.groups[0].sockets, range(5000))  # more instructions than a program may have


def test_who_is_turned_away_is_not_accepted_and_whoever_waits_is_served() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        ((_, sock),) = listeners.of(0)
        with socket.create_connection(sock.getsockname(), 30) as early, socket.socket() as late:
            turn_away(sock)
            late.setblocking(False)
            late.connect_ex(sock.getsockname())
            early.send(b"hello")

            with sock.accept()[0] as accepted:
                assert accepted.recv(10) == b"hello"  # data still comes through
            assert take_all(sock) == 0


def test_who_was_turned_away_is_refused_once_the_socket_is_closed() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        ((_, sock),) = listeners.of(0)
        turn_away(sock)
        with socket.socket() as late:
            late.setblocking(False)
            late.connect_ex(sock.getsockname())
            sock.close()

            assert select.select([], [late], [], 30)[1]
            assert late.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
