"""The operator's regular expressions: in the syntax of RE2, which takes linear time whatever the text.

They work on bytes, as these come from the wire: `.` is one byte, and a letter beyond ASCII is the bytes of its UTF-8.
"""

import re
from collections.abc import Iterator

import re2

MOST_LETTERS = 1000
MOST_MEMORY = 1 << 20  # bytes, for the compiled form and for what it remembers of a search
MOST_GROWTH = 16 << 10  # bytes; what would become longer by a replacement stays as it is

_REFERENCE = re.compile(r"\$(?:(\$)|([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z0-9_]+)\})?")

Span = tuple[int, int]
NOWHERE = (-1, -1)


class Regex:
    """A regular expression. Raises ValueError with the reason for one that cannot be used."""

    __slots__ = ("_found", "groups", "names", "pattern")

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MOST_LETTERS:
            raise ValueError(f"it is longer than {MOST_LETTERS} characters")
        options = re2.Options()
        options.log_errors = False
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = MOST_MEMORY
        try:
            compiled = re2.compile(pattern.encode(), options)
        except re2.error as exc:
            reason = exc.args[0]
            raise ValueError(reason.decode("latin-1") if isinstance(reason, bytes) else str(reason)) from None
        self.pattern = pattern
        self.groups: int = compiled.groups
        self.names: dict[str, int] = {name.decode(): number for name, number in compiled.groupindex.items()}
        self._found = compiled

    def is_in(self, text: bytes) -> bool:
        """Say whether some part of a text matches."""
        return self._found.search(text) is not None

    def is_all(self, text: bytes) -> bool:
        """Say whether a text matches as a whole."""
        return self._found.fullmatch(text) is not None

    def spans(self, text: bytes) -> Iterator[list[Span]]:
        """Find the matches from the left: of each where it is, and where its groups are."""
        end = -1
        for match in self._found.finditer(text):
            spans = [match.span(number) for number in range(self.groups + 1)]
            if spans[0] != (end, end):  # nothing right behind a match is no other match
                yield spans
            end = spans[0][1]


class Substitution:
    """A regular expression with what replaces its matches: `$1`, `${1}` and `$name` are groups, `$$` is a dollar.

    Raises ValueError for an expression that cannot be used, or a group that it does not have.
    """

    __slots__ = ("_parts", "regex")

    def __init__(self, pattern: str, replacement: str) -> None:
        self.regex = Regex(pattern)
        if len(replacement) > MOST_LETTERS:
            raise ValueError(f"the replacement is longer than {MOST_LETTERS} characters")
        self._parts = tuple(self._read(replacement))

    @property
    def literals(self) -> bytes:
        """What the replacement says itself."""
        return b"".join(part for part in self._parts if isinstance(part, bytes))

    def first(self, text: bytes) -> bytes:
        """Replace the first match."""
        for spans in self.regex.spans(text):
            start, end = spans[0]
            return text[:start] + self._filled(text, spans) + text[end:]
        return text

    def all(self, text: bytes) -> bytes:
        """Replace every match; a text that would become too long stays as it is."""
        pieces: list[bytes] = []
        done = size = 0
        for spans in self.regex.spans(text):
            start, end = spans[0]
            pieces += (text[done:start], self._filled(text, spans))
            size += len(pieces[-1])
            done = end
            if size > MOST_GROWTH:
                return text
        return b"".join((*pieces, text[done:])) if pieces else text

    def _read(self, replacement: str) -> Iterator[bytes | int]:
        done = 0
        for found in _REFERENCE.finditer(replacement):
            yield replacement[done : found.start()].encode()
            done = found.end()
            dollar, number, name, braced = found.groups()
            if dollar:
                yield b"$"
            elif number or (braced and braced.isdigit()):
                yield self._group(int(number or braced))
            elif name or braced:
                yield self._named(name or braced)
            else:
                raise ValueError("a '$' in the replacement is followed by no group; write '$$' for a dollar")
        yield replacement[done:].encode()

    def _group(self, number: int) -> int:
        if number > self.regex.groups:
            raise ValueError(f"the replacement has ${number}, but the expression has {self.regex.groups} groups")
        return number

    def _named(self, name: str) -> int:
        if name not in self.regex.names:
            raise ValueError(f"the replacement has ${name}, but the expression has no group of this name")
        return self.regex.names[name]

    def _filled(self, text: bytes, spans: list[Span]) -> bytes:
        parts = (part if isinstance(part, bytes) else _slice(text, spans[part]) for part in self._parts)
        return b"".join(parts)


def _slice(text: bytes, span: Span) -> bytes:
    return b"" if span == NOWHERE else text[span[0] : span[1]]
