"""Host (RFC 9112 section 3.2, RFC 9110 section 7.2)."""

from tests.conformance.case import refused, request, seen, served

MALFORMED = {
    "empty": b"",
    "space-inside": b"example.com evil",
    "comma": b"example.com, evil",
    "path": b"example.com/evil",
    "query": b"example.com?x",
    "fragment": b"example.com#x",
    "userinfo": b"user@example.com",
    "scheme": b"http://example.com",
    "port-is-a-word": b"example.com:http",
    "port-is-too-long": b"example.com:123456",
    "two-ports": b"example.com:80:80",
    "only-a-port": b":80",
    "open-bracket": b"[::1",
    "bracket-and-more": b"[::1]evil",
    "no-address-in-brackets": b"[evil]",
    "backslash": b"example.com\\evil",
    "quotes": b'"example.com"',
    "angle-brackets": b"<script>",
    "tab-inside": b"example.com\tevil",
    "latin-1": b"ex\xe4mple.com",
}
WELL_FORMED = {
    "name": b"example.com",
    "name-in-capitals": b"EXAMPLE.com",
    "port": b"example.com:8080",
    "empty-port": b"example.com:",
    "address": b"192.0.2.7",
    "ipv6": b"[2001:db8::1]:8080",
    "root-dot": b"example.com.",
    "underscore": b"my_service",
    "escaped": b"ex%20ample",
}

CASES = [
    *(
        refused(name, b"GET /a HTTP/1.1\r\nHost: %b\r\n\r\n" % host, why="RFC 9110 section 7.2: uri-host [ : port ]")
        for name, host in MALFORMED.items()
    ),
    *(
        served("ok-" + name, request(b"GET /a", host=host), seen(b"GET /a", host=host), why="RFC 9110 section 7.2")
        for name, host in WELL_FORMED.items()
    ),
    refused("missing", b"GET /a HTTP/1.1\r\n\r\n", why="RFC 9112 section 3.2"),
    refused("missing-with-others", b"GET /a HTTP/1.1\r\nHosts: a\r\nX-Host: a\r\n\r\n", why="RFC 9112 section 3.2"),
    refused("two-alike", b"GET /a HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", why="RFC 9112 section 3.2: one line"),
    refused("two-differ", b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", why="RFC 9112 section 3.2: one line"),
    refused("two-in-other-case", b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n", why="RFC 9112 section 3.2"),
    refused("second-is-empty", b"GET /a HTTP/1.1\r\nHost: a\r\nHost:\r\n\r\n", why="RFC 9112 section 3.2: one line"),
    refused("first-is-empty", b"GET /a HTTP/1.1\r\nHost:\r\nHost: a\r\n\r\n", why="RFC 9112 section 3.2: one line"),
    refused("two-in-http10", b"GET /a HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", why="RFC 9112 section 3.2: any request"),
    refused("malformed-in-http10", b"GET /a HTTP/1.0\r\nHost: a/b\r\n\r\n", why="RFC 9112 section 3.2: any request"),
    refused("space-before-colon", b"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", why="RFC 9112 section 5.1"),
    refused("folded", b"GET /a HTTP/1.1\r\nHost:\r\n a\r\n\r\n", why="RFC 9112 section 5.2"),
    served(
        "white-space-around",
        b"GET /a HTTP/1.1\r\nHost: \t example.com \t \r\n\r\n",
        seen(b"GET /a"),
        why="RFC 9112 section 5.1: OWS is no part of the value",
    ),
    served("no-space", b"GET /a HTTP/1.1\r\nHost:example.com\r\n\r\n", seen(b"GET /a"), why="RFC 9112 section 5: OWS"),
    served("other-case", b"GET /a HTTP/1.1\r\nhOsT: example.com\r\n\r\n", seen(b"GET /a"), why="RFC 9110 section 5.1"),
    served(
        "at-the-end",
        b"GET /a HTTP/1.1\r\nX: y\r\nHost: example.com\r\n\r\n",
        seen(b"GET /a", b"X: y"),
        why="RFC 9110 section 5.3: the order of fields is free",
    ),
]
