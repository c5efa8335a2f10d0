"""What backends are told of the certificates of clients."""

from typing import Any

import pytest

from kairos.proxy.client_certificates import distinguished_name, lines_of

EXPIRES = "Jan  1 00:00:10 1970 GMT"
ALICE = ((("countryName", "US"),), (("organizationName", "Inc"),), (("commonName", "alice"),))


class Shown:
    """A connection whose client has shown a certificate."""

    def __init__(self, encoded: bytes | None, facts: dict[str, Any], session_reused: bool = False) -> None:
        self._encoded = encoded
        self._facts = facts
        self.session_reused = session_reused

    def getpeercert(self, binary_form: bool = False, /) -> object:
        return self._encoded if binary_form else self._facts


def lines(encoded: bytes | None, **facts: Any) -> bytes:
    return lines_of(Shown(encoded, facts), 0.0)


def test_a_certificate_is_told_with_its_names_number_and_fingerprint() -> None:
    assert lines(b"abc", subject=ALICE, issuer=(), serialNumber="0A") == (
        b"X-Client-Cert-Verified: SUCCESS\r\n"
        b"X-Client-Cert-Subject: CN=alice,O=Inc,C=US\r\nX-Client-Cert-Issuer: \r\nX-Client-Cert-Serial: 0A\r\n"
        b"X-Client-Cert-Fingerprint: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\r\n"
    )


def test_a_session_that_goes_on_does_not_outlive_its_certificate() -> None:
    shown = Shown(b"abc", {"notAfter": EXPIRES}, session_reused=True)
    assert lines_of(shown, 10.0).startswith(b"X-Client-Cert-Verified: SUCCESS\r\n")
    with pytest.raises(ValueError, match="expired, since its session began"):
        lines_of(shown, 11.0)


def test_without_one_that_is_told() -> None:
    assert lines(None) == b"X-Client-Cert-Verified: NONE\r\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a,b+c", b"CN=a\\,b\\+c"),
        (" a b ", b"CN=\\ a b\\ "),
        ("#a#", b"CN=\\#a#"),
        ('"<>;\\', b'CN=\\"\\<\\>\\;\\\\'),
        ("é", b"CN=\\C3\\A9"),
        ("a\r\nX-Admin: 1", b"CN=a\\0D\\0AX-Admin: 1"),
        ("\0", b"CN=\\00"),
    ],
)
def test_a_name_can_forge_nothing(value: str, written: bytes) -> None:
    assert distinguished_name(((("commonName", value),),)) == written


def test_several_values_in_one_part_stay_together() -> None:
    name = ((("commonName", "a"), ("userId", "1")), (("1.2.3", "x"),))
    assert distinguished_name(name) == b"1.2.3=x,CN=a+UID=1"
