# cython: language_level=3, boundscheck=False, wraparound=False
"""SipHash-2-4 with a key and 128 bits: what stands for a name in shared memory, where no client can choose it."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t


cdef inline uint64_t rotated(uint64_t word, int bits) noexcept:
    return word << bits | word >> (64 - bits)


cdef inline void mix(uint64_t *v, int rounds) noexcept:
    """Do SipRounds."""
    for _ in range(rounds):
        v[0] += v[1]
        v[2] += v[3]
        v[1] = rotated(v[1], 13) ^ v[0]
        v[3] = rotated(v[3], 16) ^ v[2]
        v[0] = rotated(v[0], 32)
        v[2] += v[1]
        v[0] += v[3]
        v[1] = rotated(v[1], 17) ^ v[2]
        v[3] = rotated(v[3], 21) ^ v[0]
        v[2] = rotated(v[2], 32)


cdef inline uint64_t word_at(const unsigned char *data, Py_ssize_t size) noexcept:
    """Read up to 8 bytes as a little-endian number."""
    cdef uint64_t word = 0
    cdef Py_ssize_t i
    for i in range(size):
        word |= <uint64_t>data[i] << (8 * i)
    return word


@cython.final
@cython.freelist(64)
cdef class Mark:
    """The two halves of a hash, as cells hold them."""


cpdef Mark mark(bytes key, bytes data):
    """Return the hash of `data` under a key of 16 bytes."""
    if key is None or data is None:
        raise TypeError("a hash is made of bytes")
    if len(key) != 16:
        raise ValueError("the key has 16 bytes")
    cdef const unsigned char *byte = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef const unsigned char *secret = <const unsigned char *>PyBytes_AS_STRING(key)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), left = size
    cdef uint64_t low = word_at(secret, 8), high = word_at(secret + 8, 8), word
    cdef uint64_t[4] v
    v[0], v[1] = 0x736F6D6570736575ULL ^ low, 0x646F72616E646F6DULL ^ high ^ 0xEE
    v[2], v[3] = 0x6C7967656E657261ULL ^ low, 0x7465646279746573ULL ^ high
    while left >= 8:
        word = word_at(byte, 8)
        v[3] ^= word
        mix(v, 2)
        v[0] ^= word
        byte += 8
        left -= 8
    word = word_at(byte, left) | <uint64_t>size << 56
    v[3] ^= word
    mix(v, 2)
    v[0] ^= word
    cdef Mark made = Mark.__new__(Mark)
    v[2] ^= 0xEE
    mix(v, 4)
    made.low = <int64_t>(v[0] ^ v[1] ^ v[2] ^ v[3])
    v[1] ^= 0xDD
    mix(v, 4)
    made.high = <int64_t>(v[0] ^ v[1] ^ v[2] ^ v[3])
    return made
