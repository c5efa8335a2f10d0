"""Compressed answers and changed JSON bodies through real sockets, threads and clients, with two workers."""

import asyncio
import http.client
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.decoding import Decoder, decoded
from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin, Received, read_body, read_head

CODINGS = ("br", "zstd", "gzip")
TEXT = b"".join(b'{"number":%d,"square":%d}\n' % (number, number * number) for number in range(60_000))
LINE = b"all work and no play\n"


class Library(Origin):
    """A backend with a long text, in several framings, and with events that come when they are told to."""

    def __init__(self) -> None:
        super().__init__(self.tell)
        self.next_event = asyncio.Event()

    def tell(self, request: Received) -> bytes:
        """Answer by the path."""
        body, of_type = (request.body, b"application/json") if request.target == "/json" else (TEXT, b"text/plain")
        if request.target == "/short":
            body = LINE
        head = b'HTTP/1.1 200 OK\r\nContent-Type: %b\r\nETag: "1"\r\n' % of_type
        if request.target == "/chunked":
            pieces = (TEXT[at : at + 7919] for at in range(0, len(TEXT), 7919))
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        return head if request.method == "HEAD" else head + body

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send events, or break off in the middle, or answer as told."""
        while head := await read_head(reader):
            request = Received(0, head, await read_body(reader, head))
            if request.target == "/events":
                await self.send_events(writer)
                return
            if request.target == "/dying":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n")
                writer.write(TEXT[:500_000])
                await writer.drain()
                return
            writer.write(self.tell(request))
            await writer.drain()

    async def send_events(self, writer: asyncio.StreamWriter) -> None:
        """Send each event when it is told to."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for number in range(3):
            await self.next_event.wait()
            self.next_event.clear()
            writer.write(b"data: %d\n\n" % number)
            await writer.drain()

    def send_event(self) -> None:
        """Let the next event come."""
        self._loop.call_soon_threadsafe(self.next_event.set)


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    with Library() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    rules = {"rules": [{"action": "set", "pointer": "/by", "value": "kairos"}]}
    change = {"json_body": {**rules, "otherwise": "fail"}}
    given = config(
        route("/json", library, request_transformation=change, response_transformation=change),
        route("/plain", library, compression={"enabled": False}),
        {**route("/{rest...}", library), "methods": ["GET", "HEAD"]},
        compression={"event_streams": True},
    )
    with Gateway(tmp_path_factory.mktemp("compression"), given, workers=2) as running:
        yield running


def accepts(coding: str) -> dict[str, str]:
    return {"Accept-Encoding": coding}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path", ["/counted", "/chunked"])
def test_a_client_reads_what_the_backend_sent(gateway: Gateway, path: str, coding: str) -> None:
    answer = gateway.request("GET", path, headers=accepts(coding))

    assert answer.headers["Content-Encoding"] == coding
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers.get_all("Vary") == ["Accept-Encoding"]
    assert len(answer.body) < len(TEXT) / 3
    assert decoded(coding, answer.body) == TEXT


@pytest.mark.tool("curl")
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("path", ["/counted", "/chunked", "/short"])
def test_curl_reads_it(gateway: Gateway, path: str, coding: str) -> None:
    command = ["curl", "--silent", "--show-error", "--fail", "--compressed", "-H", f"Accept-Encoding: {coding}"]
    result = subprocess.run(
        [*command, f"http://{HOST}:{gateway.port}{path}"], capture_output=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert result.stdout == (LINE if path == "/short" else TEXT)


def test_who_does_not_ask_gets_it_as_it_is(gateway: Gateway) -> None:
    for path, vary in (("/counted", "Accept-Encoding"), ("/short", None), ("/plain", None)):
        answer = gateway.request("GET", path)
        assert (answer.headers["Content-Encoding"], answer.headers["Vary"]) == (None, vary)
        assert answer.headers["ETag"] == '"1"'
        assert answer.body == (LINE if path == "/short" else TEXT)
    assert gateway.request("GET", "/plain", headers=accepts("gzip")).headers["Content-Encoding"] is None


def test_many_at_once_get_each_their_own(gateway: Gateway) -> None:
    def ask(number: int) -> bool:
        coding = CODINGS[number % 3]
        answer = gateway.request("GET", ("/counted", "/chunked")[number % 2], headers=accepts(coding))
        return decoded(coding, answer.body) == TEXT

    with ThreadPoolExecutor(8) as clients:
        assert all(clients.map(ask, range(24)))


def test_one_connection_serves_on(gateway: Gateway) -> None:
    connection = gateway.connect()
    for method, coding in (("GET", "br"), ("HEAD", "br"), ("GET", "gzip"), ("GET", "identity")):
        connection.request(method, "/counted", headers=accepts(coding))
        response = connection.getresponse()
        body = response.read()
        assert response.headers["Content-Encoding"] == (None if coding == "identity" else coding)
        if method == "HEAD":
            assert body == b""
            assert response.headers["Content-Length"] is None
        else:
            assert (body if coding == "identity" else decoded(coding, body)) == TEXT
    connection.close()


@pytest.mark.parametrize("coding", CODINGS)
def test_each_event_comes_before_the_next_is_sent(gateway: Gateway, library: Library, coding: str) -> None:
    connection, reader = gateway.connect(), Decoder(coding)
    library.send_event()
    connection.request("GET", "/events", headers=accepts(coding))
    response = connection.getresponse()
    assert response.headers["Content-Encoding"] == coding

    for number in range(3):
        event = b""
        while event != b"data: %d\n\n" % number:
            event += reader.feed(response.read1(1000))
        if number < 2:
            library.send_event()
    while rest := response.read1(1000):
        reader.feed(rest)
    assert reader.is_whole
    connection.close()


def test_a_backend_that_dies_leaves_a_body_that_is_cut(gateway: Gateway) -> None:
    connection = gateway.connect()
    connection.request("GET", "/dying", headers=accepts("gzip"))
    with pytest.raises((http.client.IncompleteRead, ConnectionError, http.client.BadStatusLine)):
        connection.getresponse().read()
    connection.close()


def test_json_is_changed_both_ways_and_compressed(gateway: Gateway) -> None:
    value = {"name": "x" * 3000}
    headers = {"Content-Type": "application/json", **accepts("zstd")}

    answer = gateway.request("POST", "/json", body=json.dumps(value).encode(), headers=headers)

    assert answer.headers["Content-Encoding"] == "zstd"
    assert json.loads(decoded("zstd", answer.body)) == {**value, "by": "kairos"}
    refused = gateway.request("POST", "/json", body=b"{", headers=headers)
    assert (refused.status, refused.json()["reason"]) == (400, "json_invalid")
