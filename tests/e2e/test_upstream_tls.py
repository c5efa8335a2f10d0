"""TLS and the PROXY protocol with backends: a real gateway with two workers, before servers of many kinds."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import pki
from tests.e2e.configs import config, route
from tests.e2e.gateway import Gateway
from tests.e2e.origin import HOST
from tests.e2e.servers import haproxy_with, nginx_with
from tests.e2e.tls_server import TlsServer
from tests.pki import DAY

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_certificate {well.cert};
    ssl_certificate_key {well.key};
    ssl_client_certificate {ca.cert};
    ssl_verify_client optional;
    ssl_protocols TLSv1.2 TLSv1.3;
    server {{
        listen {host}:{ports[0]} ssl;
        keepalive_timeout 0;
        location / {{ return 200 "$ssl_session_reused $ssl_server_name $ssl_protocol"; }}
    }}
    server {{
        listen {host}:{ports[1]} ssl;
        location / {{ return 200 "$ssl_client_s_dn"; }}
    }}
    server {{
        listen {host}:{ports[2]} proxy_protocol;
        listen {host}:{ports[3]} ssl proxy_protocol;
        location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port $connection"; }}
    }}
}}
"""

HAPROXY = """\
defaults
    mode http
    timeout client 30s
frontend f
    bind fd@{number} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst_port]"
"""


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pki.Certificate:
    return pki.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def well(ca: pki.Certificate) -> pki.Certificate:
    return ca.issue("well", HOST, "well.example")


def only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a server speak one version alone."""
    context.minimum_version = context.maximum_version = version
    return context


def at(port: int, ca: pki.Certificate, **tls: object) -> dict[str, object]:
    """Return the entry for an HTTPS backend."""
    return {"host": f"https://{HOST}", "port": port, "tls": {"ca_file": str(ca.cert), **tls}}


def answers_of(gateway: Gateway, path: str, count: int) -> list[list[str]]:
    """Send requests, each on a connection of its own, and return the words of the answers."""
    answers = [gateway.request("POST", path, b"body") for _ in range(count)]
    assert {answer.status for answer in answers} == {200}, answers
    return [answer.body.decode().split() for answer in answers]


class TestFailures:
    """Each has a reason of its own, and tells clients nothing of where the backend is."""

    @pytest.fixture(scope="class")
    @classmethod
    def servers(cls, ca: pki.Certificate, well: pki.Certificate) -> Iterator[dict[str, TlsServer]]:
        names = (HOST, "well.example")
        stranger = pki.authority(ca.folder, "stranger").issue("strange", *names)
        contexts = {
            "tls_certificate_expired": ca.issue("old", *names, begins=-2 * DAY, ends=-DAY).server(),
            "tls_certificate_not_yet_valid": ca.issue("new", *names, begins=DAY, ends=2 * DAY).server(),
            "tls_unknown_authority": stranger.server(),
            "tls_name_mismatch": ca.issue("other", "other.example").server(),
            "tls_client_certificate_required": only(V13, well.server(client_ca=ca)),
            "tls_client_certificate_refused": only(V13, well.server(client_ca=ca)),
            "tls_handshake_refused": only(V12, well.server(client_ca=ca)),
            "tls_protocol_version": only(V12, well.server()),
        }
        with ExitStack() as running:
            found = {reason: running.enter_context(TlsServer(tls)) for reason, tls in contexts.items()}
            found["tls_not_spoken"] = running.enter_context(TlsServer())
            found["tls_closed"] = running.enter_context(TlsServer(is_hasty=True))
            found["good"] = running.enter_context(TlsServer(well.server(client_ca=ca)))
            yield found

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(
        cls, servers: dict[str, TlsServer], ca: pki.Certificate, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Gateway]:
        stranger = pki.authority(ca.folder, "foreign").issue("foreigner", usage="client")
        ours = ca.issue("gateway", usage="client")
        special = {
            "tls_protocol_version": {"min_version": "1.3"},
            "tls_client_certificate_refused": {"client_cert": str(stranger.cert), "client_key": str(stranger.key)},
        }
        routes = [
            route(f"/{reason}", backends=[at(server.port, ca, **special.get(reason, {}))])
            for reason, server in servers.items()
        ]
        refusing = at(servers["tls_client_certificate_required"].port, ca)
        good = at(servers["good"].port, ca, client_cert=str(ours.cert), client_key=str(ours.key))
        routes.append(route("/either", backends=[refusing, good], circuit_breaker={"enabled": False}))
        with Gateway(tmp_path_factory.mktemp("gateway"), config(*routes), workers=2) as running:
            yield running

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("tls_certificate_expired", "has expired"),
            ("tls_certificate_not_yet_valid", "is not valid yet"),
            ("tls_unknown_authority", "no trusted authority signed"),
            ("tls_name_mismatch", "is for another name"),
            ("tls_client_certificate_required", "requires a client certificate"),
            ("tls_client_certificate_refused", "refused the client certificate"),
            ("tls_handshake_refused", "refused the handshake"),
            ("tls_protocol_version", "no version of TLS"),
            ("tls_not_spoken", "does not speak TLS"),
            ("tls_closed", "closed the connection during the handshake"),
        ],
    )
    def test_is_told(self, gateway: Gateway, servers: dict[str, TlsServer], reason: str, words: str) -> None:
        answer = gateway.request("POST", f"/{reason}", b"body")

        assert (answer.status, answer.json()["reason"]) == (502, reason)
        assert words in answer.body.decode()
        assert str(servers[reason].port) not in answer.body.decode()
        assert servers[reason].received == []

    def test_lets_the_request_go_elsewhere(self, gateway: Gateway, servers: dict[str, TlsServer]) -> None:
        """Also if the backend refuses our certificate after the handshake, when the request is on its way (TLS 1.3)."""
        assert answers_of(gateway, "/either", 6) == [["hello"]] * 6
        assert len(servers["good"].received) == 6


@pytest.mark.tool("nginx")
class TestNginx:
    """What nginx sees of us."""

    @pytest.fixture(scope="class")
    @classmethod
    def ports(
        cls, ca: pki.Certificate, well: pki.Certificate, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[list[int]]:
        folder = tmp_path_factory.mktemp("nginx")
        with ExitStack() as opened:
            listeners = [opened.enter_context(socket.create_server((HOST, 0), backlog=512)) for _ in range(4)]
            ports = [listener.getsockname()[1] for listener in listeners]
            text = NGINX.format(folder=folder, host=HOST, ports=ports, ca=ca, well=well)
            opened.enter_context(nginx_with(text, folder, listeners))
            yield ports

    @pytest.fixture(scope="class")
    @classmethod
    def ours(cls, ca: pki.Certificate) -> pki.Certificate:
        return ca.issue("first", usage="client")

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, ports: list[int], ca: pki.Certificate, ours: pki.Certificate) -> dict[str, object]:
        closing, keeping, proxied, proxied_tls = ports
        shown = {"client_cert": str(ours.cert), "client_key": str(ours.key)}
        plain = {"host": f"http://{HOST}", "port": proxied}
        return config(
            route("/sessions", backends=[at(closing, ca, server_name="well.example")]),
            route("/client", backends=[at(keeping, ca, **shown)]),
            route("/v1", backends=[plain | {"send_proxy_protocol": "v1"}]),
            route("/v2", backends=[plain | {"send_proxy_protocol": "v2"}]),
            route("/v1s", backends=[at(proxied_tls, ca) | {"send_proxy_protocol": "v1"}]),
            route("/v2s", backends=[at(proxied_tls, ca) | {"send_proxy_protocol": "v2"}]),
            server={"trusted_proxies": ["127.0.0.2/32"]},
        )

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, settings: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        with Gateway(tmp_path_factory.mktemp("gateway"), settings, workers=2) as running:
            yield running

    def test_sessions_are_resumed_and_the_name_is_told(self, gateway: Gateway) -> None:
        answers = answers_of(gateway, "/sessions", 10)

        assert {tuple(words[1:]) for words in answers} == {("well.example", "TLSv1.3")}
        assert sum(words[0] == "." for words in answers) <= 2, answers  # the first one of each worker
        assert sum(words[0] == "r" for words in answers) >= 8

    def test_another_client_certificate_is_used_from_the_reload_on(
        self, gateway: Gateway, settings: dict[str, object], ca: pki.Certificate, ours: pki.Certificate
    ) -> None:
        assert answers_of(gateway, "/client", 4) == [["CN=first"]] * 4

        again = ca.issue("second", usage="client")
        again.cert.replace(ours.cert)
        again.key.replace(ours.key)
        assert answers_of(gateway, "/client", 4) == [["CN=first"]] * 4
        assert "is in force" in gateway.reload(settings)

        assert answers_of(gateway, "/client", 4) == [["CN=second"]] * 4

    @pytest.mark.parametrize("path", ["/v1", "/v2", "/v1s", "/v2s"])
    def test_each_client_is_named_and_has_connections_of_its_own(self, gateway: Gateway, path: str) -> None:
        seen = set()
        for _ in range(3):
            client = gateway.connect()
            client.connect()
            port = client.sock.getsockname()[1]
            for _ in range(3):
                client.request("GET", path)
                address, told_port, gateway_port, connection = client.getresponse().read().decode().split()
                assert (address, int(told_port), int(gateway_port)) == (HOST, port, gateway.port)
                seen.add((port, connection))
            client.close()

        assert len(seen) == len(dict(seen)) == 3


@pytest.mark.tool("haproxy")
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_takes_our_headers(start_gateway: Callable[..., Gateway], tmp_path: Path, version: str) -> None:
    with socket.create_server((HOST, 0), backlog=512) as listener:
        backend = {"host": f"http://{HOST}", "port": listener.getsockname()[1], "send_proxy_protocol": version}
        with haproxy_with(HAPROXY.format(number=listener.fileno()), tmp_path, [listener]):
            gateway = start_gateway(config(route("/a", backends=[backend])), workers=2)
            client = gateway.connect()
            client.connect()
            port = client.sock.getsockname()[1]
            client.request("GET", "/a")
            assert client.getresponse().read().decode().split() == [HOST, str(port), str(gateway.port)]
            client.close()
