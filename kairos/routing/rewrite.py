"""Internal paths: how what a pattern captured becomes the path and query that a backend sees."""

from functools import lru_cache

from kairos._speedups.matcher import CLIMBS, Rewrite, Template
from kairos.errors import BadRequest
from kairos.routing.normalize import escape_query
from kairos.routing.pattern import Pattern, PatternError, literal_bytes, split_placeholders


def parse_rewrite(internal: str, pattern: Pattern, *, path_is_whole: bool) -> Rewrite:
    """Compile an internal path, or raise `PatternError`.

    `path_is_whole` tells that the pattern is matched as it stands, without a slash or tail more or less: only then can
    an internal path that is the same as the external one forward the path untouched.
    """
    if not internal.startswith("/"):
        raise PatternError("Internal path must start with '/'", f"write '/{internal}'")
    path_text, _, query_text = internal.partition("?")
    texts, names = split_placeholders(path_text)
    literals = tuple(map(literal_bytes, texts))
    gaps = _positions(names, pattern)
    _refuse_empty_segments(path_text, literals, gaps, pattern)
    path = Template(literals, gaps)
    if CLIMBS.search(path.filled([b"x"] * len(pattern.names))):
        message = f"Path traversal detected: '{path_text}' has a dot segment"
        raise PatternError(message, "write the path that it leads to")
    query = _parse_query(query_text, pattern) if query_text else None
    keeps_path = path_is_whole and path_text == pattern.text
    may_climb = not keeps_path and (pattern.mixes or not _fills_segments(literals))
    return Rewrite(path, query, keeps_path, may_climb)


def _refuse_empty_segments(text: str, literals: tuple[bytes, ...], gaps: tuple[int, ...], pattern: Pattern) -> None:
    """See to it that whatever is forwarded is in normal form, as the path was that came."""
    if any(b"//" in literal for literal in literals):
        raise PatternError(f"Internal path has an empty segment: '{text}'", "write one '/' only")
    followed = gaps if literals[-1] else gaps[:-1]
    if pattern.has_tail and len(pattern.names) - 1 in followed:  # it may be empty, or end with a slash
        fix = f"end the internal path with {{{pattern.names[-1]}...}}"
        raise PatternError(f"The tail is not at the end of '{text}'", fix)


def _parse_query(text: str, pattern: Pattern) -> Template:
    texts, names = split_placeholders(text)
    try:
        literals = tuple(escape_query(literal.encode()) for literal in texts)
    except BadRequest as exc:
        raise PatternError(f"{exc.message}: '{text}'", "escape control characters, spaces and '#'") from exc
    return Template(literals, _positions(names, pattern))


def _positions(names: list[str], pattern: Pattern) -> tuple[int, ...]:
    """Say of each placeholder which captured value fills it. A tail may be written with its dots or without."""
    if not names:
        return ()
    known = {name: index for index, name in enumerate(pattern.names)}
    if pattern.has_tail:
        known[pattern.names[-1] + "..."] = len(pattern.names) - 1
    for name in names:
        if name not in known:
            there = ", ".join(f"{{{name}}}" for name in pattern.names) or "none"
            raise PatternError(f"{{{name}}} is no parameter of '{pattern.text}'", f"use one of its parameters: {there}")
    return _shared(tuple(known[name] for name in names))


@lru_cache(1024)
def _shared(positions: tuple[int, ...]) -> tuple[int, ...]:
    """Return one object for equal positions: a large table is smaller, and touches less memory."""
    return positions


def _fills_segments(literals: tuple[bytes, ...]) -> bool:
    """Say whether each gap between the literals is a whole segment."""
    before, after = literals[:-1], literals[1:]
    return all(text.endswith(b"/") for text in before) and all(text[:1] in (b"", b"/") for text in after)
