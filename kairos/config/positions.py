"""Where each value of a JSON text stands. Only needed when there is something to say about one of them."""

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field

from kairos.config.findings import escape

# The text has been parsed before, so that a lexer is enough to find the values in it.
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|[^\s,:\[\]{}"]+')
NEWLINE = re.compile(r"\n")


@dataclass(slots=True)
class Positions:
    """Offsets of values and of keys by JSON pointer; a repeated key stands for its last value, as in `json.loads`."""

    values: dict[str, int] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    repeated: list[tuple[str, int, int]] = field(default_factory=list)
    """Pointer, offset of the first key, offset of the repeated key."""
    newlines: list[int] = field(default_factory=list)

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Return the place of an offset as an editor shows it, both counted from 1."""
        line = bisect_left(self.newlines, offset)
        return line + 1, offset - (self.newlines[line - 1] if line else -1)

    def offset(self, pointer: str, *, at_key: bool = False) -> int:
        """Return where a value stands; for one that is missing, where the nearest object around it begins."""
        if at_key and pointer in self.keys:
            return self.keys[pointer]
        while pointer not in self.values:
            pointer = pointer.rpartition("/")[0]
        return self.values[pointer]


class Frame:
    """An object or array that is being scanned."""

    __slots__ = ("index", "is_object", "key", "offset", "prefix")

    def __init__(self, prefix: str, offset: int, *, is_object: bool) -> None:
        self.prefix = prefix
        self.offset = offset
        self.is_object = is_object
        self.index = 0
        self.key: str | None = None


def scan(text: str) -> Positions:
    """Find the offset of every value and key of a valid JSON text."""
    positions = Positions(newlines=[match.start() for match in NEWLINE.finditer(text)])
    frames: list[Frame] = []
    for match in TOKEN.finditer(text):
        offset = match.start()
        first = text[offset]
        if first in "]}":
            frames.pop()
            continue
        frame = frames[-1] if frames else None
        if frame is not None and frame.is_object and frame.key is None:
            quoted = match[0]
            key = json.loads(quoted) if "\\" in quoted else quoted[1:-1]
            frame.key = f"{frame.prefix}/{escape(key)}"
            first_offset = positions.keys.get(frame.key, -1)
            if first_offset > frame.offset:  # else it stood in an object that was given again
                positions.repeated.append((frame.key, first_offset, offset))
            positions.keys[frame.key] = offset
            continue
        pointer = next_pointer(frame)
        positions.values[pointer] = offset
        if first in "[{":
            frames.append(Frame(pointer, offset, is_object=first == "{"))
    if positions.repeated:
        forget_replaced(positions)
    return positions


def next_pointer(frame: Frame | None) -> str:
    """Return the pointer of the value that begins now."""
    if frame is None:
        return ""
    if frame.key is not None:
        pointer, frame.key = frame.key, None
    else:
        pointer = f"{frame.prefix}/{frame.index}"
        frame.index += 1
    return pointer


def forget_replaced(positions: Positions) -> None:
    """Drop what stands below a key that is given again later."""
    last = {pointer: again for pointer, _, again in positions.repeated}
    for offsets in (positions.values, positions.keys):
        for pointer in [pointer for pointer, offset in offsets.items() if is_replaced(pointer, offset, last)]:
            del offsets[pointer]


def is_replaced(pointer: str, offset: int, last: dict[str, int]) -> bool:
    """Say whether a value stands before the last of the keys that lead to it."""
    while pointer:
        if offset < last.get(pointer, 0):
            return True
        pointer = pointer.rpartition("/")[0]
    return False
