"""Read and copy the header block of an HTTP/1.1 head: the twin of `head.pyx`."""

import re


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

    def copy_without(self, head: bytes, before: bytes, after: bytes) -> bytes:
        """Return `before`, the field lines of `head` whose names are not in the set, and `after`, joined."""
        return before + self._dropped.sub(b"", head[head.find(b"\n") + 1 :]) + after


def count_lines(head: bytes) -> int:
    """Return the number of line ends in a head."""
    return head.count(b"\n")


def head_end(data: bytes, start: int) -> int:
    """Return where the head in `data` ends, behind its empty line, looking from `start` on; -1 if it does not."""
    found = data.find(b"\r\n\r\n", start) if start >= 0 else -1
    return found + 4 if found >= 0 else -1
