"""What the workers know together about the cache: words of the zone, each changed in one step.

How it works
------------
Whatever forgets an answer, a purge or a removal, takes the next number of the sequence, its *stamp*. A *ticket* is the
number that is current when a backend is asked. So an answer is older than a purge if its ticket is less than the stamp.

Each key has one of 16,384 words, by its hash. It has the stamp of the latest removal, above 24 bits that count every
change. A hot copy is as good as the file while the word of its key is as it was before the file was read. Keys that
share a word cost each other a look at a file, and now and then an answer that is not stored; never a wrong one.
"""

from hashlib import blake2b
from struct import unpack

from kairos._speedups import Cells

SEQUENCE = 0  # the latest stamp
RULES = 1  # how many purges there were of everything (above 32 bits), and the number of the latest rule
ALL_BEFORE = 2  # the stamp of the latest purge of everything
RETIRED = 3  # rules up to this number have been carried out in every file
FLOOR = 4  # who has a ticket below does not know any more whether a rule is about his answer
CURSOR = 5  # where to look next for what can make room
LEASE = 6  # who sweeps
TOTAL = 7  # pages that all files take
SHARDS = 16  # first of the sizes of the shards, and of that of unfinished files
KEYS = 512  # first of the words of keys
KEY_WORDS = 1 << 14

_CHANGE_BITS = 24
_RULE_BITS = 32
_RULE_MASK = (1 << _RULE_BITS) - 1


class Names:
    """Hash keys to the names of their files, which nobody outside can guess, and to their words."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, key: bytes) -> tuple[str, int]:
        """Return the name of a key's file, and the index of its word."""
        digest = blake2b(key, digest_size=16, key=self._secret).digest()
        number: int = unpack("=I", digest[-4:])[0]
        return digest.hex(), KEYS + number % KEY_WORDS


def removed_at(word: int) -> int:
    """Return the stamp of the latest removal that the word of a key tells of."""
    return word >> _CHANGE_BITS


def next_stamp(cells: Cells) -> int:
    """Return a new stamp: above every ticket so far, and not above those that are drawn after this."""
    return cells.fetch_add(SEQUENCE, 1) + 1


def mark_removed(cells: Cells, index: int) -> None:
    """Let nothing that was asked for before now be stored under the keys of a word."""
    stamp = next_stamp(cells)
    while True:
        word = cells.load(index)
        after = max(removed_at(word), stamp) << _CHANGE_BITS | word & (1 << _CHANGE_BITS) - 1
        if cells.compare_exchange(index, word, after):
            return


def raise_to(cells: Cells, index: int, value: int) -> None:
    """Set a word, unless it is higher."""
    while (now := cells.load(index)) < value:
        if cells.compare_exchange(index, now, value):
            return


def latest_rule(word: int) -> int:
    """Return the number of the latest rule that RULES tells of."""
    return word & _RULE_MASK


def publish_rule(cells: Cells, number: int) -> None:
    """Tell all workers to read the rules up to this number."""
    while latest_rule(word := cells.load(RULES)) < number:
        if cells.compare_exchange(RULES, word, word - latest_rule(word) + number):
            return


def purge_everything(cells: Cells) -> None:
    """Let every answer that was asked for before now be forgotten."""
    raise_to(cells, ALL_BEFORE, next_stamp(cells))
    cells.fetch_add(RULES, 1 << _RULE_BITS)
