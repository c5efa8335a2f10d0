"""Judge, read and copy the header block of an HTTP/1.1 head: the twin of `head.pyx`."""

import re

_TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
_FIELDS = rb"(?:%b:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n" % _TOKEN
_REQUEST = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[-._~%%!$&'()*+,;=:@/?0-9A-Za-z]* HTTP/1\.1\r\n%b" % _FIELDS
)
_RESPONSE = re.compile(rb"HTTP/1\.1 [2-5][0-9][0-9] [^\x00-\x08\x0a-\x1f\x7f]*\r\n%b" % _FIELDS)
_FRAMING = re.compile(rb"(?i)\n(?:content-length|transfer-encoding):")
_FRAMES_WELL = re.compile(rb"\n(?:(?i:content-length):[ \t]*[0-9]{1,18}|(?i:transfer-encoding):[ \t]*chunked)\r\n")


class FieldSet:
    """A fixed set of field names, to look their values up in a head and to leave their lines out of a copy.

    A head is the bytes of a message from its first line to the empty line, already validated by the parser.
    """

    __slots__ = ("_dropped", "_indexes", "_lines", "drops_underscores", "names")

    def __init__(self, names: tuple[bytes, ...], drops_underscores: bool = False) -> None:
        for name in names:
            if not name or name != name.lower():
                raise ValueError(f"not a lower-case field name: {name!r}")
        self.names = names
        self.drops_underscores = drops_underscores
        self._indexes = {name: i for i, name in enumerate(names)}
        any_name = b"|".join(map(re.escape, names)) or rb"[^\s\S]"
        underscored = rb"|[^:\n]*_[^:\n]*" if drops_underscores else b""
        self._lines = re.compile(rb"(?im)^(%b):(.*)" % any_name)
        self._dropped = re.compile(rb"(?im)^(?:%b%b):.*\n|^[^:\n]*\n" % (any_name, underscored))

    def values(self, head: bytes) -> tuple[bytes | None, ...]:
        """Return the value of each name in the order of `names`; None where absent, repeated ones joined by ", "."""
        found: list[bytes | None] = [None] * len(self.names)
        for match in self._lines.finditer(head, head.find(b"\n") + 1):
            i = self._indexes[match[1].lower()]
            earlier, value = found[i], match[2].lstrip(b" \t").rstrip(b" \t\r")
            found[i] = value if earlier is None else earlier + b", " + value
        return tuple(found)

    def copy_without(self, head: bytes, before: tuple[bytes, ...], after: tuple[bytes, ...]) -> bytes:
        """Return `before`, the field lines of `head` whose names are not in the set, and `after`, joined.

        `before` and `after` are tuples of bytes.
        """
        return b"".join((*before, self._dropped.sub(b"", head[head.find(b"\n") + 1 :]), *after))


def count_lines(head: bytes) -> int:
    """Return the number of line ends in a head."""
    return head.count(b"\n")


def head_end(data: bytes, start: int) -> int:
    """Return where the head in `data` ends, behind its empty line, looking from `start` on; -1 if it does not."""
    found = data.find(b"\r\n\r\n", start) if start >= 0 else -1
    return found + 4 if found >= 0 else -1


def plain_request(head: bytes, facts: FieldSet) -> tuple[bytes | None, ...] | None:
    """Return the values of `facts` if this is a plain head of a request, else None: then the parser has to decide.

    Plain means: all of one head and nothing more; HTTP/1.1, a usual method, a target in origin-form of RFC 3986's
    characters; lines that end with CRLF; clean names and values; at most one field that frames a body, and that well.
    """
    return facts.values(head) if _REQUEST.fullmatch(head) is not None and _is_framed_well(head) else None


def plain_response(head: bytes, facts: FieldSet) -> tuple[bytes | None, ...] | None:
    """Do the same for the head of a response: HTTP/1.1 and a status from 200 to 599 are plain."""
    return facts.values(head) if _RESPONSE.fullmatch(head) is not None and _is_framed_well(head) else None


def _is_framed_well(head: bytes) -> bool:
    framing = _FRAMING.findall(head)
    return not framing or (len(framing) == 1 and _FRAMES_WELL.search(head) is not None)
