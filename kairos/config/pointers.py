"""JSON pointers (RFC 6901)."""


def parse_pointer(text: str) -> tuple[str, ...]:
    """Return the tokens of a pointer to something within a document. Raises ValueError with the reason."""
    if not text.startswith("/"):
        raise ValueError("it does not start with '/'")
    if "~" in text.replace("~0", "").replace("~1", ""):
        raise ValueError("'~' is written '~0' in it, and '/' in a key '~1'")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/"))
