"""Listeners: one socket per slot and address, the port ours alone, and one clear line if it cannot be."""

import os
import resource
import socket
from contextlib import closing
from pathlib import Path

import pytest

from kairos.config.listening import Listener
from kairos.workers.errors import StartError
from kairos.workers.inherited import Inherited
from kairos.workers.listeners import Address, Listeners, raise_open_files_limit, resolve


def port_of(listeners: Listeners) -> int:
    port: int = listeners.of(0)[0][1].getsockname()[1]
    return port


def test_all_slots_share_the_port_that_was_free() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=3)) as listeners:
        ports = {listeners.of(slot)[0][1].getsockname()[1] for slot in range(3)}

        assert ports == {port_of(listeners)}
        assert ports != {0}
        assert str(listeners.groups[0]) == f"http://127.0.0.1:{ports.pop()}"


def test_a_socket_is_ready_for_a_proxy() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        ((_, sock),) = listeners.of(0)

        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert not sock.getblocking()
        assert not sock.get_inheritable()


def test_a_connection_waits_in_the_queue_of_its_slot() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        ((_, sock),) = listeners.of(0)
        with socket.create_connection(sock.getsockname(), 30) as client:
            client.send(b"hello")

            with sock.accept()[0] as accepted:
                assert accepted.recv(10) == b"hello"
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_ipv6_has_its_own_notation() -> None:
    with closing(Listeners([Listener("::1", 0)], slots=2)) as listeners:
        port = port_of(listeners)

        assert str(listeners.groups[0]) == f"http://[::1]:{port}"
        socket.create_connection(("::1", port), 30).close()


def test_all_interfaces_of_ipv6_are_those_of_ipv4_too() -> None:
    with closing(Listeners([Listener("::", 0)], slots=1)) as listeners:
        socket.create_connection(("127.0.0.1", port_of(listeners)), 30).close()


def test_every_address_of_a_name_has_a_socket_for_each_slot() -> None:
    with closing(Listeners([Listener("localhost", 0)], slots=2)) as listeners:
        assert len(listeners.of(1)) == len(listeners.groups) == len(resolve("localhost", 0))
        assert len({sock.getsockname()[1] for _, sock in listeners.of(0)}) == 1


def test_a_second_gateway_on_the_port_is_refused_although_the_first_shares_it_among_its_slots() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=2)) as listeners:
        port = port_of(listeners)

        with pytest.raises(StartError, match=rf"cannot listen on 127.0.0.1:{port}: another program .*--port"):
            Listeners([Listener("127.0.0.1", port)], slots=2)


def test_the_port_of_a_gateway_that_has_just_ended_is_free() -> None:
    with closing(Listeners([Listener("127.0.0.1", 0)], slots=1)) as listeners:
        port = port_of(listeners)
        with socket.create_connection(("127.0.0.1", port), 30):
            listeners.of(0)[0][1].accept()[0].close()  # our side closes first, and so keeps the connection in TIME_WAIT

    Listeners([Listener("127.0.0.1", port)], slots=1).close()


@pytest.mark.parametrize(
    ("host", "complaint"),
    [("192.0.2.1", "no interface of this machine"), ("no-such-host.invalid", "does not resolve")],
)
def test_an_address_that_is_not_ours_is_one_clear_line(host: str, complaint: str) -> None:
    with pytest.raises(StartError, match=complaint) as raised:
        Listeners([Listener(host)], slots=1)

    assert "\n" not in raised.value.message
    assert raised.value.exit_code == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone who may not")
def test_a_port_for_which_there_is_no_permission_is_one_clear_line() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.seteuid(65534)
        try:
            Listeners([Listener("127.0.0.1", 1)], slots=1)
        except StartError as error:
            os.write(writer, error.message.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as stream:
        assert "no permission for this port" in stream.read()


def test_what_is_kept_stays_open() -> None:
    listeners = Listeners([Listener("127.0.0.1", 0)], slots=3)
    kept = [sock for _, sock in listeners.of(1)]

    listeners.close(kept)

    assert [listeners.of(slot)[0][1].fileno() >= 0 for slot in range(3)] == [False, True, False]
    listeners.close()


def test_an_address_without_port_says_so_in_its_form_for_the_socket_module() -> None:
    assert Address(socket.AF_INET, "127.0.0.1", 80).sockaddr == ("127.0.0.1", 80)
    assert Address(socket.AF_INET6, "fe80::1", 80, scope=2).sockaddr == ("fe80::1", 80, 0, 2)


def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, before[1]), before[1]))
    try:
        assert raise_open_files_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_every_listener_has_its_sockets(tmp_path: Path) -> None:
    path = tmp_path / "kairos.sock"
    places = [Listener("127.0.0.1", 0), Listener(unix=str(path)), Listener("::1", 0)]
    with closing(Listeners(places, slots=2)) as listeners:
        assert [listener for listener, _ in listeners.of(1)] == places
        assert [str(group) for group in listeners.groups] == [
            f"http://127.0.0.1:{port_of(listeners)}",
            f"unix:{path}",
            f"http://[::1]:{listeners.of(0)[2][1].getsockname()[1]}",
        ]
        shared = [group for group in listeners.groups if group not in listeners.multiplied]
        assert [group.listener for group in shared] == [places[1]]
        assert listeners.of(0)[1][1] is listeners.of(1)[1][1]
        listeners.withdraw()
        assert not path.exists()


def test_if_one_place_is_taken_nothing_is_left_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "kairos.sock"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Listener("127.0.0.1", other.getsockname()[1])
        with pytest.raises(StartError, match="another program listens there"):
            Listeners([Listener(unix=str(path)), taken], slots=1)
    assert not path.exists()


def test_what_systemd_has_opened_is_shared_by_all_slots_and_left_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "systemd.sock"
    tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    with tcp, unix:
        unix.bind(str(path))
        unix.listen()
        inherited = Inherited({"web": [os.dup(tcp.fileno()), os.dup(unix.fileno())]})
        with closing(Listeners([Listener(systemd="web")], slots=2, inherited=inherited)) as listeners:
            assert [str(group) for group in listeners.groups] == [
                f"http://127.0.0.1:{tcp.getsockname()[1]}",
                f"unix:{path}",
            ]
            assert listeners.of(0) == listeners.of(1)
            assert listeners.multiplied == []
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            listeners.withdraw()
        assert path.is_socket()
        socket.create_connection(tcp.getsockname(), 30).close()


def test_workers_to_come_hear_what_a_new_config_says_of_the_listeners_that_are_open() -> None:
    with closing(Listeners([Listener("localhost", 0), Listener("127.0.0.1", 0)], slots=1)) as listeners:
        listeners.follow([Listener("localhost", 0, proxy_protocol=True), Listener("127.0.0.1", 1)])
        told = {listener for listener, _ in listeners.of(0)}
        assert told == {Listener("localhost", 0, proxy_protocol=True), Listener("127.0.0.1", 0)}
