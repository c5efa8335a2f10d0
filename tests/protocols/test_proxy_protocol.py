"""The PROXY protocol: what is written is read, what is cut off is waited for, and nothing else passes."""

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kairos.protocols.proxy_protocol import (
    LOCAL_V2,
    LONGEST,
    LONGEST_V1,
    SIGNATURE,
    UNKNOWN,
    Endpoint,
    ProxyHeader,
    ProxyHeaderError,
    encode_v1,
    encode_v2,
    parse,
)

CLIENT, HERE = Endpoint("192.0.2.1", 40000), Endpoint("198.51.100.7", 443)
ports = st.integers(0, 0xFFFF)
v4 = st.builds(Endpoint, st.ip_addresses(v=4).map(str), ports)
v6 = st.builds(Endpoint, st.ip_addresses(v=6).filter(lambda one: one.ipv4_mapped is None).map(str), ports)


def v2(command: int = 0x21, family: int = 0x11, body: bytes = b"", length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body) if length is None else length) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


TCP4 = IPv4Address("192.0.2.1").packed + IPv4Address("198.51.100.7").packed + struct.pack("!HH", 40000, 443)
TCP6 = IPv6Address("2001:db8::1").packed + IPv6Address("2001:db8::2").packed + struct.pack("!HH", 1, 2)
MAPPED = IPv6Address("::ffff:192.0.2.1").packed + IPv6Address("::1").packed + struct.pack("!HH", 1, 2)

HEADERS = [
    (b"PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n", ProxyHeader(CLIENT, HERE)),
    (b"PROXY TCP6 2001:DB8::1 ::1 1 2\r\n", ProxyHeader(Endpoint("2001:db8::1", 1), Endpoint("::1", 2))),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 1 0\r\n", ProxyHeader(Endpoint("192.0.2.1", 1), Endpoint("::1", 0))),
    (b"PROXY UNKNOWN\r\n", UNKNOWN),
    (b"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", UNKNOWN),
    (v2(body=TCP4), ProxyHeader(CLIENT, HERE)),
    (v2(family=0x21, body=TCP6), ProxyHeader(Endpoint("2001:db8::1", 1), Endpoint("2001:db8::2", 2))),
    (v2(family=0x21, body=MAPPED), ProxyHeader(Endpoint("192.0.2.1", 1), Endpoint("::1", 2))),
    (v2(body=TCP4 + tlv(4, b"\0" * 7) + tlv(0xE0, b"x")), ProxyHeader(CLIENT, HERE)),
    (v2(body=TCP4 + tlv(0x20, b"\x01\0\0\0\0" + tlv(0x21, b"TLSv1.3"))), ProxyHeader(CLIENT, HERE, is_secure=True)),
    (v2(body=TCP4 + tlv(0x20, b"\x06\0\0\0\x01")), ProxyHeader(CLIENT, HERE)),
    (v2(body=TCP4 + tlv(0x20, b"")), ProxyHeader(CLIENT, HERE)),
    (LOCAL_V2, UNKNOWN),
    (v2(command=0x20, family=0xFF, body=b"whatever"), UNKNOWN),
    (v2(family=0x00), UNKNOWN),
    (v2(family=0x00, body=tlv(4, b"")), UNKNOWN),
    (v2(family=0x31, body=b"/a".ljust(108, b"\0") * 2), UNKNOWN),
    (v2(family=0x12, body=TCP4), UNKNOWN),
]


@pytest.mark.parametrize(("data", "header"), HEADERS)
def test_a_header_is_read_and_what_follows_it_is_left(data: bytes, header: ProxyHeader) -> None:
    assert parse(data) == parse(data + b"GET / HTTP/1.1\r\n") == (header, len(data))


@pytest.mark.parametrize("data", [data for data, _ in HEADERS])
def test_a_header_that_is_cut_off_anywhere_is_waited_for(data: bytes) -> None:
    assert [parse(data[:length]) for length in range(len(data))] == [None] * len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"proxy TCP4",
        b"PROXY\t",
        b"PROXY \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 40000\r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.7 40000 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 40000 443 \r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.7 40000 443\r\n",
        b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 01 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 +1 443\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 \xb2 443\r\n",
        b"PROXY TCP4 192.0.2.\xff 198.51.100.7 1 443\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.7 1 443\r\n",
        b"PROXY unknown\r\n",
        b"PROXY UNKNOWN" + b" " * LONGEST_V1,
        b"PROXY UNKNOWN".ljust(LONGEST_V1 - 1) + b"\r\n",
        SIGNATURE[:5] + b"X",
        v2(command=0x11, body=TCP4),
        v2(command=0x22, body=TCP4),
        v2(family=0x13, body=TCP4),
        v2(family=0x41, body=TCP4),
        v2(body=TCP4[:-1]),
        v2(family=0x21, body=TCP4),
        v2(length=LONGEST),
        v2(body=TCP4 + b"\x04"),
        v2(body=TCP4 + b"\x04\0\x02x"),
        v2(family=0x00, body=b"\x04\0"),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        parse(data)


def test_the_longest_line_of_version_1_is_taken() -> None:
    line = b"PROXY UNKNOWN".ljust(LONGEST_V1 - 2) + b"\r\n"
    assert parse(line) == (UNKNOWN, LONGEST_V1)


@given(st.one_of(st.tuples(v4, v4), st.tuples(v6, v6), st.tuples(v4, v6), st.tuples(v6, v4)))
def test_what_is_written_is_read(ends: tuple[Endpoint, Endpoint]) -> None:
    for data in (encode_v1(*ends), encode_v2(*ends)):
        assert parse(data) == (ProxyHeader(*ends), len(data))
    assert len(encode_v1(*ends)) <= LONGEST_V1


def test_who_is_not_known_is_so_in_both_versions() -> None:
    for ends in ((None, None), (CLIENT, None), (None, HERE)):
        assert parse(encode_v1(*ends)) == (UNKNOWN, 15)
        assert parse(encode_v2(*ends)) == (UNKNOWN, 16)
    assert parse(LOCAL_V2) == (UNKNOWN, 16)


def test_the_zone_of_an_address_is_not_told() -> None:
    assert encode_v1(Endpoint("fe80::1%eth0", 1), Endpoint("::1", 2)) == b"PROXY TCP6 fe80::1 ::1 1 2\r\n"


@given(st.binary(max_size=300) | st.binary(max_size=300).map(SIGNATURE.__add__) | st.binary().map(b"PROXY ".__add__))
def test_anything_is_a_header_or_its_beginning_or_refused(data: bytes) -> None:
    try:
        found = parse(data)
    except ProxyHeaderError:
        return
    assert found is None or found[1] <= len(data)
