"""Patterns: the language in which a route says what paths it matches."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from kairos._speedups.matcher import NO_TAIL, OTHER_SLASH, STATED
from kairos.errors import BadRequest
from kairos.routing.normalize import escape_path

Segment = bytes | tuple[bytes, ...]
"""A literal, or the literals before, between and after the parameters of a segment."""

PARAMETER = (b"", b"")
TAIL = ()

MAX_SEGMENTS = 64  # bounds the depth of the matcher's tree

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"\w+")


class PatternError(ValueError):
    """A path in the config cannot be understood. `fix` says what to write instead."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Pattern:
    """An external path, taken apart. Patterns of equal `segments` match the same paths, whatever they name."""

    text: str
    segments: tuple[Segment, ...]
    names: tuple[str, ...]

    @property
    def has_tail(self) -> bool:
        """Whether the pattern matches any further segments."""
        return self.segments[-1] == TAIL

    @property
    def mixes(self) -> bool:
        """Whether some parameter captures only a part of a segment."""
        return any(isinstance(segment, tuple) and len(b"".join(segment)) for segment in self.segments)

    def places(self, trailing_slash: str) -> Iterator[tuple[tuple[Segment, ...], int]]:
        """Yield the segments to match, each with its rank: the pattern's own, and what may stand for them as well."""
        yield self.segments, STATED
        if trailing_slash != "ignore" or self.segments in ((b"",), (TAIL,)):
            return
        if self.segments[-1] == TAIL:
            yield self.segments[:-1], NO_TAIL
        elif self.segments[-1] == b"":
            yield self.segments[:-1], OTHER_SLASH
        else:
            yield (*self.segments, b""), OTHER_SLASH


@lru_cache(1024)
def parse_pattern(text: str) -> Pattern:
    """Take an external path apart, or raise `PatternError`."""
    if not text.startswith("/"):
        raise PatternError("External path must start with '/'", f"write '/{text}'")
    if "?" in text or "#" in text:
        raise PatternError("External path has a query or a fragment", "write only the path")
    parts = text[1:].split("/")
    if len(parts) > MAX_SEGMENTS:
        raise PatternError(f"The path has more than {MAX_SEGMENTS} segments", "end it earlier, with {rest...}")
    if "" in parts[:-1]:
        raise PatternError("The path has an empty segment, and no normalised request has one", "write one '/' only")
    names: list[str] = []
    segments = tuple(_parse_segment(part, names, is_last=index == len(parts)) for index, part in enumerate(parts, 1))
    for name in names:
        if names.count(name) > 1:
            raise PatternError(f"The parameter {{{name}}} is there twice", "give each parameter a name of its own")
    return Pattern(text, segments, tuple(names))


def literal_path(segments: tuple[Segment, ...]) -> bytes | None:
    """Return the one path that the segments match, or None if they match more than one."""
    literals = [segment for segment in segments if isinstance(segment, bytes)]
    return b"/" + b"/".join(literals) if len(literals) == len(segments) else None


def split_placeholders(text: str) -> tuple[list[str], list[str]]:
    """Split a text at its placeholders: the literals around them, and their names (a tail keeps its dots)."""
    if "{" not in text and "}" not in text:
        return [text], []
    pieces = _PLACEHOLDER.split(text)
    literals, names = pieces[::2], pieces[1::2]
    for literal in literals:
        if "{" in literal:
            raise PatternError(f"'{{' is never closed in '{text}'", "write {name}, or %7B for a brace")
        if "}" in literal:
            raise PatternError(f"'}}' closes nothing in '{text}'", "write {name}, or %7D for a brace")
    for name in names:
        if not _NAME.fullmatch(name.removesuffix("...")):
            fix = "name it with letters, digits and underscores: {user_id}, or {rest...} for a tail"
            raise PatternError(f"'{{{name}}}' is not a parameter", fix)
    return literals, names


@lru_cache(4096)  # not only for speed: equal literals become one object, and a large table has fewer cache misses
def literal_bytes(text: str) -> bytes:
    """Bring literal text of a path into the form that requests have once normalised."""
    try:
        return escape_path(text.encode())
    except BadRequest as exc:
        raise PatternError(f"{exc.message}: '{text}'", "escape control characters, spaces, '%' and '#'") from exc


def _parse_segment(text: str, names: list[str], *, is_last: bool) -> Segment:
    """Take one segment apart, and append its parameters to `names`."""
    literals, placeholders = split_placeholders(text)
    pieces = tuple(map(literal_bytes, literals))
    if not placeholders:
        if pieces[0].partition(b";")[0] in (b".", b".."):
            raise PatternError("The path has a dot segment, and no normalised request has one", "write it without")
        return pieces[0]
    if any(name.endswith("...") for name in placeholders):
        if not is_last or text != f"{{{placeholders[0]}}}":
            raise PatternError(f"The tail in '{text}' is not the whole last segment", "end the path with /{rest...}")
        names.append(placeholders[0].removesuffix("..."))
        return TAIL
    if b"" in pieces[1:-1]:
        raise PatternError(f"Two parameters touch in '{text}'", "put a literal between them, or make them one")
    names += placeholders
    return pieces
