"""The operator's regular expressions: in the syntax of RE2, which takes linear time whatever the text.

They work on bytes, as these come from the wire: `.` is one byte, and a letter beyond ASCII is the bytes of its UTF-8.
"""

import re
from collections.abc import Callable, Iterator

import re2

MOST_LETTERS = 1000
MOST_MEMORY = 1 << 20  # bytes, for the compiled form and for what it remembers of a search
MOST_GROWTH = 16 << 10  # bytes; what would become longer by a replacement stays as it is

_REFERENCE = re.compile(r"\$(?:(\$)|([0-9]+)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z0-9_]+)\})?")

Span = tuple[int, int]
Groups = Callable[[int], bytes | None]


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

    def matches(self, text: bytes) -> Iterator[tuple[Span, Groups]]:
        """Find the matches from the left: of each where it is, and what tells its groups."""
        end = -1
        for match in self._found.finditer(text):
            span = match.span()
            if span != (end, end):  # nothing right behind a match is no other match
                yield span, match.group
            end = span[1]


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
        for (start, end), group in self.regex.matches(text):
            return text[:start] + self._filled(group) + text[end:]
        return text

    def all(self, text: bytes) -> bytes:
        """Replace every match; a text that would become too long stays as it is."""
        pieces: list[bytes] = []
        done = size = 0
        for (start, end), group in self.regex.matches(text):
            pieces += (text[done:start], self._filled(group))
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

    def _filled(self, group: Groups) -> bytes:
        return b"".join([part if isinstance(part, bytes) else group(part) or b"" for part in self._parts])
