"""Purges by place and by tag: rules that every file is checked against until all have been.

How it works
------------
A purge is a symbolic link in the directory of rules. Its name is the number of the rule, its target says what it is
about, as in `17 tag news`, where 17 is the stamp: making it is one step, which only one process can do for a number.
Then the number is published in the zone. A worker that sees it there reads the rules that it does not know before it
looks at any file. An answer is purged if a rule that is about it has a stamp above its ticket.

A rule is retired when a sweep has looked at every file that was put in place since it was published. What is then
still on its way, with a ticket from before, is not stored. Where a rule cannot be written, or there are too many,
everything is purged: that takes only a word, and nothing that was to be purged is served.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from kairos._speedups import Cells
from kairos.cache import words
from kairos.cache.form import MOST_TAG, Head

MOST_RULES = 10_000
MOST_TEXT = 3_000  # bytes of a place, which has to fit a symbolic link

_TAG, _PLACE, _BELOW = b"tag", b"place", b"below"
_log = logging.getLogger("kairos.cache")


class Purges:
    """One worker's knowledge of the rules in a directory."""

    __slots__ = ("_below", "_cells", "_directory", "_known", "_newest", "_places", "_retired", "_rules", "_tags")

    def __init__(self, cells: Cells, directory: Path) -> None:
        self._cells = cells
        self._directory = directory
        self._known = 0
        self._retired = 0
        self._rules: dict[int, tuple[int, bytes, bytes]] = {}  # by number: stamp, kind, text
        self._newest = 0  # the highest stamp of a rule
        self._tags: dict[bytes, int] = {}  # stamps, as in the next two
        self._places: dict[bytes, int] = {}
        self._below: dict[bytes, int] = {}

    def purge(self, place: bytes, *, below: bool = False) -> None:
        """Purge what has this place; with `below` all whose place begins so."""
        if not place and below:
            words.purge_everything(self._cells)
        elif len(place) > MOST_TEXT:
            self._add(_BELOW, place[:MOST_TEXT])
        else:
            self._add(_BELOW if below else _PLACE, place)

    def purge_tag(self, tag: bytes) -> None:
        """Purge what has this tag."""
        if len(tag) <= MOST_TAG:  # no answer has a longer one
            self._add(_TAG, tag)

    def learn(self, word: int) -> None:
        """Read the rules that `word`, a value of words.RULES, tells of."""
        latest = words.latest_rule(word)
        if latest <= self._known:
            return
        self._forget_retired()
        for number in range(max(self._known, self._retired) + 1, latest + 1):
            with suppress(FileNotFoundError):  # it has been retired
                stamp, kind, text = os.readlink(self._path(number)).split(b" ", 2)
                self._enter(number, int(stamp), kind, text)
        self._known = latest

    def cover(self, head: Head) -> bool:
        """Say whether an answer is purged, by all rules that are known and by purges of everything."""
        ticket, label = head.ticket, head.label
        if ticket < self._cells.load(words.ALL_BEFORE):
            return True
        if ticket >= self._newest:
            return False
        if self._places.get(label.place, 0) > ticket or any(self._tags.get(tag, 0) > ticket for tag in label.tags):
            return True
        return any(stamp > ticket and label.place.startswith(place) for place, stamp in self._below.items())

    def are_forgotten(self, ticket: int) -> bool:
        """Say whether rules may have been retired that are younger than a ticket."""
        return ticket < self._cells.load(words.FLOOR)

    def retire(self, number: int, stamp: int) -> None:
        """Forget the rules up to a number, all with stamps up to `stamp`: every file has been checked against them."""
        if number <= self._cells.load(words.RETIRED):
            return
        words.raise_to(self._cells, words.FLOOR, stamp)  # before anybody can miss the rules
        words.raise_to(self._cells, words.RETIRED, number)
        for path in self._directory.iterdir():
            if path.name.isdigit() and int(path.name) <= number:
                path.unlink(missing_ok=True)

    def _add(self, kind: bytes, text: bytes) -> None:
        if 0 in text:
            return  # no field of a message has it
        rule = b"%d %b %b" % (words.next_stamp(self._cells), kind, text)
        number = words.latest_rule(self._cells.load(words.RULES)) + 1
        try:
            while not self._claim(number, rule):
                number += 1
        except OSError as error:
            _log.warning("a purge cannot be noted (%s): everything is purged", error.strerror)
            words.purge_everything(self._cells)
            return
        words.publish_rule(self._cells, number)
        if number - self._cells.load(words.RETIRED) > MOST_RULES:
            _log.warning("there are more than %d purges within some minutes: everything is purged", MOST_RULES)
            words.purge_everything(self._cells)

    def _claim(self, number: int, rule: bytes) -> bool:
        try:
            os.symlink(rule, self._path(number))
        except FileExistsError:
            return False
        return True

    def _path(self, number: int) -> bytes:
        return os.fsencode(self._directory / str(number))

    def _enter(self, number: int, stamp: int, kind: bytes, text: bytes) -> None:
        self._rules[number] = (stamp, kind, text)
        about = self._tags if kind == _TAG else self._places if kind == _PLACE else self._below
        about[text] = max(about.get(text, 0), stamp)
        self._newest = max(self._newest, stamp)

    def _forget_retired(self) -> None:
        retired = self._cells.load(words.RETIRED)
        if retired == self._retired:
            return
        self._retired = retired
        rules = {number: rule for number, rule in self._rules.items() if number > retired}
        for known in (self._rules, self._tags, self._places, self._below):
            known.clear()
        self._newest = 0
        for number, rule in rules.items():
            self._enter(number, *rule)
