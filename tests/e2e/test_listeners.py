"""A gateway with several listeners: TCP, IPv6, Unix sockets, those of systemd, PROXY headers, and a redirect."""

import http.client
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kairos.protocols.proxy_protocol import LOCAL_V2, Endpoint, encode_v1, encode_v2
from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin, Received
from tests.e2e.servers import haproxy

CLIENT, HERE = Endpoint("203.0.113.9", 40000), Endpoint("198.51.100.7", 443)
CLIENT6, HERE6 = Endpoint("2001:db8::9", 40000), Endpoint("2001:db8::1", 443)
REQUEST = b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"


def told(request: Received) -> bytes:
    """Answer with what the gateway tells of the client."""
    body = ",".join(request.fields("X-Forwarded-For")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Scene:
    """A gateway with all kinds of listeners, in front of a backend that tells what it hears of the client."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        origin = running.enter_context(Origin(told))
        self.plain, self.proxied = folder / "plain.sock", folder / "proxied.sock"
        listeners = [
            {"host": HOST, "port": 0},
            {"host": "::1", "port": 0},
            {"host": HOST, "port": 0, "proxy_protocol": True},
            {"host": HOST, "port": 0, "redirect_to_https": 8443},
            {"unix": "plain.sock"},
            {"unix": "proxied.sock", "mode": "0600", "proxy_protocol": True},
        ]
        server = {"listeners": listeners, "trusted_proxies": ["127.0.0.1", "unix:"]}
        self.config = config(route("/a", origin), server=server)
        self.gateway = running.enter_context(Gateway(folder, self.config, workers=2))
        line = self.gateway.log.wait_for(
            rf"serves http://{HOST}:\d+, http://\[::1\]:(\d+), http://{HOST}:(\d+), http://{HOST}:(\d+), unix:"
        )
        self.ipv6, self.proxy, self.redirect = map(int, line.groups())
        self.silent = running.enter_context(socket.create_connection((HOST, self.proxy), PATIENCE_SECONDS))
        self.silent.sendall(b"PROXY ")

    def ask_as_proxy(self, header: bytes, source: str = HOST) -> bytes:
        """Send a header and a request, and return all that comes back."""
        with socket.create_connection((HOST, self.proxy), PATIENCE_SECONDS, source_address=(source, 0)) as sock:
            return exchange(sock, header + REQUEST)


def exchange(sock: socket.socket, data: bytes) -> bytes:
    """Send all, and read until the end or until the connection breaks."""
    sock.settimeout(PATIENCE_SECONDS)
    answer = b""
    try:
        sock.sendall(data)
        while piece := sock.recv(65536):
            answer += piece
    except ConnectionError:
        pass
    return answer


def curl(*arguments: str) -> str:
    done = subprocess.run(["curl", "-s", "-g", *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    return done.stdout


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as running:
        yield Scene(tmp_path_factory.mktemp("listeners"), running)


def test_every_listener_serves(scene: Scene) -> None:
    assert curl(f"http://{HOST}:{scene.gateway.port}/a") == "127.0.0.1"
    assert curl(f"http://[::1]:{scene.ipv6}/a") == "::1"
    assert curl("--unix-socket", str(scene.plain), "http://a.test/a") == ""
    assert scene.plain.stat().st_mode & 0o777 == 0o660
    assert scene.proxied.stat().st_mode & 0o777 == 0o600


def test_every_worker_accepts_at_every_listener(scene: Scene) -> None:
    """Or connections would wait for ever, or all go to the same worker."""
    for port, host in ((scene.gateway.port, HOST), (scene.ipv6, "::1"), (scene.redirect, HOST)):
        for _ in range(16):
            connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)
            connection.request("GET", "/live")
            assert connection.getresponse().read()
            connection.close()


def test_a_peer_on_a_unix_socket_may_forward(scene: Scene) -> None:
    assert curl("--unix-socket", str(scene.plain), "-H", "X-Forwarded-For: 203.0.113.9", "http://a/a") == "203.0.113.9"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (encode_v1(CLIENT, HERE), b"203.0.113.9"),
        (encode_v1(CLIENT6, HERE6), b"2001:db8::9"),
        (encode_v1(None, None), b"127.0.0.1"),
        (encode_v2(CLIENT, HERE), b"203.0.113.9"),
        (encode_v2(CLIENT6, HERE6), b"2001:db8::9"),
        (encode_v2(None, None), b"127.0.0.1"),
        (LOCAL_V2, b"127.0.0.1"),
    ],
)
def test_the_client_is_who_the_proxy_says(scene: Scene, header: bytes, client: bytes) -> None:
    assert scene.ask_as_proxy(header).endswith(b"\r\n\r\n" + client)


def test_a_proxy_may_use_a_unix_socket(scene: Scene) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(scene.proxied))
        assert exchange(sock, encode_v2(CLIENT, HERE) + REQUEST).endswith(b"\r\n\r\n203.0.113.9")


def test_a_header_may_come_in_pieces(scene: Scene) -> None:
    with socket.create_connection((HOST, scene.proxy), PATIENCE_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in encode_v2(CLIENT, HERE):
            sock.send(bytes([byte]))
        assert exchange(sock, REQUEST).endswith(b"\r\n\r\n203.0.113.9")


def test_who_is_not_trusted_or_sends_something_else_is_turned_away(scene: Scene) -> None:
    header = encode_v1(CLIENT, HERE)
    assert scene.ask_as_proxy(header, source="127.0.0.2") == b""
    assert scene.ask_as_proxy(b"") == b""
    assert scene.ask_as_proxy(b"PROXY TCP4 nonsense\r\n") == b""
    assert scene.ask_as_proxy(b"PROXY TCP4 ") == b""


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")
@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl"])
def test_haproxy_speaks_for_its_clients(scene: Scene, tmp_path: Path, option: str) -> None:
    with (
        haproxy(tmp_path, scene.proxy, option) as port,
        socket.create_connection((HOST, port), PATIENCE_SECONDS, source_address=("127.0.0.3", 0)) as sock,
    ):
        assert exchange(sock, REQUEST).endswith(b"\r\n\r\n127.0.0.3")


def test_a_redirect_keeps_host_and_url(scene: Scene) -> None:
    url = f"http://{HOST}:{scene.redirect}/a?b=c"
    shown = ("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")
    assert curl(*shown, url) == f"301 https://{HOST}:8443/a?b=c"
    assert curl(*shown, "-H", "Host: a.test:80", "-d", "x=y", url) == "308 https://a.test:8443/a?b=c"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{HOST}:{scene.redirect}/health") == "200"


def test_who_sends_no_whole_header_is_not_waited_for_for_ever(scene: Scene) -> None:
    assert exchange(scene.silent, b"") == b""


def test_a_reload_changes_what_listeners_do_and_not_where_they_are(
    start_gateway: Callable[..., Gateway], origin: Origin
) -> None:
    def listening(*listeners: dict[str, object]) -> dict[str, object]:
        return config(route("/a", origin), server={"listeners": list(listeners), "trusted_proxies": [HOST]})

    gateway = start_gateway(listening({"port": 0}, {"host": HOST, "port": 0, "redirect_to_https": True}), workers=2)
    port = int(gateway.log.wait_for(rf"serves .*, http://{HOST}:(\d+)")[1])

    def ask(data: bytes) -> bytes:
        with socket.create_connection((HOST, port), PATIENCE_SECONDS) as sock:
            return exchange(sock, data + REQUEST)

    assert ask(b"").startswith(b"HTTP/1.1 301 ")
    gateway.reload(listening({"port": 0}, {"host": HOST, "port": 0, "proxy_protocol": True}))
    assert ask(b"PROXY UNKNOWN\r\n").startswith(b"HTTP/1.1 200 ")
    assert ask(b"") == b""
    gateway.reload(listening({"port": 0}, {"unix": "new.sock"}), expect="new places take effect at the next start")
    assert ask(b"PROXY UNKNOWN\r\n").startswith(b"HTTP/1.1 200 ")  # and is as it was


def test_sockets_of_the_file_system_and_of_systemd_go_from_one_gateway_to_the_next(
    tmp_path: Path, origin: Origin
) -> None:
    """The first gateway is killed, and leaves its socket file; who connects to systemd's socket meanwhile waits."""
    path = tmp_path / "kairos.sock"
    given = config(route("/a", origin), server={"port": 0, "listeners": [{"systemd": "web"}, {"unix": "kairos.sock"}]})
    with socket.create_server((HOST, 0)) as web, socket.create_server((HOST, 0)) as stray:
        inherits, port = {"stray": stray, "web": web}, web.getsockname()[1]
        with Gateway(tmp_path, given, workers=2, inherits=inherits) as gateway:
            gateway.log.wait_for(rf"serves http://{HOST}:\d+, http://{HOST}:{port}, unix:{path} ")
            gateway.log.wait_for("systemd has opened a socket 'stray', which is in no listener")
            assert curl(f"http://{HOST}:{port}/a") == "hello"
            gateway.kill()
        assert path.is_socket()

        with socket.create_connection((HOST, port), PATIENCE_SECONDS) as early, socket.socket(socket.AF_UNIX) as other:
            early.sendall(REQUEST)
            with Gateway(tmp_path, given, workers=2, inherits=inherits) as gateway:
                assert exchange(early, b"").endswith(b"hello")
                other.connect(str(path))
                gateway.stop()
            assert not path.exists()
            socket.create_connection((HOST, port), PATIENCE_SECONDS).close()
