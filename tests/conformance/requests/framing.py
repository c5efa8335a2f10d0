"""Where a request ends (RFC 9112 sections 6 and 7), and how its field lines are formed (section 5)."""

from tests.conformance.case import GET, refused, request, seen, served, waiting

POST = b"POST /a HTTP/1.1\r\nHost: example.com\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
A = seen(b"GET /a")

# Field lines that nobody may forward.
LINES = {
    "bare-lf-between": b"X: a\nY: b\r\n",
    "bare-lf-in-name": b"X\nY: b\r\n",
    "bare-cr-in-value": b"X: a\rb\r\n",
    "bare-cr-before-name": b"\rX: a\r\n",
    "cr-cr-lf": b"X: a\r\r\n",
    "nul-in-value": b"X: a\0b\r\n",
    "nul-in-name": b"X\0Y: b\r\n",
    "control-in-value": b"X: a\x01b\r\n",
    "escape-in-value": b"X: a\x1bb\r\n",
    "del-in-value": b"X: a\x7fb\r\n",
    "vt-in-value": b"X: a\x0bb\r\n",
    "obs-fold": b"X: a\r\n b\r\n",
    "obs-fold-tab": b"X: a\r\n\tb\r\n",
    "obs-fold-empty": b"X:\r\n \r\n",
    "space-before-colon": b"X : a\r\n",
    "tab-before-colon": b"X\t: a\r\n",
    "space-in-name": b"X Y: a\r\n",
    "empty-name": b": a\r\n",
    "only-colon": b":\r\n",
    "no-colon": b"Xa\r\n",
    "paren-in-name": b"X(Y): a\r\n",
    "comma-in-name": b"X,Y: a\r\n",
    "slash-in-name": b"X/Y: a\r\n",
    "at-in-name": b"X@Y: a\r\n",
    "quote-in-name": b'"X": a\r\n',
    "latin-1-in-name": b"X\xe4: a\r\n",
    "del-in-name": b"X\x7f: a\r\n",
}

# Content-Length values that are no number, or no one number.
LENGTHS = {
    "empty": b"Content-Length:\r\n",
    "spaces": b"Content-Length:   \r\n",
    "plus": b"Content-Length: +4\r\n",
    "minus": b"Content-Length: -4\r\n",
    "minus-zero": b"Content-Length: -0\r\n",
    "hex": b"Content-Length: 0x4\r\n",
    "hex-digit": b"Content-Length: a\r\n",
    "fraction": b"Content-Length: 4.0\r\n",
    "exponent": b"Content-Length: 4e0\r\n",
    "underscore": b"Content-Length: 4_0\r\n",
    "space-inside": b"Content-Length: 4 4\r\n",
    "quoted": b'Content-Length: "4"\r\n',
    "semicolon": b"Content-Length: 4;\r\n",
    "other-digits": "Content-Length: ٤\r\n".encode(),
    "list-equal": b"Content-Length: 4, 4\r\n",
    "list-differs": b"Content-Length: 4, 5\r\n",
    "list-open": b"Content-Length: 4,\r\n",
    "twice-equal": b"Content-Length: 4\r\nContent-Length: 4\r\n",
    "twice-differs": b"Content-Length: 4\r\nContent-Length: 5\r\n",
    "twice-in-other-case": b"Content-Length: 4\r\nX: y\r\ncontent-LENGTH: 4\r\n",
    "twice-second-empty": b"Content-Length: 4\r\nContent-Length:\r\n",
    "overlong": b"Content-Length: 99999999999999999999999999\r\n",
    "two-to-the-64": b"Content-Length: 18446744073709551616\r\n",
    "two-to-the-64-and-4": b"Content-Length: 18446744073709551620\r\n",
}

# Bodies whose chunks are broken.
CHUNKS = {
    "size-is-empty": b"\r\nbody\r\n0\r\n\r\n",
    "size-is-a-word": b"four\r\nbody\r\n0\r\n\r\n",
    "size-has-prefix": b"0x4\r\nbody\r\n0\r\n\r\n",
    "size-has-plus": b"+4\r\nbody\r\n0\r\n\r\n",
    "size-has-minus": b"-4\r\nbody\r\n0\r\n\r\n",
    "size-after-space": b" 4\r\nbody\r\n0\r\n\r\n",
    "size-then-space": b"4 \r\nbody\r\n0\r\n\r\n",
    "size-then-tab": b"4\t\r\nbody\r\n0\r\n\r\n",
    "size-overflows-64": b"10000000000000004\r\nbody\r\n0\r\n\r\n",
    "size-overflows-128": b"1" + b"0" * 31 + b"4\r\nbody\r\n0\r\n\r\n",
    "size-then-lf": b"4\nbody\r\n0\r\n\r\n",
    "size-then-cr": b"4\rbody\r\n0\r\n\r\n",
    "size-then-cr-cr-lf": b"4\r\r\nbody\r\n0\r\n\r\n",
    "data-too-long": b"4\r\nbodybody\r\n0\r\n\r\n",
    "data-by-one": b"4\r\nbody!\r\n0\r\n\r\n",
    "data-too-short": b"4\r\nbo\r\n0\r\n\r\n",
    "data-then-lf": b"4\r\nbody\n0\r\n\r\n",
    "data-then-cr": b"4\r\nbody\r0\r\n\r\n",
    "data-then-nothing": b"4\r\nbody0\r\n\r\n",
    "last-then-lf": b"4\r\nbody\r\n0\n\r\n",
    "last-ends-with-lf": b"4\r\nbody\r\n0\r\n\n",
    "all-bare-lf": b"4\nbody\n0\n\n",
    "extension-with-lf": b"4;a=b\nc\r\nbody\r\n0\r\n\r\n",
    "extension-with-nul": b"4;a=\0\r\nbody\r\n0\r\n\r\n",
    "extension-with-cr": b"4;a=b\rc\r\nbody\r\n0\r\n\r\n",
    "size-has-comma": b"4,4\r\nbody\r\n0\r\n\r\n",
    "size-in-other-digits": "٤\r\nbody\r\n0\r\n\r\n".encode(),
}

# Bodies that are well-formed, and what they hold.
WHOLE_CHUNKS = {
    "empty": (b"0\r\n\r\n", b""),
    "one": (b"4\r\nbody\r\n0\r\n\r\n", b"body"),
    "some": (b"1\r\nb\r\n2\r\nod\r\n1\r\ny\r\n0\r\n\r\n", b"body"),
    "capitals": (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "leading-zeros": (b"0004\r\nbody\r\n000\r\n\r\n", b"body"),
    "extension": (b"4;a=b\r\nbody\r\n0\r\n\r\n", b"body"),
    "extension-without-value": (b"4;a\r\nbody\r\n0;b\r\n\r\n", b"body"),
    "extension-on-the-last": (b"4\r\nbody\r\n0;GET=admin\r\n\r\n", b"body"),
    "extension-quoted": (b'4;a="b;c"\r\nbody\r\n0\r\n\r\n', b"body"),
    "data-like-framing": (b"a\r\n\r\n0\r\n\r\n\r\n0\r\n0\r\n\r\n", b"\r\n0\r\n\r\n\r\n0"),
    "data-like-a-request": (b"%x\r\n%b\r\n0\r\n\r\n" % (len(GET), GET), GET),
    "any-bytes": (b"8\r\n\x00\xff\n\r\x7f\x80\x01 \r\n0\r\n\r\n", b"\x00\xff\n\r\x7f\x80\x01 "),
}

CASES = [
    *(
        refused("line-" + name, b"GET /a HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n", why="RFC 9112 sections 2.2 and 5")
        for name, line in LINES.items()
    ),
    refused("fold-after-request-line", b"GET /a HTTP/1.1\r\n Host: a\r\n\r\n", why="RFC 9112 section 2.2"),
    refused("end-is-lf-lf", b"GET /a HTTP/1.1\r\nHost: a\r\nX: y\n\n", why="RFC 9112 section 2.2"),
    refused("end-is-crlf-lf", b"GET /a HTTP/1.1\r\nHost: a\r\n\n", why="RFC 9112 section 2.2"),
    refused("end-is-lf-crlf", b"GET /a HTTP/1.1\r\nHost: a\n\r\n", why="RFC 9112 section 2.2"),
    *(
        refused("length-" + name, POST + line + b"\r\nbody", why="RFC 9112 section 6.3: neither guessed nor merged")
        for name, line in LENGTHS.items()
    ),
    served(
        "length",
        POST + b"Content-Length: 4\r\n\r\nbody",
        seen(b"POST /a", b"Content-Length: 4", body=b"body"),
        why="RFC 9112 section 6.2",
    ),
    served(
        "length-zero",
        POST + b"Content-Length: 0\r\n\r\n",
        seen(b"POST /a", b"Content-Length: 0"),
        why="RFC 9112 section 6.2",
    ),
    served(
        "length-leading-zeros",
        POST + b"Content-Length: 0004\r\n\r\nbody",
        seen(b"POST /a", b"Content-Length: 0004", body=b"body"),
        why="RFC 9110 section 8.6: 1*DIGIT",
    ),
    served(
        "length-then-request",
        POST + b"Content-Length: 4\r\n\r\nbody" + GET,
        seen(b"POST /a", b"Content-Length: 4", body=b"body"),
        A,
        why="RFC 9112 section 9.3.2: pipelining",
    ),
    served(
        "length-of-a-request",
        POST + b"Content-Length: %d\r\n\r\n" % len(GET) + GET,
        seen(b"POST /a", b"Content-Length: %d" % len(GET), body=GET),
        why="RFC 9112 section 6.2: it is only data",
    ),
    served(
        "no-length-then-request",
        POST + b"\r\n" + GET,
        seen(b"POST /a"),
        A,
        why="RFC 9112 section 6.3: without framing there is no body",
    ),
    waiting("length-too-short", POST + b"Content-Length: 5\r\n\r\nbody", why="RFC 9112 section 8: incomplete"),
    waiting("length-nothing-yet", POST + b"Content-Length: 5\r\n\r\n", why="RFC 9112 section 8: incomplete"),
    *(
        refused("chunk-" + name, CHUNKED + body, why="RFC 9112 section 7.1", streams=True)
        for name, body in CHUNKS.items()
    ),
    *(
        served("chunked-" + name, CHUNKED + body, seen(b"POST /a", body=data, trailers=b""), why="RFC 9112 section 7.1")
        for name, (body, data) in WHOLE_CHUNKS.items()
    ),
    served(
        "chunked-then-request",
        CHUNKED + b"4\r\nbody\r\n0\r\n\r\n" + GET,
        seen(b"POST /a", body=b"body", trailers=b""),
        A,
        why="RFC 9112 section 9.3.2: pipelining",
    ),
    served(
        "chunked-thrice",
        (CHUNKED + b"4\r\nbody\r\n0\r\n\r\n") * 3,
        *(seen(b"POST /a", body=b"body", trailers=b""),) * 3,
        why="RFC 9112 section 9.3.2: pipelining",
    ),
    served(
        "chunked-in-capitals",
        POST + b"transfer-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n",
        seen(b"POST /a", trailers=b""),
        why="RFC 9112 section 7: names of codings are case-insensitive",
    ),
    waiting("chunked-without-end", CHUNKED + b"4\r\nbody\r\n", why="RFC 9112 section 8: incomplete"),
    waiting("chunked-half-an-end", CHUNKED + b"4\r\nbody\r\n0\r\n", why="RFC 9112 section 8: incomplete"),
    waiting("chunked-in-a-chunk", CHUNKED + b"ff\r\nbody", why="RFC 9112 section 8: incomplete"),
    served(
        "fields-byte-exact",
        request(
            b"GET /a", b"x-CuStOm:a", b"X-Custom:  b\t ", b"Empty:", b"Latin: \xe4\xff", b"Tab: a\tb", b"X-Custom: c"
        ),
        seen(b"GET /a", b"x-CuStOm:a", b"X-Custom:  b\t ", b"Empty:", b"Latin: \xe4\xff", b"Tab: a\tb", b"X-Custom: c"),
        why="RFC 9110 section 5.3: case, order and repetition are the sender's",
    ),
    served(
        "all-token-characters",
        request(b"GET /a", b"!#$%&'*+-.^`|~09azAZ: x"),
        seen(b"GET /a", b"!#$%&'*+-.^`|~09azAZ: x"),
        why="RFC 9110 section 5.6.2",
    ),
    served(
        "cookie-lines",
        request(b"GET /a", b"Cookie: a=b", b"Cookie: c=d"),
        seen(b"GET /a", b"Cookie: a=b", b"Cookie: c=d"),
        why="RFC 9113 section 8.2.3: nothing is merged",
    ),
]
