"""Host names have one form."""

import pytest

from kairos.config.hosts import Target, backend_target, canonical_name, canonical_pattern, listening_host


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("my_service", "my_service"),
        ("127.0.0.1", "127.0.0.1"),
        ("[2001:DB8:0::1]", "[2001:db8::1]"),
        ("a" * 63, "a" * 63),
    ],
)
def test_names_have_one_form(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical


@pytest.mark.parametrize(
    "name",
    ["", ".", "a..b", "a b", "a:80", "-a", "a-", "*", "a.*.b", "a/b", "[::1", "[1.2.3.4]", "300.1.1.1", "a" * 64,
     ".".join(["a" * 60] * 5), "ä" * 80],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        canonical_name(name)


def test_a_pattern_may_begin_with_a_wildcard() -> None:
    assert canonical_pattern("*.Example.com") == "*.example.com"
    assert canonical_pattern("Example.com") == "example.com"
    with pytest.raises(ValueError, match="not a host name"):
        canonical_pattern("*example.com")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://backend", Target("http", "backend")),
        ("HTTPS://Backend", Target("https", "backend")),
        ("http://[::1]", Target("http", "::1")),
        ("8.8.8.8", Target("", "8.8.8.8")),
        ("2001:db8::1", Target("", "2001:db8::1")),
        ("dns://[2001:db8::1]", Target("dns", "2001:db8::1")),
        ("ftp.example.com", Target("", "ftp.example.com")),
    ],
)
def test_a_backend_is_a_scheme_and_a_name(text: str, target: Target) -> None:
    assert backend_target(text) == target


@pytest.mark.parametrize(
    "text",
    ["", "http://", "http://a:80", "http://a/", "http://a/b", "http://user@a", "http://a?b", "http://a b", "://a",
     "a:80", "http:/a", "http://::1", "http://[::1"],
)  # fmt: skip
def test_a_backend_has_no_port_path_or_user(text: str) -> None:
    with pytest.raises(ValueError):
        backend_target(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("::", "::"),
        ("localhost", "localhost"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_a_listener_has_an_address_or_a_name(text: str, host: str) -> None:
    assert listening_host(text) == host


@pytest.mark.parametrize("text", ["", "[]", "*", "not a host!", "http://a", "a:80", "[::1]:80", "1.2.3.4.5"])
def test_a_listener_has_neither_scheme_nor_port(text: str) -> None:
    with pytest.raises(ValueError):
        listening_host(text)
