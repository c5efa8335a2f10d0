"""Access lists: which client addresses may come in."""

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kairos.config.policies import AccessList
from kairos.security.access import AccessControl, canonical_network
from tests.asking import question


def control(*lists: tuple[tuple[str, ...], tuple[str, ...]]) -> AccessControl:
    return AccessControl([AccessList(allow, deny) for allow, deny in lists])


@pytest.mark.parametrize(
    ("allow", "deny", "inside", "outside"),
    [
        ((), ("10.0.0.0/8",), ("9.255.255.255", "11.0.0.0", "::1"), ("10.0.0.0", "10.255.255.255")),
        (("10.0.0.0/8",), (), ("10.0.0.0", "10.255.255.255"), ("9.255.255.255", "11.0.0.0", "::1")),
        (("10.0.0.0/8",), ("10.1.0.0/16",), ("10.0.255.255", "10.2.0.0"), ("10.1.0.0", "10.1.2.3", "192.0.2.1")),
        (("10.1.2.3/32",), ("10.0.0.0/8",), (), ("10.1.2.3", "10.1.2.4")),  # the longer prefix does not win
        (("2001:db8::/32",), ("2001:db8:1::/48",), ("2001:db8::1",), ("2001:db8:1::1", "2001:db9::", "10.0.0.1")),
        (("0.0.0.0/0",), (), ("0.0.0.0", "255.255.255.255"), ("::", "::1")),
        ((), ("::/0",), ("10.0.0.1",), ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
    ],
)
def test_deny_wins_and_a_list_of_allow_keeps_all_others_out(
    allow: tuple[str, ...], deny: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    subject = control((allow, deny))

    assert [address for address in inside if not subject.admits(address)] == []
    assert [address for address in outside if subject.admits(address)] == []


def test_the_gateway_and_the_route_have_to_agree() -> None:
    subject = control((("10.0.0.0/8",), ()), (("10.1.0.0/16", "192.0.2.0/24"), ("10.1.1.0/24",)))

    assert subject.admits("10.1.0.1")
    assert not subject.admits("10.2.0.1")
    assert not subject.admits("192.0.2.1")
    assert not subject.admits("10.1.1.1")


def test_ipv4_in_ipv6_is_ipv4_in_lists_and_in_addresses() -> None:
    assert not control(((), ("10.0.0.0/8",))).admits("::ffff:10.0.0.1")
    assert not control(((), ("::ffff:10.0.0.0/104",))).admits("10.0.0.1")
    assert control((("::ffff:10.0.0.1/128",), ())).admits("::ffff:a00:1")


def test_what_is_no_address_comes_in_nowhere() -> None:
    assert not control(((), ("10.0.0.0/8",))).admits("")
    assert not control(((), ("10.0.0.0/8",))).admits("unix:")


def test_who_is_kept_out_gets_403() -> None:
    subject = control(((), ("192.0.2.0/24",)))
    asked = question(client="192.0.2.7")

    for reply in (subject.look(asked), subject.take(asked)):
        assert reply is not None
        assert reply.status == 403
        assert reply.error is not None
        assert (reply.error.kind, reply.error.reason) == ("access_denied", "access_denied")
        assert "192.0.2" not in reply.error.message
    assert subject.take(question(client="198.51.100.1")) is None


addresses = st.ip_addresses()
networks = addresses.flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    )
)
lists = st.tuples(*[st.lists(networks, max_size=4).map(tuple)] * 2)


@settings(deadline=None)
@given(st.lists(lists, max_size=2), addresses)
def test_the_set_of_numbers_says_what_the_lists_say(
    given_lists: list[tuple[tuple[str, ...], tuple[str, ...]]], somewhere: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> None:
    subject = control(*given_lists)
    known = [canonical_network(name) for one in given_lists for names in one for name in names]
    ends = [end for network in known for end in (network[0], network[-1])]

    for address in (somewhere, *ends):
        plain = getattr(address, "ipv4_mapped", None) or address

        def has(names: tuple[str, ...], plain: object = plain) -> bool:
            return any(plain in canonical_network(name) for name in names)

        expected = all((not allow or has(allow)) and not has(deny) for allow, deny in given_lists)
        assert subject.admits(str(address)) == expected
