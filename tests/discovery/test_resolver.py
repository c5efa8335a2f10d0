"""Resolving by a real name server, on both event loops."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
import uvloop

from kairos.config.document import Discovery
from kairos.discovery.names import Answer
from kairos.discovery.resolver import NotKnown, NotResolved, Patience, Resolver
from tests.discovery.stub import NameServer

SIX = "2001:db8::1"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("10.9.9.9 in-the-file\n")
    return path


@pytest.fixture
def resolver(server: NameServer, hosts: Path) -> Resolver:
    return Resolver(Discovery((server.address,)), hosts_file=hosts)


def test_asks_for_both_families(run: Any, server: NameServer, resolver: Resolver) -> None:
    server.tell("app.test", "10.0.0.1", "10.0.0.2", ttl=30)
    server.tell("app.test", SIX, ttl=20, kind="AAAA")

    answer = run(resolver.resolve("app.test"))

    assert (set(answer.v4), answer.v6, answer.ttl) == ({"10.0.0.1", "10.0.0.2"}, (SIX,), 20.0)
    assert sorted(server.asked) == [("app.test", "A"), ("app.test", "AAAA")]


@pytest.mark.parametrize(("ipv", "kind"), [("4", "A"), ("6", "AAAA")])
def test_asks_for_one_family_if_the_config_says_so(run: Any, server: NameServer, ipv: str, kind: str) -> None:
    server.tell("app.test", "10.0.0.1")
    server.tell("app.test", SIX, kind="AAAA")

    answer = run(Resolver(Discovery((server.address,), ipv=ipv)).resolve("app.test"))

    assert (answer.v4, answer.v6) == ((("10.0.0.1",), ()) if ipv == "4" else ((), (SIX,)))
    assert server.asked == [("app.test", kind)]


def test_a_record_changes(run: Any, server: NameServer, resolver: Resolver) -> None:
    server.tell("app.test", "10.0.0.1", ttl=0)
    assert run(resolver.resolve("app.test")) == Answer(("10.0.0.1",), (), 0.0)

    server.tell("app.test", "10.0.0.2", ttl=0)
    assert run(resolver.resolve("app.test")) == Answer(("10.0.0.2",), (), 0.0)


def test_follows_aliases_and_takes_the_shortest_ttl(run: Any, server: NameServer, resolver: Resolver) -> None:
    server.tell("www.test", "one.test", ttl=60, kind="CNAME")
    server.tell("one.test", "two.test", ttl=5, kind="CNAME")
    server.tell("two.test", "10.0.0.1", ttl=300)

    assert run(resolver.resolve("www.test")) == Answer(("10.0.0.1",), (), 5.0)


def test_an_answer_too_long_for_a_datagram_comes_over_tcp(run: Any, server: NameServer, resolver: Resolver) -> None:
    addresses = [f"10.0.0.{i}" for i in range(200)]
    server.tell("app.test", *addresses)

    answer = run(resolver.resolve("app.test"))

    assert sorted(answer.v4) == sorted(addresses)
    assert server.tcp_questions == 1


@pytest.mark.parametrize("name", ["nowhere.test", "empty.test"])
def test_a_name_that_does_not_exist_or_has_no_address(
    run: Any, server: NameServer, resolver: Resolver, name: str
) -> None:
    server.tell("empty.test", "text", kind="TXT")
    with pytest.raises(NotKnown):
        run(resolver.resolve(name))


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_name_server_in_trouble(run: Any, server: NameServer, resolver: Resolver, rcode: dns.rcode.Rcode) -> None:
    server.tell("app.test", "10.0.0.1")
    server.rcode = rcode

    with pytest.raises(NotResolved) as failed:
        run(resolver.resolve("app.test"))

    assert not isinstance(failed.value, NotKnown)


@pytest.fixture
def impatient(server: NameServer, hosts: Path) -> Resolver:
    return Resolver(Discovery((server.address,)), hosts_file=hosts, patience=Patience(0.2, 0.2, 0.2))


def test_a_name_server_that_is_silent(run: Any, server: NameServer, impatient: Resolver) -> None:
    server.is_silent = True
    with pytest.raises(NotResolved) as failed:
        run(impatient.resolve("app.test"))
    assert not isinstance(failed.value, NotKnown)


def test_a_name_server_that_is_down(run: Any, server: NameServer, impatient: Resolver) -> None:
    server.stop()
    with pytest.raises(NotResolved) as failed:
        run(impatient.resolve("app.test"))
    assert not isinstance(failed.value, NotKnown)


def test_the_next_name_server_is_asked(run: Any, server: NameServer, hosts: Path) -> None:
    server.tell("app.test", "10.0.0.1")
    with NameServer() as silent:
        silent.is_silent = True
        settings = Discovery((silent.address, server.address))
        resolver = Resolver(settings, hosts_file=hosts, patience=Patience(attempt=0.2, answer=20.0))

        assert run(resolver.resolve("app.test")).v4 == ("10.0.0.1",)


def test_a_family_that_is_never_answered_does_not_keep_the_other_back(
    run: Any, server: NameServer, hosts: Path
) -> None:
    server.tell("app.test", "10.0.0.1")
    server.silent_kinds = {"AAAA"}
    patience = Patience(answer=20.0, other_family=0.2)
    resolver = Resolver(Discovery((server.address,)), hosts_file=hosts, patience=patience)

    assert run(resolver.resolve("app.test")) == Answer(("10.0.0.1",), None, 30.0)


# The hosts file, and the system.


def test_what_the_hosts_file_knows_needs_no_name_server(run: Any, server: NameServer, resolver: Resolver) -> None:
    assert run(resolver.resolve("in-the-file")).v4 == ("10.9.9.9",)
    assert run(resolver.resolve("localhost")).v4 == ("127.0.0.1",)
    assert server.asked == []


def test_what_name_servers_do_not_know_is_left_to_the_system(run: Any, tmp_path: Path) -> None:
    resolver = Resolver(Discovery(ipv="4"), hosts_file=tmp_path / "none", resolv_conf=tmp_path / "none")
    own_name = socket.gethostname()
    expected = {info[4][0] for info in socket.getaddrinfo(own_name, 0, family=socket.AF_INET)}

    assert set(run(resolver.resolve(own_name)).v4) == expected


def test_what_nobody_knows(run: Any, tmp_path: Path) -> None:
    resolver = Resolver(Discovery(), hosts_file=tmp_path / "none", resolv_conf=tmp_path / "none")
    with pytest.raises(NotKnown):
        run(resolver.resolve("a..b"))


def test_the_search_list_of_the_system_is_used(run: Any, server: NameServer, tmp_path: Path, hosts: Path) -> None:
    server.tell("api.team.test", "10.0.0.1")
    path = tmp_path / "resolv.conf"
    path.write_text("nameserver 127.0.0.1\nsearch other.test team.test\noptions ndots:2\n")
    resolver = Resolver(Discovery(), hosts_file=hosts, resolv_conf=path)
    run(resolver._resolver()).port = server.port
    run(resolver._resolver()).nameservers = ["127.0.0.1"]  # on that port

    assert run(resolver.resolve("api")).v4 == ("10.0.0.1",)
    assert ("api.other.test", "A") in server.asked


def test_a_name_server_of_the_config_gets_names_as_they_are(run: Any, server: NameServer, resolver: Resolver) -> None:
    with pytest.raises(NotKnown):
        run(resolver.resolve("api"))
    assert set(server.asked) == {("api", "A"), ("api", "AAAA")}


def test_dnspython_is_not_imported_before_a_name_server_is_asked() -> None:
    program = "import sys, kairos.gateway, kairos.discovery.resolver; sys.exit('dns' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
