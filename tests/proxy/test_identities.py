"""Which certificate is shown to whom."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.config.pairs import Pair
from kairos.proxy import identities as module
from kairos.proxy.identities import Identities, TlsRules
from tests import certificates


def pair_for(*hosts: str, subject: str = "localhost") -> Pair:
    return Pair(hosts, *certificates.pair(subject))


A, WILD, OTHER = pair_for("a.test", "b.test"), pair_for("*.wild.test", subject="wild"), pair_for(subject="other")
RULES = TlsRules((OTHER, A, WILD))


@pytest.fixture
def identities() -> Iterator[Identities]:
    found = Identities()
    found.follow(RULES)
    return found


def shaken(identities: Identities, name: str | None, client: ssl.SSLContext | None = None) -> bytes:
    """Shake hands in memory, and return the certificate that was shown."""
    client = client or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = identities.context.wrap_bio(to_server, to_client, server_side=True)
    vars(ours)["connection"] = ours
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (theirs, ours, theirs, ours):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert ours.context is identities.of(name)
    shown = theirs.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.chain.decode())


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        (None, OTHER),
        ("a.test", A),
        ("B.Test", A),
        ("x.wild.test", WILD),
        ("wild.test", OTHER),
        ("x.y.wild.test", OTHER),
        ("unknown", OTHER),
    ],
)
def test_each_name_has_its_certificate(identities: Identities, name: str | None, pair: Pair) -> None:
    assert shaken(identities, name) == der(pair)


@given(st.text(max_size=300))
def test_every_name_gets_something(name: str) -> None:
    identities = Identities()
    identities.follow(RULES)
    assert identities.of(name) is not None


def test_nothing_is_shown_before_there_are_rules() -> None:
    identities = Identities()
    assert not identities.is_ready
    assert identities.of("a.test") is None


def test_an_exact_name_goes_before_a_wildcard_and_the_first_of_two_counts(identities: Identities) -> None:
    exact, late = pair_for("x.wild.test", subject="x"), pair_for("a.test", subject="late")
    identities.follow(TlsRules((WILD, A, exact, late)))
    assert shaken(identities, "x.wild.test") == der(exact)
    assert shaken(identities, "a.test") == der(A)
    assert shaken(identities, None) == der(WILD)


def test_what_has_not_changed_is_kept_and_what_has_is_replaced(identities: Identities) -> None:
    before, base = identities.of("a.test"), identities.context
    new = pair_for("*.wild.test", subject="new")
    identities.follow(replace(RULES, pairs=(OTHER, A, new)))
    assert identities.of("a.test") is before
    assert identities.context is base  # it has the keys of the tickets
    assert shaken(identities, "x.wild.test") == der(new)


def test_rules_that_cannot_be_followed_change_nothing(identities: Identities) -> None:
    other_key = Pair(("a.test",), A.chain, OTHER.key)
    for pairs in ((other_key,), (A, other_key), (Pair((), b"", b""),)):
        with pytest.raises((OSError, ValueError)):
            identities.follow(TlsRules(pairs))
    assert shaken(identities, "a.test") == der(A)


def test_sessions_end_when_other_certificates_of_clients_are_asked_for(identities: Identities) -> None:
    base = identities.context
    identities.follow(replace(RULES, client_auth="optional", client_ca=A.chain))
    assert identities.context is not base
    assert identities.context.verify_mode is ssl.CERT_OPTIONAL
    same = identities.context
    identities.follow(replace(RULES, client_auth="optional", client_ca=A.chain, min_version="1.3"))
    assert identities.context is same
    assert same.minimum_version is ssl.TLSVersion.TLSv1_3


def test_rules_survive_their_way_to_the_workers() -> None:
    rules = TlsRules((A, WILD), "1.3", ("ECDHE-RSA-AES128-GCM-SHA256",), "required", b"\xff\n")
    assert TlsRules.decode(rules.encode()) == rules


def test_keys_are_in_no_repr() -> None:
    assert "PRIVATE" not in f"{A!r} {RULES!r}"


def chosen(identities: Identities, client_ciphers: str = "", *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> str:
    """Shake hands, and return the name of the cipher."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.maximum_version = newest
    if client_ciphers:
        client.set_ciphers(client_ciphers)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = identities.context.wrap_bio(to_server, to_client, server_side=True)
    vars(ours)["connection"] = ours
    theirs = client.wrap_bio(to_client, to_server)
    for side in (theirs, ours, theirs, ours):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return ours.cipher()[0]  # type: ignore[index]


AES_128, AES_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
CHACHA = "ECDHE-ECDSA-CHACHA20-POLY1305"


@pytest.mark.parametrize(
    ("client", "cipher"),
    [
        (f"{AES_256}:{AES_128}:{CHACHA}", AES_128),
        (f"{CHACHA}:{AES_256}:{AES_128}", CHACHA),  # its processor does not help with the others
        (f"{AES_256}:{CHACHA}", AES_256),
    ],
)
def test_the_cipher_is_the_one_that_costs_least(identities: Identities, client: str, cipher: str) -> None:
    assert chosen(identities, client, newest=ssl.TLSVersion.TLSv1_2) == cipher


def test_the_order_of_the_config_counts(identities: Identities) -> None:
    for client in (f"{AES_128}:{AES_256}:{CHACHA}", f"{CHACHA}:{AES_128}:{AES_256}"):
        identities.follow(replace(RULES, ciphers=(AES_256, AES_128, CHACHA)))
        assert chosen(identities, client, newest=ssl.TLSVersion.TLSv1_2) == AES_256
        identities.follow(RULES)
        assert chosen(identities, client, newest=ssl.TLSVersion.TLSv1_2) != AES_256


def test_with_tls_1_3_too(identities: Identities) -> None:
    assert chosen(identities) == "TLS_AES_128_GCM_SHA256"  # OpenSSL as a client would rather have AES-256


class Begun:
    """A handshake that has begun."""

    server_name: str | None = None


def test_a_python_that_cannot_be_told_to_come_back_early_is_told_of_once(
    identities: Identities, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module._tell_that_reads_may_be_long.cache_clear()
    for can, lines in ((True, 0), (False, 1), (False, 1)):
        monkeypatch.setattr(module, "take_turns", lambda *_, can=can: can)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            identities.begin(ours, Begun())  # type: ignore[arg-type]
        assert [record.levelname for record in caplog.records] == ["WARNING"] * lines
