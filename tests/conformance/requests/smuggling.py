"""Requests that two readers could cut apart differently (RFC 9112 section 11.2), after the known attacks."""

from tests.conformance.case import GET, refused, request, seen, served

POST = b"POST /a HTTP/1.1\r\nHost: example.com\r\n"
ADMIN = b"GET /admin HTTP/1.1\r\nHost: internal\r\n\r\n"
LENGTH = b"Content-Length: 6\r\n"
CODING = b"Transfer-Encoding: chunked\r\n"
END = b"\r\n0\r\n\r\nG"

# Each stands beside a Content-Length, or alone, where some reader takes it for `Transfer-Encoding: chunked`.
DISGUISES = {
    "space-before-colon": b"Transfer-Encoding : chunked\r\n",
    "tab-before-colon": b"Transfer-Encoding\t: chunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "fold-before": b"X: y\r\n Transfer-Encoding: chunked\r\n",
    "bare-lf-before": b"X: y\nTransfer-Encoding: chunked\r\n",
    "bare-cr-before": b"X: y\rTransfer-Encoding: chunked\r\n",
    "nul-in-name": b"Transfer-Encoding\0: chunked\r\n",
    "nul-in-value": b"Transfer-Encoding: \0chunked\r\n",
    "vt-in-value": b"Transfer-Encoding: \x0bchunked\r\n",
    "leading-space": b" Transfer-Encoding: chunked\r\n",
    "no-colon": b"Transfer-Encoding chunked\r\n",
    "quoted": b'Transfer-Encoding: "chunked"\r\n',
    "identity": b"Transfer-Encoding: identity\r\n",
    "word": b"Transfer-Encoding: xchunked\r\n",
    "chunked-not-last": b"Transfer-Encoding: chunked, identity\r\n",
    "empty": b"Transfer-Encoding:\r\n",
    "parameter": b"Transfer-Encoding: chunked;q=1\r\n",
    "trailing-comma": b"Transfer-Encoding: chunked,\r\n",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "latin-1": b"Transfer-Encoding: chunked\xff\r\n",
}
UNKNOWN_CODINGS = {
    "gzip-chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "gzip-chunked-lines": b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    "identity-chunked": b"Transfer-Encoding: identity, chunked\r\n",
    "chunked-chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked-chunked-lines": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "leading-comma": b"Transfer-Encoding: , chunked\r\n",
}
WHY = "RFC 9112 section 11.2"

CASES = [
    refused("cl-te", POST + LENGTH + CODING + END, why="RFC 9112 section 6.1: both at once"),
    refused("te-cl", POST + CODING + LENGTH + END, why="RFC 9112 section 6.1: both at once, in the other order"),
    refused("cl-zero-te", POST + b"Content-Length: 0\r\n" + CODING + END, why="RFC 9112 section 6.1: both at once"),
    refused("cl-te-apart", POST + LENGTH + b"X: y\r\n" + CODING.lower() + END, why="RFC 9112 section 6.1"),
    refused("cl-te-http10", b"POST /a HTTP/1.0\r\n" + LENGTH + CODING + END, why="RFC 9112 section 6.1"),
    refused("te-http10", b"POST /a HTTP/1.0\r\n" + CODING + b"\r\n0\r\n\r\n", why="RFC 9112 section 6.1"),
    refused("te-http10-keep-alive", b"POST /a HTTP/1.0\r\nConnection: keep-alive\r\n" + CODING + END, why=WHY),
    *(
        refused("te-" + name, POST + line + b"\r\n0\r\n\r\n" + ADMIN, 400, 501, why=WHY)
        for name, line in DISGUISES.items()
    ),
    *(refused("cl-and-te-" + name, POST + LENGTH + line + END, 400, 501, why=WHY) for name, line in DISGUISES.items()),
    *(
        refused("coding-" + name, POST + line + b"\r\n0\r\n\r\n" + ADMIN, 501, 400, why="RFC 9112 section 6.1")
        for name, line in UNKNOWN_CODINGS.items()
    ),
    refused(
        "two-lengths", POST + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + ADMIN, why="RFC 9112 section 6.3"
    ),
    refused("length-hidden-by-lf", POST + b"X: y\nContent-Length: 44\r\n\r\n" + ADMIN, why="RFC 9112 section 2.2"),
    refused(
        "request-after-bare-lf", GET[:-4] + b"\n\n" + ADMIN, why="RFC 9112 section 2.2: the head is not at its end"
    ),
    refused("request-in-a-value", request(b"GET /a", b"X: y\rGET /admin HTTP/1.1"), why="RFC 9112 section 2.2"),
    refused("request-in-a-target", b"GET /a HTTP/1.1\nHost: b\n\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n", why=WHY),
    served(
        "length-with-underscore",
        POST + b"Content_Length: 44\r\n\r\n" + GET,
        seen(b"POST /a"),
        seen(b"GET /a"),
        why="RFC 9110 section 5.1: another name, and dropped, because CGI takes it for Content-Length",
    ),
    served(
        "coding-with-underscore",
        POST + b"Transfer_Encoding: chunked\r\nContent-Length: 4\r\n\r\nbody",
        seen(b"POST /a", b"Content-Length: 4", body=b"body"),
        why="RFC 9110 section 5.1: another name, and dropped, because CGI takes it for Transfer-Encoding",
    ),
    served(
        "length-named-away",
        POST + b"Connection: Content-Length\r\nContent-Length: %d\r\n\r\n" % len(ADMIN) + ADMIN,
        seen(b"POST /a", b"Content-Length: %d" % len(ADMIN), body=ADMIN),
        why="RFC 9110 section 7.6.1: Connection cannot take the framing away",
    ),
    served(
        "coding-named-away",
        POST + b"Connection: Transfer-Encoding\r\n" + CODING + b"\r\n4\r\nbody\r\n0\r\n\r\n",
        seen(b"POST /a", body=b"body", trailers=b""),
        why="RFC 9110 section 7.6.1: Connection cannot take the framing away",
    ),
    served(
        "get-body-is-a-request",
        request(b"GET /a", b"Content-Length: %d" % len(ADMIN)) + ADMIN,
        seen(b"GET /a", b"Content-Length: %d" % len(ADMIN), body=ADMIN),
        why="RFC 9110 section 9.3.1: a body of a GET is framed all the same",
    ),
    served(
        "head-body-is-a-request",
        request(b"HEAD /a", b"Content-Length: %d" % len(ADMIN)) + ADMIN,
        seen(b"HEAD /a", b"Content-Length: %d" % len(ADMIN), body=ADMIN),
        answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        why="RFC 9110 section 9.3.2: a body of a HEAD is framed all the same",
    ),
    served(
        "upgrade-body-is-a-request",
        request(b"POST /a", b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: %d" % len(ADMIN)) + ADMIN,
        seen(b"POST /a", b"Content-Length: %d" % len(ADMIN), body=ADMIN),
        why="RFC 9110 section 7.8: an ignored Upgrade changes no framing",
    ),
    served(
        "expect-body-is-a-request",
        request(b"POST /a", b"Expect: 100-continue", b"Content-Length: %d" % len(ADMIN)) + ADMIN,
        seen(b"POST /a", b"Expect: 100-continue", b"Content-Length: %d" % len(ADMIN), body=ADMIN),
        why="RFC 9110 section 10.1.1: Expect changes no framing",
    ),
    refused(
        "chunk-extension-is-a-request",
        POST + CODING + b"\r\n0;GET /admin HTTP/1.1\r\n\r\n",
        why="RFC 9112 section 7.1.1: names and values of extensions are tokens",
        streams=True,
    ),
    refused(
        "chunk-extension-ends-with-lf",
        POST + CODING + b"\r\n2;\nxx\r\n4c\r\n0\r\n\r\n" + ADMIN,
        why="RFC 9112 section 2.2: the TERM.EXT attack",
        streams=True,
    ),
]
