"""TLS with backends: trust, client certificates, versions, and sessions that are resumed."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.document import Tls
from kairos.proxy.upstream_tls import SESSION_SECONDS, UpstreamTls, announces_end, context_of
from tests import pki
from tests.proxy.handshakes import Conversation, backend

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CLOSE_NOTIFY = b"\x17\x03\x03\0\x13" + bytes(19)
TICKET = b"\x17\x03\x03\0\xea" + bytes(234)
ANSWER = b"\x17\x03\x03\0\x40" + bytes(64)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> pki.Certificate:
    return pki.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def well(ca: pki.Certificate) -> pki.Certificate:
    return ca.issue("well", "well.example")


@pytest.fixture(params=[V12, V13], ids=["1.2", "1.3"])
def server(request: pytest.FixtureRequest, well: pki.Certificate) -> ssl.SSLContext:
    context = well.server()
    context.minimum_version = context.maximum_version = request.param
    return context


def connected(tls: UpstreamTls, server: ssl.SSLContext, now: float = 0.0) -> Conversation:
    """Open a connection, let the backend answer, and take the session."""
    conversation = Conversation(tls, server).shakes_hands().is_answered()
    tls.keep(conversation.ours, now)
    return conversation


def test_a_session_is_resumed(ca: pki.Certificate, server: ssl.SSLContext) -> None:
    tls = UpstreamTls(backend(ca_file=str(ca.cert)))
    assert not tls.may_resume(0.0)

    first, second, third = (connected(tls, server) for _ in range(3))

    assert [one.theirs.session_reused for one in (first, second, third)] == [False, True, True]
    assert tls.may_resume(0.0)


def test_backends_do_not_share_sessions_but_what_is_costly(ca: pki.Certificate, server: ssl.SSLContext) -> None:
    one, other = (UpstreamTls(backend(ca_file=str(ca.cert))) for _ in range(2))
    connected(one, server)

    assert not other.may_resume(0.0)
    assert context_of(Tls(server_name="a")) is context_of(Tls(server_name="b"))
    assert context_of(Tls(ca_file=str(ca.cert), ca_digest="1")) is not context_of(Tls(str(ca.cert), ca_digest="2"))


def test_a_certificate_is_looked_at_again_after_a_while(ca: pki.Certificate, server: ssl.SSLContext) -> None:
    """However often a session is resumed meanwhile."""
    tls = UpstreamTls(backend(ca_file=str(ca.cert)))
    connected(tls, server, now=0.0)
    connected(tls, server, now=SESSION_SECONDS)
    assert tls.may_resume(SESSION_SECONDS)

    assert not tls.may_resume(SESSION_SECONDS + 1)
    assert not connected(tls, server, now=SESSION_SECONDS + 1).theirs.session_reused
    assert connected(tls, server, now=SESSION_SECONDS + 1).theirs.session_reused


def test_a_session_that_was_refused_is_forgotten(ca: pki.Certificate, server: ssl.SSLContext) -> None:
    tls = UpstreamTls(backend(ca_file=str(ca.cert)))
    connected(tls, server)

    tls.forget()

    assert not connected(tls, server).theirs.session_reused


def test_a_server_that_knows_nothing_of_the_session_shakes_hands_in_full(
    ca: pki.Certificate, server: ssl.SSLContext, well: pki.Certificate
) -> None:
    tls = UpstreamTls(backend(ca_file=str(ca.cert)))
    connected(tls, server)

    restarted = connected(tls, well.server())

    assert restarted.error is None
    assert not restarted.theirs.session_reused


def test_a_server_without_sessions_leaves_nothing(ca: pki.Certificate, well: pki.Certificate) -> None:
    context = well.server()
    context.num_tickets = 0
    tls = UpstreamTls(backend(ca_file=str(ca.cert)))

    assert not connected(tls, context).theirs.session_reused
    assert not connected(tls, context).theirs.session_reused


def test_the_backend_is_shown_the_certificate(ca: pki.Certificate, well: pki.Certificate) -> None:
    client = ca.issue("gateway", usage="client")
    tls = UpstreamTls(backend(ca_file=str(ca.cert), client_cert=str(client.cert), client_key=str(client.key)))

    conversation = connected(tls, well.server(client_ca=ca))

    shown = conversation.theirs.getpeercert()
    assert shown is not None
    assert shown["subject"] == ((("commonName", "gateway"),),)


def test_the_oldest_version_is_a_setting(ca: pki.Certificate) -> None:
    assert context_of(Tls()).minimum_version == V12
    assert context_of(Tls(min_version="1.3")).minimum_version == V13


def test_a_pair_that_has_become_unusable_is_named(ca: pki.Certificate, well: pki.Certificate, tmp_path: Path) -> None:
    other = ca.issue("other")
    for key, why in ((other.key, "key values mismatch"), (tmp_path / "none.key", "No such file")):
        with pytest.raises(ValueError, match=rf"the client certificate .*well\.pem cannot be used: .*{why}"):
            context_of(Tls(client_cert=str(well.cert), client_key=str(key)))


@pytest.mark.parametrize(
    ("records", "ends"),
    [
        (b"", False),
        (TICKET, False),
        (TICKET + TICKET, False),
        (TICKET + CLOSE_NOTIFY, True),
        (CLOSE_NOTIFY, True),
        (b"\x15\x03\x03\0\x02\x01\0", True),
        (TICKET + CLOSE_NOTIFY[:3], False),
        (ANSWER, False),
    ],
)
def test_an_end_is_seen_among_the_records_that_wait(records: bytes, ends: bool) -> None:
    assert announces_end(records) is ends


@given(st.lists(st.binary(min_size=20, max_size=300), max_size=4), st.binary(max_size=40))
def test_what_follows_tickets_is_looked_at_wherever_it_begins(tickets: list[bytes], rest: bytes) -> None:
    records = b"".join(b"\x17\x03\x03" + len(ticket).to_bytes(2) + ticket for ticket in tickets)
    assert announces_end(records + rest) is announces_end(rest)
    assert announces_end(records + CLOSE_NOTIFY + rest)


def test_an_end_is_seen_in_real_records(ca: pki.Certificate, server: ssl.SSLContext) -> None:
    conversation = Conversation(UpstreamTls(backend(ca_file=str(ca.cert))), server).shakes_hands()
    assert not announces_end(waiting(conversation))
    with pytest.raises(ssl.SSLWantReadError):
        conversation.theirs.unwrap()
    assert announces_end(waiting(conversation))


def waiting(conversation: Conversation) -> bytes:
    """Return the records that have come, and leave them there."""
    records = conversation.records.read()
    conversation.records.write(records)
    return records
