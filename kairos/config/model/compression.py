"""Which answers are compressed, and how."""
# ruff: noqa: RUF012 - pydantic copies mutable defaults

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kairos.config.model.base import U32, Block, refusal

Algorithm = Literal["br", "zstd", "gzip"]

TYPES = re.compile(r"[a-z0-9!#$&^_.+-]+/(?:\*(?:\+[a-z0-9!#$&^_.-]+)?|[a-z0-9!#$&^_.+-]+)", re.IGNORECASE)
"""A media type (RFC 6838 section 4.2), or all of a family, or those of it with a suffix."""
COMPRESSIBLE = (
    "text/*",
    "application/json",
    "application/*+json",
    "application/x-ndjson",
    "application/xml",
    "application/*+xml",
    "application/javascript",
    "application/x-javascript",
    "application/yaml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "image/x-icon",
)
"""What is text, or shrinks like it."""


def check_types(text: str) -> str:
    """Take a type, or all types of a family; return it in lower case."""
    if not TYPES.fullmatch(text):
        fix = 'write for example "application/json", "text/*" or "application/*+json"'
        raise refusal(f"Not a media type: {text}", fix)
    return text.lower()


class CompressionLevels(Block):
    """How hard each algorithm tries: a higher level takes more time."""

    br: Annotated[int, Field(ge=0, le=11)] = 4
    """For `br`; from 6 on it is slow, and 11 is for what is made once."""
    zstd: Annotated[int, Field(ge=1, le=19)] = 3
    """For `zstd`."""
    gzip: Annotated[int, Field(ge=1, le=9)] = 4
    """For `gzip`."""


class Compression(Block):
    """Compress what backends send uncompressed, for clients that accept it.

    Answers stay as they are that are compressed already, are parts of something (206), have
    `Cache-Control: no-transform`, are shorter than `min_bytes`, or are of another type. A block in a route replaces the
    one of the gateway as a whole.
    """

    enabled: bool = True
    """Whether answers are compressed; false in a route makes an exception of it."""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["br", "zstd", "gzip"]
    """What is offered. If a client likes several equally well the first of them is taken."""
    types: list[Annotated[str, AfterValidator(check_types)]] = [*COMPRESSIBLE]
    """The media types of answers that are compressed; `text/*` is a whole family, `application/*+json` a part of one.
    Images, films and archives are compressed by nature: to do it again costs time and saves nothing."""
    min_bytes: Annotated[int, Field(ge=1, le=U32)] = 1024
    """How long an answer has to be. One whose length the backend does not tell is taken for long enough, unless it
    arrives as a whole."""
    levels: CompressionLevels = CompressionLevels()
    """How hard each algorithm tries."""
    event_streams: bool = False
    """Whether `text/event-stream` is compressed too, whatever `types` has. Each event goes on when it comes."""
