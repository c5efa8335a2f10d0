"""The Python twin of `rendezvous`."""

from math import log
from struct import unpack

_ALL = (1 << 64) - 1


def _mixed(word: int) -> int:
    """Mix all bits with all (the finish of SplitMix64)."""
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _ALL
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _ALL
    return word ^ word >> 31


def ranking(key: int, seeds: bytes, weights: bytes) -> tuple[int, ...]:
    """Return the indexes of all items in the order of choice of the key whose 64-bit hash is `key`.

    `seeds` has a 64-bit hash for each item, and `weights` a positive double; empty weights are equal ones.
    """
    count = len(seeds) // 8
    if len(seeds) % 8 or len(weights) not in (0, len(seeds)):
        raise ValueError("seeds and weights have 8 bytes for each item")
    words = [_mixed(key ^ seed) for seed in unpack(f"={count}Q", seeds)]
    if not weights:
        return tuple(sorted(range(count), key=lambda index: -words[index]))
    costs = [
        -log(((word >> 11) + 0.5) / 9007199254740992.0) / weight
        for word, weight in zip(words, unpack(f"={count}d", weights), strict=True)
    ]
    return tuple(sorted(range(count), key=lambda index: (costs[index], -words[index])))
