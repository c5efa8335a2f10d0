# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rendezvous hashing: each key has an order of items of its own, in which a new item only takes a place.

How it works. Key and item together give a random number, and the highest comes first. With weights that number is the
time at which an event that happens so often comes first: the logarithm makes shares of the weights.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport log
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc

cdef enum:
    FEW = 24  # items up to this number are ranked on the stack

cdef struct Rank:
    double cost
    uint64_t word
    Py_ssize_t index


cdef inline uint64_t mixed(uint64_t word) noexcept:
    """Mix all bits with all (the finish of SplitMix64)."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9ULL
    word = (word ^ word >> 27) * 0x94D049BB133111EBULL
    return word ^ word >> 31


cdef inline bint is_before(const Rank *one, const Rank *other) noexcept:
    if one.cost != other.cost:
        return one.cost < other.cost
    if one.word != other.word:
        return one.word > other.word
    return one.index < other.index


cdef void sort(Rank *ranks, Py_ssize_t count) noexcept:
    """Sort by insertion over ever smaller gaps (Shell's sort); for a few items that is a plain insertion."""
    cdef Py_ssize_t gap = 1 if count <= FEW else count // 2
    cdef Py_ssize_t end, at
    cdef Rank rank
    while gap > 0:
        for end in range(gap, count):
            rank = ranks[end]
            at = end
            while at >= gap and is_before(&rank, &ranks[at - gap]):
                ranks[at] = ranks[at - gap]
                at -= gap
            ranks[at] = rank
        gap = 1 if gap == 2 else gap * 5 // 11


cpdef tuple ranking(uint64_t key, bytes seeds, bytes weights):
    """Return the indexes of all items in the order of choice of the key whose 64-bit hash is `key`.

    `seeds` has a 64-bit hash for each item, and `weights` a positive double; empty weights are equal ones.
    """
    cdef Py_ssize_t count = PyBytes_GET_SIZE(seeds) // 8, i
    cdef const uint64_t *seed = <const uint64_t *>PyBytes_AS_STRING(seeds)
    cdef const double *weight = <const double *>PyBytes_AS_STRING(weights)
    cdef bint is_weighted = PyBytes_GET_SIZE(weights) > 0
    cdef Rank few[FEW]
    cdef Rank *ranks = few
    if PyBytes_GET_SIZE(seeds) % 8 or (is_weighted and PyBytes_GET_SIZE(weights) != PyBytes_GET_SIZE(seeds)):
        raise ValueError("seeds and weights have 8 bytes for each item")
    if count > FEW:
        ranks = <Rank *>malloc(count * sizeof(Rank))
        if ranks is NULL:
            raise MemoryError
    for i in range(count):
        ranks[i].index = i
        ranks[i].word = mixed(key ^ seed[i])
        ranks[i].cost = -log(((ranks[i].word >> 11) + 0.5) / 9007199254740992.0) / weight[i] if is_weighted else 0.0
    sort(ranks, count)
    indexes = tuple([ranks[i].index for i in range(count)])
    if ranks is not few:
        free(ranks)
    return indexes
