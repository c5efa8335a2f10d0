"""What is wrong with a text that is no JSON, where, and how to mend it."""

import json
import re
import sys
from typing import NamedTuple

from kairos.config.positions import TOKEN


class Fault(NamedTuple):
    """What is wrong at an offset of a text."""

    message: str
    fix: str
    offset: int


AT_FAULT = re.compile(
    r"""
    (?P<comment> // | /\* | \# )
    | (?P<quote> ' )
    | (?P<control> [\x00-\x1f] )
    | (?P<word> [A-Za-z_$] )
    | (?P<end> \Z )
    """,
    re.VERBOSE,
)
CAUSES = {
    "comment": ("there are no comments in JSON", 'write it as a key: "_comment": "..."'),
    "quote": ("a text in single quotes", "use double quotes"),
    "control": ("a control character", "remove it; in a string, a line break is \\n and a tab is \\t"),
    "word": ("a word without quotes", "put it in double quotes; the only words without are true, false and null"),
    "end": ("the text ends too early", "write the rest, with a bracket or quote for each that is open"),
}
TRAILING_COMMA = ("a comma after the last item", "remove the comma")
FIXES = (
    ("Expecting ','", "put a comma between the items, or close the array or object"),
    ("Expecting ':'", "put a colon between the key and its value"),
    ("Expecting property name", "write a key in double quotes"),
    ("Expecting value", "write a value"),
    ("Illegal trailing comma", "remove the comma"),
    ("Extra data", "remove what follows the value, or a bracket that is one too many"),
    ("Unterminated string", "add the double quote at its end"),
    ("Invalid \\", "write a backslash as two"),
)
INSIDE_STRING = ("Unterminated string", "Invalid \\")
NO_NUMBER = re.compile(r"NaN|-?Infinity")


def syntax_fault(text: str, error: json.JSONDecodeError) -> Fault:
    """Explain what a JSON parser found, first by what stands there, else by the parser's own words."""
    before = text[: error.pos].rstrip()
    if before.endswith(",") and text[error.pos : error.pos + 1] in ("}", "]"):
        return Fault(*TRAILING_COMMA, len(before) - 1)
    found = AT_FAULT.match(text, error.pos)
    if found and found.lastgroup and not error.msg.startswith(INSIDE_STRING):
        return Fault(*CAUSES[found.lastgroup], error.pos)
    fix = next((fix for words, fix in FIXES if error.msg.startswith(words)), "")
    return Fault(error.msg, fix, error.pos)


def number_fault(text: str) -> Fault:
    """Find the number that JSON does not know (RFC 8259 section 6), or that is longer than anybody would mean."""
    most_digits = sys.get_int_max_str_digits()
    for token in TOKEN.finditer(text):
        if NO_NUMBER.fullmatch(token[0]):
            return Fault(f"{token[0]} is no JSON number", "write a number", token.start())
        digits = token[0].removeprefix("-")
        if len(digits) > most_digits and digits.isdigit():
            return Fault(f"a number of {len(digits)} digits", "write a smaller number", token.start())
    raise ValueError("no number is wrong")


def depth_fault(text: str, most: int) -> Fault:
    """Find the bracket that opens one level too many."""
    depth = 0
    for token in TOKEN.finditer(text):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if depth > most:
            break
    return Fault(f"nested deeper than {most} levels", "write it with fewer levels", token.start())
