"""Servers and clients that others wrote, with the gateway between them; and backends that are not all alike."""

import asyncio
import os
import re
import select
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT

import aiohttp
import pytest

from tests.e2e.certificates import Authority
from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Answer, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin
from tests.e2e.peers import Backend, stop, wait_until, workers_of
from tests.e2e.servers import PROGRAMS, SERVERS

FILE = os.urandom(3_000_000)
SERVER_PARAMETERS = [
    pytest.param(name, marks=pytest.mark.tool(PROGRAMS[name]) if name in PROGRAMS else ()) for name in SERVERS
]
ROOMY = {"max_request_body_bytes": 2**31}


def route_to(port: int) -> dict[str, object]:
    """Make a router that passes everything on to that port."""
    return route("/{rest...}", backends=[{"host": f"http://{HOST}", "port": port}])


def in_front_of(name: str, running: ExitStack, folder: Path) -> Gateway:
    """Run a server and two workers in front of it."""
    (www := folder / "www").mkdir()
    (www / "file").write_bytes(FILE)
    port = running.enter_context(SERVERS[name](www))
    return running.enter_context(Gateway(folder, config(route_to(port), limits=ROOMY), workers=2))


@pytest.fixture(scope="module", params=SERVER_PARAMETERS)
def serving(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run each server in turn behind the gateway."""
    with ExitStack() as running:
        yield in_front_of(request.param, running, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run the gateway in front of a server that echoes."""
    with ExitStack() as running:
        yield in_front_of("aiohttp", running, tmp_path_factory.mktemp("echoing"))


class TestServers:
    """Each server behind the gateway, with a client that we trust."""

    def test_serves_a_file_again_and_again_on_one_connection(self, serving: Gateway) -> None:
        connection = serving.connect()
        connection.connect()
        first = connection.sock

        for _ in range(5):
            connection.request("GET", "/file")
            response = connection.getresponse()
            assert (response.status, response.read() == FILE) == (200, True)

        assert connection.sock is first
        connection.close()

    def test_answers_head_without_a_body_and_then_more(self, serving: Gateway) -> None:
        connection = serving.connect()

        for method, body in (("HEAD", b""), ("GET", FILE)) * 2:
            connection.request(method, "/file")
            response = connection.getresponse()
            assert (response.status, response.read() == body) == (200, True)

        connection.close()

    def test_tells_what_is_missing(self, serving: Gateway) -> None:
        answer = serving.request("GET", "/missing")

        assert answer.status == 404
        assert "X-Request-ID" in answer.headers
        assert b"route_not_found" not in answer.body  # it is the server's answer


@pytest.mark.parametrize(
    "name", ["aiohttp", pytest.param("node", marks=pytest.mark.tool("node")), "close_delimited"]
)
def test_echoes_bodies_with_a_length(name: str, tmp_path: Path) -> None:
    with ExitStack() as running:
        gateway = in_front_of(name, running, tmp_path)

        for body in (b"", b"x", FILE):
            answer = gateway.request("POST", "/echo", body)
            assert (answer.status, answer.body == body) == (200, True)


@pytest.mark.tool("nginx")
def test_nginx_ranges_conditions_and_chunks(tmp_path: Path) -> None:
    with ExitStack() as running:
        gateway = in_front_of("nginx", running, tmp_path)

        whole = gateway.request("GET", "/file")
        part = gateway.request("GET", "/file", headers={"Range": "bytes=100-199"})
        same = gateway.request("GET", "/file", headers={"If-None-Match": whole.headers["ETag"]})
        packed = gateway.request("GET", "/chunked", headers={"Accept-Encoding": "gzip"})
        upload = gateway.connect()
        upload.request("POST", "/what", iter([b"one", b"two"]), encode_chunked=True)

        assert (part.status, part.body) == (206, FILE[100:200])
        assert (same.status, same.body) == (304, b"")
        assert (packed.status, packed.headers["Content-Encoding"]) == (200, "gzip")
        assert packed.headers["Transfer-Encoding"] == "chunked"
        assert len(packed.body) > len(FILE) / 2
        assert upload.getresponse().read() == b"POST  chunked"
        upload.close()


@pytest.mark.parametrize("name", ["aiohttp", pytest.param("node", marks=pytest.mark.tool("node"))])
def test_echoes_chunks_both_ways(name: str, tmp_path: Path) -> None:
    with ExitStack() as running:
        gateway = in_front_of(name, running, tmp_path)
        connection = gateway.connect()

        for _ in range(2):
            pieces = (FILE[i : i + 50_000] for i in range(0, len(FILE), 50_000))
            connection.request("POST", "/echo", pieces, encode_chunked=True)
            response = connection.getresponse()
            assert response.headers["Transfer-Encoding"] == "chunked"
            assert response.read() == FILE

        connection.close()


class TestClients:
    """Clients that others wrote, with a server that echoes."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        (path := tmp_path / "sent").write_bytes(FILE)
        return path

    @pytest.mark.tool("curl")
    def test_curl_get(self, echoing: Gateway) -> None:
        assert curl(f"{url(echoing)}/file") == FILE

    @pytest.mark.tool("curl")
    def test_curl_head(self, echoing: Gateway) -> None:
        head = curl("--head", f"{url(echoing)}/file")

        assert head.startswith(b"HTTP/1.1 200")
        assert b"\r\ncontent-length: %d\r\n" % len(FILE) in head.lower()

    @pytest.mark.tool("curl")
    @pytest.mark.parametrize("expect", ["", "100-continue"])
    def test_curl_post(self, echoing: Gateway, file: Path, expect: str) -> None:
        sent = curl("--data-binary", f"@{file}", "--header", f"Expect: {expect}", f"{url(echoing)}/echo")

        assert sent == FILE

    @pytest.mark.tool("curl")
    def test_curl_hears_100_before_it_sends(self, echoing: Gateway, file: Path, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        slow = ["--expect100-timeout", str(PATIENCE_SECONDS)]

        curl(
            *("--data-binary", f"@{file}", "--header", "Expect: 100-continue", *slow),
            *("--trace-ascii", str(trace), f"{url(echoing)}/echo"),
        )

        lines = trace.read_text(encoding="latin-1")
        assert 0 < lines.index("HTTP/1.1 100 Continue") < lines.index("=> Send data")

    @pytest.mark.tool("curl")
    def test_curl_upload_in_chunks(self, echoing: Gateway) -> None:
        assert curl("--upload-file", "-", f"{url(echoing)}/echo", send=FILE) == FILE

    @pytest.mark.tool("curl")
    @pytest.mark.parametrize("more", [[], ["--header", "Connection: keep-alive"]], ids=["close", "keep-alive"])
    @pytest.mark.parametrize("path", ["/file", "/echo"])
    def test_curl_http_1_0(self, echoing: Gateway, file: Path, path: str, more: list[str]) -> None:
        body = ["--data-binary", f"@{file}"] if path == "/echo" else []

        assert curl("--http1.0", *more, *body, f"{url(echoing)}{path}") == FILE

    @pytest.mark.tool("curl")
    def test_curl_keeps_its_connection(self, echoing: Gateway) -> None:
        urls = [argument for _ in range(5) for argument in ("-o", "/dev/null", f"{url(echoing)}/file")]

        told = curl(*urls, "--write-out", "%{http_code} %{num_connects}\n").decode().split("\n")

        assert told == ["200 1", *["200 0"] * 4, ""]

    def test_aiohttp_streams_both_ways(self, echoing: Gateway) -> None:
        """The client sends a piece only after the one before has come back."""

        async def converse() -> list[bytes]:
            came_back: asyncio.Queue[bytes] = asyncio.Queue()

            async def pieces() -> AsyncIterator[bytes]:
                for i in range(20):
                    yield b"piece %d;" % i
                    assert await came_back.get() == b"piece %d;" % i

            received = []
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{url(echoing)}/echo", data=pieces()) as answer,
            ):
                async for piece in answer.content.iter_any():
                    received.append(piece)
                    came_back.put_nowait(piece)
            return received

        received = asyncio.run(asyncio.wait_for(converse(), PATIENCE_SECONDS))

        assert received == [b"piece %d;" % i for i in range(20)]

    def test_aiohttp_many_at_a_time(self, echoing: Gateway) -> None:
        async def echo(session: aiohttp.ClientSession, i: int) -> bool:
            async with session.post(f"{url(echoing)}/echo", data=b"%d" % i * 1000) as answer:
                return await answer.read() == b"%d" % i * 1000

        async def converse() -> list[bool]:
            async with aiohttp.ClientSession() as session:
                return await asyncio.gather(*(echo(session, i) for i in range(300)))

        assert all(asyncio.run(asyncio.wait_for(converse(), PATIENCE_SECONDS)))


class TestLoad:
    """Programs that make load: nothing fails."""

    @pytest.mark.tool("wrk")
    def test_wrk(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin)), workers=2)

        told = run("wrk", "--threads", "1", "--connections", "16", "--duration", "1s", f"{url(gateway)}/a").decode()

        assert re.search(r"[1-9]\d* requests in", told)
        assert "Socket errors" not in told
        assert "Non-2xx" not in told

    @pytest.mark.tool("h2load")
    def test_h2load(self, start_gateway: Callable[..., Gateway], origin: Origin) -> None:
        gateway = start_gateway(config(route("/a", origin)), workers=2)

        told = run("h2load", "--h1", "-n", "2000", "-c", "16", "-t", "1", f"{url(gateway)}/a").decode()

        assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in told
        assert "status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx" in told


class TestBackends:
    """Backends that are gone, busy, or not alike."""

    def test_the_next_one_answers_for_one_that_refuses(
        self, start_gateway: Callable[..., Gateway], origin: Origin
    ) -> None:
        with Origin() as gone:
            pass
        gateway = start_gateway(config(route("/a", gone, origin)), workers=2)

        answers = [gateway.request("POST", "/a", b"body") for _ in range(10)]

        assert [answer.status for answer in answers] == [200] * 10
        assert [received.body for received in origin.received] == [b"body"] * 10

    def test_a_post_does_not_take_a_connection_that_the_backend_has_closed(
        self, start_gateway: Callable[..., Gateway]
    ) -> None:
        """The workers stand still while the backend closes and the client sends, so that they find both at once."""
        with Backend() as backend:
            gateway = start_gateway(config(route("/a", backends=[backend.entry])), workers=2)
            client = gateway.connect()

            client.request("POST", "/a", b"first")
            kept = backend.accept()
            assert kept.receive_request().endswith(b"first")
            kept.answer()
            assert client.getresponse().read() == b"hello"

            workers = workers_of(gateway)
            for worker in workers:
                stop(worker)
            client.request("POST", "/a", b"second")
            kept.close()
            for worker in workers:
                os.kill(worker, SIGCONT)

            fresh = backend.accept()
            assert fresh.receive_request().endswith(b"second")
            fresh.answer()
            response = client.getresponse()
            assert (response.status, response.read()) == (200, b"hello")
            fresh.close()
            client.close()

    def test_weights_are_exact_over_all_workers(self, start_gateway: Callable[..., Gateway]) -> None:
        with Origin() as heavy, Origin() as light:
            backends = [heavy.backend | {"weight": 2}, light.backend]
            router = route("/a", backends=backends, load_balancing_strategy="weighted")
            gateway = start_gateway(config(router), workers=2)

            for _ in range(30):
                assert gateway.request("GET", "/a").status == 200

            assert (len(heavy.received), len(light.received)) == (20, 10)

    def test_least_connections_avoids_a_busy_backend(self, start_gateway: Callable[..., Gateway]) -> None:
        with Origin() as first, Origin() as second:
            router = route("/a", first, second, load_balancing_strategy="least_connections")
            gateway = start_gateway(config(router), workers=2)
            first.hold()
            second.hold()
            clients = [gateway.connect() for _ in range(6)]
            for number, client in enumerate(clients, 1):
                client.request("GET", "/a")
                # A request that is on its way to its backend counts a moment later.
                while len(first.received) + len(second.received) < number:
                    gateway.request("GET", "/live")
            assert len(first.received) == 3
            second.release()
            wait_until(lambda: len(select.select([client.sock for client in clients], [], [], 0)[0]) == 3, gateway)

            # An answer may be here a moment before it is counted, which three that are held outweigh.
            for _ in range(10):
                assert gateway.request("GET", "/a").status == 200

            assert (len(first.received), len(second.received)) == (3, 13)
            first.release()
            for client in clients:
                assert client.getresponse().read() == b"hello"
                client.close()


@pytest.mark.tool("openssl")
class TestHttps:
    """Backends with certificates of an authority that only the config knows."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> Authority:
        (folder := tmp_path / "authority").mkdir()
        return Authority(folder)

    @pytest.fixture
    def ask(self, start_gateway: Callable[..., Gateway], authority: Authority) -> Callable[..., Answer]:
        def ask_a_backend_that_is(name: str, **tls: object) -> Answer:
            with Origin(tls=authority.server(name)) as origin:
                router = route("/a", backends=[origin.backend | ({"tls": tls} if tls else {})])
                gateway = start_gateway(config(router), workers=2)
                answers = [gateway.request("POST", "/a", b"body") for _ in range(4)]
                assert len({answer.status for answer in answers}) == 1
                served = [received.body for received in origin.received]
                assert served == ([b"body"] * 4 if answers[0].status == 200 else [])
                return answers[0]

        return ask_a_backend_that_is

    def test_is_trusted_with_its_authority(self, ask: Callable[..., Answer], authority: Authority) -> None:
        assert ask(f"IP:{HOST}", ca_file=str(authority.ca_file)).body == b"hello"

    def test_is_found_under_the_name_that_is_asked_for(self, ask: Callable[..., Answer], authority: Authority) -> None:
        assert ask("DNS:a.example", ca_file=str(authority.ca_file), server_name="a.example").status == 200

    def test_has_another_name(self, ask: Callable[..., Answer], authority: Authority) -> None:
        answer = ask("DNS:other.example", ca_file=str(authority.ca_file))

        assert (answer.status, answer.json()["reason"]) == (502, "tls_name_mismatch")

    def test_is_unknown_to_the_system(self, ask: Callable[..., Answer]) -> None:
        answer = ask(f"IP:{HOST}")

        assert (answer.status, answer.json()["reason"]) == (502, "tls_unknown_authority")

    def test_is_not_verified_where_nobody_wants_that(self, ask: Callable[..., Answer]) -> None:
        assert ask("DNS:other.example", verify=False).status == 200


def url(gateway: Gateway) -> str:
    """Return the start of all addresses of a gateway."""
    return f"http://{HOST}:{gateway.port}"


def curl(*arguments: str, send: bytes | None = None) -> bytes:
    """Run curl, which must succeed, without the settings of whoever runs the tests; return what it writes."""
    return run("curl", "--disable", "--silent", "--show-error", "--fail", "--noproxy", "*", *arguments, send=send)


def run(*command: str, send: bytes | None = None) -> bytes:
    """Run a client that must succeed, and return what it writes."""
    done = subprocess.run(command, input=send, capture_output=True, timeout=2 * PATIENCE_SECONDS)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout
