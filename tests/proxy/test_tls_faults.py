"""Why TLS with a backend fails, told by real handshakes."""

import ssl
from datetime import timedelta

import pytest

from kairos.proxy.tls_faults import CLOSED, Fault, fault
from kairos.proxy.upstream_tls import UpstreamTls
from tests import pki
from tests.pki import DAY
from tests.proxy.handshakes import Conversation, backend

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pki.Certificate:
    return pki.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def well(ca: pki.Certificate) -> pki.Certificate:
    return ca.issue("well", "well.example")


def met(ca: pki.Certificate, server: ssl.SSLContext, **tls: object) -> Fault:
    """Connect to a server, and return what goes wrong."""
    conversation = Conversation(UpstreamTls(backend(**{"ca_file": str(ca.cert), **tls})), server).shakes_hands()
    error = conversation.error or conversation.reads()
    assert error is not None
    return fault(error)


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [(-2 * DAY, -DAY, "tls_certificate_expired"), (DAY, 2 * DAY, "tls_certificate_not_yet_valid")],
)
def test_a_certificate_has_its_time(ca: pki.Certificate, begins: timedelta, ends: timedelta, reason: str) -> None:
    server = ca.issue("timely", "well.example", begins=begins, ends=ends).server()
    assert met(ca, server).reason == reason


def test_an_authority_has_to_be_known(ca: pki.Certificate, well: pki.Certificate) -> None:
    assert met(ca, well.server(), ca_file=None).reason == "tls_unknown_authority"


def test_nobody_vouches_for_himself(ca: pki.Certificate) -> None:
    own = pki.issued(ca.folder, "own", ("well.example",), None).server()
    assert met(ca, own) == Fault(
        "tls_unknown_authority", "the certificate of the backend is self-signed and not trusted"
    )


def test_a_chain_has_to_be_whole(ca: pki.Certificate) -> None:
    between = ca.issue("between", is_authority=True)
    leaf = between.issue("leaf", "well.example")
    found = met(ca, leaf.server())
    assert (found.reason, "chain is incomplete" in found.message) == ("tls_unknown_authority", True)

    leaf.write(between)
    whole = Conversation(UpstreamTls(backend(ca_file=str(ca.cert))), leaf.server()).shakes_hands()
    assert whole.error is None


@pytest.mark.parametrize("server_name", ["other.example", "127.0.0.1"])
def test_another_name_is_not_repeated_to_clients(ca: pki.Certificate, well: pki.Certificate, server_name: str) -> None:
    found = met(ca, well.server(), server_name=server_name)
    assert (found.reason, server_name in found.message) == ("tls_name_mismatch", False)


def test_a_certificate_for_clients_is_none_for_a_server(ca: pki.Certificate) -> None:
    found = met(ca, ca.issue("client", "well.example", usage="client").server())
    assert (found.reason, "purpose" in found.message) == ("tls_not_verified", True)


@pytest.mark.parametrize(
    ("version", "reason"), [(V12, "tls_handshake_refused"), (V13, "tls_client_certificate_required")]
)
def test_a_client_certificate_is_required(
    ca: pki.Certificate, well: pki.Certificate, version: ssl.TLSVersion, reason: str
) -> None:
    """Up to TLS 1.2 the alert is that of any refusal (RFC 5246 section 7.4.6)."""
    found = met(ca, only(version, well.server(client_ca=ca)))
    assert (found.reason, found.is_about_us) == (reason, version is V13)


@pytest.mark.parametrize("version", [V12, V13])
def test_a_client_certificate_is_refused(ca: pki.Certificate, well: pki.Certificate, version: ssl.TLSVersion) -> None:
    stranger = pki.authority(ca.folder, "elsewhere").issue("stranger")
    expired = ca.issue("expired", begins=-2 * DAY, ends=-DAY)
    server = only(version, well.server(client_ca=ca))
    found = [met(ca, server, client_cert=str(one.cert), client_key=str(one.key)) for one in (stranger, expired)]

    assert {one.reason for one in found} == {"tls_client_certificate_refused"}
    assert [one.message.rpartition(": ")[2] for one in found] == ["it does not trust who signed it", "it has expired"]
    assert all(one.is_about_us for one in found)


def test_there_is_no_version_in_common(ca: pki.Certificate, well: pki.Certificate) -> None:
    assert met(ca, only(V12, well.server()), min_version="1.3").reason == "tls_protocol_version"


def test_there_is_no_cipher_in_common(ca: pki.Certificate, well: pki.Certificate) -> None:
    server = only(V12, well.server())
    server.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its key is not RSA
    assert met(ca, server).reason == "tls_handshake_refused"


def test_the_name_is_not_known_to_the_backend(ca: pki.Certificate, well: pki.Certificate) -> None:
    server = well.server()
    server.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    assert met(ca, server).reason == "tls_name_refused"


@pytest.mark.parametrize(
    "says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example ESMTP\r\n", b"SSH-2.0-OpenSSH\r\n"]
)
def test_something_else_is_spoken(ca: pki.Certificate, says: bytes) -> None:
    incoming = ssl.MemoryBIO()
    ours = UpstreamTls(backend()).wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="well.example")
    incoming.write(says)
    with pytest.raises(ssl.SSLError) as failed:
        ours.do_handshake()
    assert fault(failed.value).reason == "tls_not_spoken"


def test_the_backend_closes(ca: pki.Certificate) -> None:
    incoming = ssl.MemoryBIO()
    ours = UpstreamTls(backend()).wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="well.example")
    incoming.write_eof()
    with pytest.raises(ssl.SSLError) as failed:
        ours.do_handshake()
    assert fault(failed.value) is CLOSED


def test_what_is_not_known_is_told_as_openssl_does() -> None:
    error = ssl.SSLError(1, "bad")
    assert fault(error) == Fault("tls_failed", "no reason")
    error.reason = "SSLV3_ALERT_BAD_RECORD_MAC"
    assert fault(error) == Fault("tls_failed", "sslv3 alert bad record mac")


def only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    """Let a server speak one version alone."""
    context.minimum_version = context.maximum_version = version
    return context
