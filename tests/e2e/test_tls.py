"""TLS on the gateway's listeners, with real clients: certificates by name, client certificates, resumption, changes."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM
from time import monotonic, sleep
from typing import Any

import pytest

from tests.e2e.certificates import Authority
from tests.e2e.configs import config, route
from tests.e2e.gateway import HOST, Gateway
from tests.e2e.log import PATIENCE_SECONDS
from tests.e2e.origin import Origin, Received

LARGE = bytes(range(256)) * 16384  # 4 MiB
HEADS = ("X-Forwarded-Proto", "X-Client-Cert-Verified", "X-Client-Cert-Subject", "X-Client-Cert-Fingerprint")


def answer(request: Received) -> bytes:
    """Tell what the gateway says of the client; at /large much, and at /echo what came."""
    body = "\n".join("|".join(request.fields(name)) for name in HEADS).encode()
    if request.target == "/large":
        body = LARGE
    elif request.target == "/echo":
        body = request.body
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Scene:
    """A gateway with two workers, a plain listener, and TLS with and without certificates of clients."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        names = "DNS:a.test,DNS:alias.test"
        self.authority.issue("first", "DNS:first.test,IP:127.0.0.1")
        self.authority.issue("a-ec", names)
        self.authority.issue("a-rsa", names, kind="rsa")
        self.authority.issue("wild", "DNS:elsewhere.test")
        self.authority.issue("client", "DNS:client", subject="/O=Ännchen, Inc/CN=alice")
        (folder / "strange").mkdir()
        Authority(folder / "strange").issue("client", "DNS:client", subject="/CN=mallory")
        (folder / "now").mkdir()
        self.put("changing", "a-ec")
        self.origin = running.enter_context(Origin(answer))
        pairs = [pair("first"), pair("a-rsa"), pair("a-ec"), pair("wild", hosts=["*.wild.test"])]
        asking = {**pair("first"), "certificates": [pair("a-ec")], "client_ca": "ca.pem"}
        listeners = [
            {"host": HOST, "port": 0},
            {"host": HOST, "port": 0, "tls": {"certificates": pairs}},
            {"host": HOST, "port": 0, "tls": {**asking, "client_auth": "optional"}},
            {"host": HOST, "port": 0, "tls": {**asking, "client_auth": "required"}},
            {"host": HOST, "port": 0, "tls": pair("changing")},
        ]
        routes = [route(path, self.origin) for path in ("/", "/large", "/echo")]
        more = {"timeouts": {"tls_handshake_seconds": 1}, "server": {"listeners": listeners}}
        self.config = config(*routes, security_headers={"strict_transport_security": "max-age=60"}, **more)
        self.gateway = running.enter_context(Gateway(folder, self.config, workers=2))
        found = self.gateway.log.wait_for(rf"serves http://{HOST}:\d+" + rf", https://{HOST}:(\d+)" * 4)
        self.port, self.optional, self.required, self.changing = map(int, found.groups())

    def put(self, name: str, source: str) -> None:
        """Let another pair have a name, as programs do that renew certificates: by renaming."""
        for suffix in (".pem", ".key"):
            shutil.copy(self.folder / f"{source}{suffix}", self.folder / "now" / "draft")
            (self.folder / "now" / "draft").replace(self.folder / f"{name}{suffix}")

    def context(self, client: str | None = None, **more: Any) -> ssl.SSLContext:
        """Return what a client needs that trusts our authority."""
        context = ssl.create_default_context(cafile=str(self.authority.ca_file))
        if client is not None:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        for name, value in more.items():
            setattr(context, name, value)
        return context

    def connect(
        self, port: int, name: str = "a.test", context: ssl.SSLContext | None = None, **more: Any
    ) -> ssl.SSLSocket:
        """Shake hands."""
        sock = socket.create_connection((HOST, port), PATIENCE_SECONDS)
        return (context or self.context()).wrap_socket(sock, server_hostname=name, **more)

    def names(self, port: int, name: str) -> set[str]:
        """Return the names in the certificate that is shown to who asks for `name`."""
        context = self.context(check_hostname=False)
        with self.connect(port, name, context) as sock:
            return {value for _, value in sock.getpeercert()["subjectAltName"]}  # type: ignore[index]

    def serial(self) -> str:
        """Return the number of the certificate of the listener whose certificate changes."""
        with self.connect(self.changing, context=self.context(check_hostname=False)) as sock:
            return str(sock.getpeercert()["serialNumber"])  # type: ignore[index]

    def serial_of(self, name: str) -> str:
        """Return the number of a certificate in a file."""
        command = ["openssl", "x509", "-noout", "-serial", "-in", str(self.folder / f"{name}.pem")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]


def pair(name: str, **more: object) -> dict[str, object]:
    return {"cert_file": f"{name}.pem", "key_file": f"{name}.key", **more}


def ask(
    sock: socket.socket, path: str = "/", host: str = "a.test", more: str = "", body: bytes = b""
) -> tuple[str, bytes]:
    """Send a request, and return the head and the body of the answer."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    method = "POST" if body else "GET"
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{more}\r\n".encode() + body)
    return receive(sock)


def receive(sock: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, f"the end after {data!r}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
    pieces, size = [body], len(body)
    while size < length:
        pieces.append(sock.recv(65536))
        size += len(pieces[-1])
        assert pieces[-1], "the end of the connection"
    return head.decode("latin-1"), b"".join(pieces)


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert monotonic() < deadline
        sleep(0.02)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as running:
        yield Scene(tmp_path_factory.mktemp("tls"), running)


# Names and versions.


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("a.test", "alias.test"),
        ("ALIAS.test", "alias.test"),
        ("x.wild.test", "elsewhere.test"),
        ("first.test", "first.test"),
        ("x.y.wild.test", "first.test"),
        ("wild.test", "first.test"),
        ("nobody.test", "first.test"),
        ("127.0.0.1", "first.test"),
    ],
)
def test_each_name_has_its_certificate_and_the_first_is_for_all_others(scene: Scene, asked: str, shown: str) -> None:
    assert shown in scene.names(scene.port, asked)


def test_who_knows_one_kind_of_keys_gets_that(scene: Scene) -> None:
    kinds = {}
    for kind, cipher in (("RSA", "ECDHE-RSA-AES128-GCM-SHA256"), ("EC", "ECDHE-ECDSA-AES128-GCM-SHA256")):
        context = scene.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(cipher)
        with scene.connect(scene.port, context=context) as sock:
            kinds[kind] = sock.cipher()[0]  # type: ignore[index]
    assert kinds == {"RSA": "ECDHE-RSA-AES128-GCM-SHA256", "EC": "ECDHE-ECDSA-AES128-GCM-SHA256"}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_http_over_each_version_and_says_so_to_backends(scene: Scene, version: ssl.TLSVersion) -> None:
    context = scene.context(minimum_version=version, maximum_version=version)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with scene.connect(scene.port, context=context) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
        head, body = ask(sock, more="X-Client-Cert-Subject: CN=admin\r\nX-Client-Cert-Verified: SUCCESS\r\n")
        assert body.decode().split("\n") == ["https", "", "", ""]
        assert "Strict-Transport-Security: max-age=60" in head
        assert ask(sock)[1].startswith(b"https")  # the connection is kept


def test_who_speaks_nothing_but_http2_is_not_turned_away_in_the_handshake(scene: Scene) -> None:
    context = scene.context()
    context.set_alpn_protocols(["h2"])
    with scene.connect(scene.port, context=context) as sock:
        assert sock.selected_alpn_protocol() is None


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_versions_that_are_broken_are_refused(scene: Scene, version: str) -> None:
    command = ["openssl", "s_client", "-connect", f"{HOST}:{scene.port}", version, "-cipher", "ALL:@SECLEVEL=0"]
    said = subprocess.run(command, check=False, capture_output=True, input=b"", timeout=PATIENCE_SECONDS)
    assert b"alert protocol version" in said.stderr


AES_128, AES_256 = "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"
CHACHA = "TLS_CHACHA20_POLY1305_SHA256"


@pytest.mark.parametrize(
    ("suites", "suite"),
    [
        (f"{AES_256}:{CHACHA}:{AES_128}", AES_128),
        (f"{CHACHA}:{AES_256}:{AES_128}", CHACHA),
        (f"{AES_256}:{CHACHA}", AES_256),
    ],
)
def test_the_cipher_is_the_one_that_costs_least_for_both(scene: Scene, suites: str, suite: str) -> None:
    command = ["openssl", "s_client", "-connect", f"{HOST}:{scene.port}", "-ciphersuites", suites]
    said = subprocess.run(command, check=False, capture_output=True, input=b"", timeout=PATIENCE_SECONDS)
    assert f"Cipher is {suite}".encode() in said.stdout


def test_renegotiation_is_refused(scene: Scene) -> None:
    command = ["openssl", "s_client", "-connect", f"{HOST}:{scene.port}", "-tls1_2"]
    said = subprocess.run(command, check=False, capture_output=True, input=b"R\n", timeout=PATIENCE_SECONDS)
    assert b"no renegotiation" in said.stderr


def test_names_that_are_none_leave_no_traceback(scene: Scene) -> None:
    command = ["openssl", "s_client", "-connect", f"{HOST}:{scene.port}", "-servername", b"\xff\xfe"]
    said = subprocess.run(command, check=False, capture_output=True, input=b"", timeout=PATIENCE_SECONDS)
    assert b"alert" in said.stderr
    assert "Exception ignored" not in str(scene.gateway.log)


def test_plain_http_is_told_that_it_is_at_the_wrong_port(scene: Scene) -> None:
    with socket.create_connection((HOST, scene.port), PATIENCE_SECONDS) as sock:
        head, body = ask(sock)
        assert head.startswith("HTTP/1.1 400 ")
        assert b"HTTPS port" in body
        assert sock.recv(1) == b""


# Bytes.


def test_large_bodies_pass_both_ways_with_readers_that_are_slow(scene: Scene) -> None:
    with scene.connect(scene.port) as sock:
        assert ask(sock, "/echo", body=LARGE)[1] == LARGE
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n")
        sleep(0.2)  # until the buffers are full
        assert receive(sock)[1] == LARGE
        assert ask(sock, "/echo", body=b"x")[1] == b"x"


def test_requests_that_come_at_once_are_answered_in_order(scene: Scene) -> None:
    with scene.connect(scene.port) as sock:
        request = b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\n%d"
        sock.sendall(b"".join(request % number for number in range(10)))
        data = b""
        while data.count(b"HTTP/1.1 200") < 10 or not data.endswith(b"9"):
            data += sock.recv(65536)
        assert re.findall(rb"\r\n\r\n(\d)", data) == [b"%d" % number for number in range(10)]


def test_the_end_is_told_with_close_notify(scene: Scene) -> None:
    with scene.connect(scene.port, suppress_ragged_eofs=False) as sock:
        ask(sock, more="Connection: close\r\n")
        assert sock.recv(1) == b""  # else ssl.SSLEOFError


def test_an_answer_to_a_request_that_goes_on_arrives_whole(scene: Scene) -> None:
    with scene.connect(scene.port) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: a.test\r\nContent-Length: 99999999999\r\n\r\n")
        with pytest.raises(OSError):
            for _ in range(1000):
                sock.sendall(bytes(65536))
                sock.setblocking(False)
                try:
                    if sock.recv(1) in (b"", b"H"):
                        raise ConnectionResetError
                except ssl.SSLWantReadError:
                    pass
                sock.settimeout(PATIENCE_SECONDS)


def test_who_leaves_without_a_word_does_no_harm(scene: Scene) -> None:
    for _ in range(3):
        sock = scene.connect(scene.port)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n")
        sock.close()  # without close_notify, in the middle of the answer
    socket.create_connection((HOST, scene.port), PATIENCE_SECONDS).close()
    with scene.connect(scene.port) as sock:
        assert ask(sock)[0].startswith("HTTP/1.1 200")


def test_who_does_not_shake_hands_is_closed_in_time(scene: Scene) -> None:
    with socket.create_connection((HOST, scene.port), PATIENCE_SECONDS) as sock:
        sock.sendall(b"\x16\x03\x01")
        assert sock.recv(1) == b""
    scene.gateway.log.wait_for(r"tls_handshake_seconds")


# Certificates of clients.


def test_who_shows_a_certificate_is_told_to_backends(scene: Scene) -> None:
    for port in (scene.optional, scene.required):
        with scene.connect(port, context=scene.context("client")) as sock:
            _, verified, subject, fingerprint = (
                ask(sock, more="X-Client-Cert-Subject: CN=admin\r\n")[1].decode().split("\n")
            )
            assert (verified, subject) == ("SUCCESS", "CN=alice,O=\\C3\\84nnchen\\, Inc")
            assert re.fullmatch("[0-9a-f]{64}", fingerprint)


def test_a_certificate_may_be_missing_where_it_is_optional(scene: Scene) -> None:
    with scene.connect(scene.optional) as sock:
        forged = (
            "X-Client-Cert-Subject: CN=admin\r\nX-Client-Cert-Verified: SUCCESS\r\nX_Client_Cert_Subject: CN=admin\r\n"
        )
        assert ask(sock, more=forged)[1].decode().split("\n") == ["https", "NONE", "", ""]


@pytest.mark.parametrize("client", [None, "strange/client"])
def test_who_shows_none_or_another_is_refused_where_it_is_required(scene: Scene, client: str | None) -> None:
    context = scene.context(client)
    with pytest.raises(OSError), scene.connect(scene.required, context=context) as sock:
        ask(sock)
    scene.gateway.log.wait_for(r"the TLS handshake has failed")


def test_a_certificate_counts_for_the_name_that_was_asked_for(scene: Scene) -> None:
    with scene.connect(scene.required, context=scene.context("client")) as sock:
        assert ask(sock, host="A.TEST:443")[0].startswith("HTTP/1.1 200")
        assert ask(sock, host="first.test")[0].startswith("HTTP/1.1 421")
    with scene.connect(scene.port) as sock:
        assert ask(sock, host="first.test")[0].startswith("HTTP/1.1 200")


# Sessions and changes.


def session(sock: ssl.SSLSocket) -> ssl.SSLSession:
    ask(sock)  # with TLS 1.3 tickets come after the handshake
    assert sock.session is not None
    return sock.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_all_workers(scene: Scene, version: ssl.TLSVersion) -> None:
    context = scene.context(minimum_version=version, maximum_version=version)
    with scene.connect(scene.port, context=context) as sock:
        ticket = session(sock)
    for _ in range(12):  # the kernel spreads them over the workers
        with scene.connect(scene.port, context=context, session=ticket) as sock:
            assert sock.session_reused
            ticket = session(sock)


def test_a_session_with_a_certificate_keeps_it(scene: Scene) -> None:
    context = scene.context("client")
    with scene.connect(scene.required, context=context) as sock:
        ticket = session(sock)
    with scene.connect(scene.required, context=context, session=ticket) as sock:
        assert sock.session_reused
        assert b"CN=alice" in ask(sock)[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_new_certificate_is_used_in_time_and_open_connections_go_on(scene: Scene, version: ssl.TLSVersion) -> None:
    context = scene.context(minimum_version=version, maximum_version=version)
    with scene.connect(scene.changing, context=context) as sock:
        ticket = session(sock)
        scene.authority.issue("fresh", "DNS:a.test")
        scene.put("changing", "fresh")
        before = monotonic()
        eventually(lambda: {scene.serial() for _ in range(8)} == {scene.serial_of("fresh")})
        assert monotonic() - before < PATIENCE_SECONDS
        assert ask(sock)[0].startswith("HTTP/1.1 200")
    with scene.connect(scene.changing, context=context, session=ticket) as sock:
        assert sock.session_reused


def test_links_that_are_swapped_are_a_change_and_a_dead_worker_has_the_last(scene: Scene) -> None:
    for number in (1, 2):
        scene.authority.issue(f"linked{number}", "DNS:a.test")
        version = scene.folder / f"version{number}"
        version.mkdir()
        for suffix in ("pem", "key"):
            shutil.copy(scene.folder / f"linked{number}.{suffix}", version / f"tls.{suffix}")
        (scene.folder / "next").symlink_to(version)
        (scene.folder / "next").replace(scene.folder / "current")
        for suffix in ("pem", "key"):
            link = scene.folder / f"link.{suffix}"
            link.symlink_to(scene.folder / "current" / f"tls.{suffix}")
            if number == 1:
                link.replace(scene.folder / f"changing.{suffix}")
            else:
                link.unlink()
        eventually(lambda number=number: scene.serial() == scene.serial_of(f"linked{number}"))  # type: ignore[misc]
    with scene.connect(scene.changing):
        found = scene.gateway.log
        workers = subprocess.run(
            ["pgrep", "-P", str(scene.gateway.process.pid)], check=True, capture_output=True, text=True
        ).stdout.split()
        since = len(found)
        subprocess.run(["kill", f"-{SIGKILL}", *workers], check=True)
        found.wait_for(r"it is replaced", since)
    eventually(lambda: _is_served(scene))
    assert {scene.serial() for _ in range(8)} == {scene.serial_of("linked2")}


def _is_served(scene: Scene) -> bool:
    try:
        with scene.connect(scene.changing, context=scene.context(check_hostname=False)) as sock:
            return ask(sock)[0].startswith("HTTP/1.1 200")
    except OSError:
        return False


@pytest.mark.parametrize("damage", ["garbage", "other key", "gone"])
def test_a_broken_file_is_told_once_and_changes_nothing(scene: Scene, damage: str) -> None:
    scene.authority.issue("good", "DNS:a.test")
    scene.put("changing", "good")
    eventually(lambda: scene.serial() == scene.serial_of("good"))
    since = len(scene.gateway.log)
    key = scene.folder / "changing.key"
    if damage == "garbage":
        key.write_text("nonsense")
    elif damage == "other key":
        shutil.copy(scene.folder / "first.key", key)
    else:
        key.unlink()
    line = scene.gateway.log.wait_for(r"key_file: .*what was there before stays in use", since).string
    assert "changing.key" in line
    assert scene.serial() == scene.serial_of("good")
    scene.authority.issue("better", "DNS:a.test")
    scene.put("changing", "better")
    eventually(lambda: scene.serial() == scene.serial_of("better"))
    lines = str(scene.gateway.log).splitlines()[since:]
    assert sum("key_file" in line for line in lines) == 1


def test_a_reload_brings_other_certificates(scene: Scene) -> None:
    given = scene.config
    listeners = [dict(one) for one in given["server"]["listeners"]]  # type: ignore[index]
    listeners[1] = {**listeners[1], "tls": pair("a-ec")}
    scene.gateway.reload({**given, "server": {"listeners": listeners}}, "in force")
    eventually(lambda: "alias.test" in scene.names(scene.port, "nobody.test"))
    listeners[1] = {**listeners[1], "tls": pair("nowhere")}
    scene.gateway.write({**given, "server": {"listeners": listeners}})
    since = len(scene.gateway.log)
    scene.gateway.send(SIGHUP)
    scene.gateway.log.wait_for(r"/server/listeners/1/tls/cert_file: Cannot read", since)
    assert "alias.test" in scene.names(scene.port, "nobody.test")
    scene.gateway.reload(given, "in force")
    eventually(lambda: "first.test" in scene.names(scene.port, "nobody.test"))


def test_a_drain_ends_connections_and_waits_for_nobody_who_is_silent(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("first", "DNS:a.test")
    listeners = [
        {"host": HOST, "port": 0},
        {"host": HOST, "port": 0, "tls": {"cert_file": str(certificate), "key_file": str(key)}},
    ]
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with Origin(answer) as origin:
        given = config(*(route(path, origin) for path in ("/", "/large")), server={"listeners": listeners})
        with Gateway(tmp_path, given, workers=2) as gateway, ExitStack() as clients:
            port = int(gateway.log.wait_for(rf"serves http://{HOST}:\d+, https://{HOST}:(\d+)")[1])

            def connect() -> socket.socket:
                return clients.enter_context(socket.create_connection((HOST, port), PATIENCE_SECONDS))

            def shake() -> ssl.SSLSocket:
                return clients.enter_context(context.wrap_socket(connect(), server_hostname="a.test"))

            silent, idle, busy = connect(), shake(), shake()
            ask(idle)
            busy.sendall(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n")
            origin.wait_for(2)
            gateway.send(SIGTERM)
            gateway.log.wait_for("draining")
            assert receive(busy)[1] == LARGE
            assert idle.recv(1) == b""
            assert silent.recv(1) == b""
            assert gateway.process.wait(PATIENCE_SECONDS) == 0
