"""Methods (RFC 9110 section 9)."""

from tests.conformance.case import RequestCase, refused, request, seen, served

KNOWN = (b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS")
UNKNOWN = {
    "brew": b"BREW",
    "lower-case": b"get",
    "mixed-case": b"Get",
    "longer": b"GETS",
    "prefix": b"GE",
    "dashed": b"X-GET",
    "digits": b"1234",
    "long": b"A" * 300,
}
NO_TOKEN = {"colon": b"GET:", "brackets": b"[GET]", "slash": b"GE/T", "comma": b"GET,POST", "latin-1": b"G\xcbT"}

CASES = [
    *(
        served(method.decode().lower(), request(method + b" /a"), seen(method + b" /a"), why="RFC 9110 section 9.3")
        for method in KNOWN
    ),
    served(
        "head",
        request(b"HEAD /a"),
        seen(b"HEAD /a"),
        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        why="RFC 9110 section 9.3.2: no body, whatever Content-Length says",
    ),
    served(
        "head-then-get",
        request(b"HEAD /a") + request(b"GET /b"),
        seen(b"HEAD /a"),
        seen(b"GET /b"),
        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        why="RFC 9110 section 9.3.2",
    ),
    *(
        refused(name, request(method + b" /a"), 501, why="RFC 9110 section 9.1: not recognized")
        for name, method in UNKNOWN.items()
    ),
    *(
        refused("no-token-" + name, request(method + b" /a"), 501, 400, why="RFC 9110 section 9.1: a token")
        for name, method in NO_TOKEN.items()
    ),
    *(
        RequestCase(
            "not-allowed-" + method.decode().lower(),
            request(method + b" /a"),
            "RFC 9110 section 15.5.6: known, but not allowed here; the message was read, so the connection stays",
            (405,),
        )
        for method in (b"TRACE", b"PROPFIND", b"M-SEARCH", b"PURGE")
    ),
    RequestCase(
        "not-allowed-then-get",
        request(b"TRACE /a") + request(b"GET /a"),
        "RFC 9110 section 15.5.6: the next request is another matter",
        (405, 200),
        (seen(b"GET /a"),),
    ),
    refused("connect", request(b"CONNECT example.com:443"), 501, why="RFC 9110 section 9.3.6: no tunnels here"),
    refused("connect-path", request(b"CONNECT /a"), 501, 400, why="RFC 9112 section 3.2.3: authority-form only"),
    refused(
        "connect-and-more",
        request(b"CONNECT example.com:443") + request(b"GET /a"),
        501,
        why="RFC 9110 section 9.3.6: what follows is data of a tunnel that is not there",
    ),
    served(
        "get-with-body",
        request(b"GET /a", b"Content-Length: 4") + b"body",
        seen(b"GET /a", b"Content-Length: 4", body=b"body"),
        why="RFC 9110 section 9.3.1: without meaning, but framed like any other",
    ),
    served(
        "delete-with-chunked-body",
        request(b"DELETE /a", b"Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n\r\n",
        seen(b"DELETE /a", body=b"x", trailers=b""),
        why="RFC 9110 section 9.3.5: without meaning, but framed like any other",
    ),
]
