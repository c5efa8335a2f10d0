# cython: language_level=3, boundscheck=False, wraparound=False
"""SipHash-1-3 without a key: the hash of Rust's standard library, by which kairos-rs chooses backends."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t


cdef inline uint64_t rotated(uint64_t word, int bits) noexcept:
    return word << bits | word >> (64 - bits)


cdef inline void mix(uint64_t *v) noexcept:
    """Do one SipRound."""
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


def siphash13(bytes data not None):
    """Return the 64-bit hash of `data`."""
    cdef const unsigned char *byte = <const unsigned char *>PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data), left = size
    cdef uint64_t[4] v
    cdef uint64_t word
    v[0], v[1] = 0x736F6D6570736575ULL, 0x646F72616E646F6DULL
    v[2], v[3] = 0x6C7967656E657261ULL, 0x7465646279746573ULL
    while left >= 8:
        word = word_at(byte, 8)
        v[3] ^= word
        mix(v)
        v[0] ^= word
        byte += 8
        left -= 8
    word = word_at(byte, left) | <uint64_t>size << 56
    v[3] ^= word
    mix(v)
    v[0] ^= word
    v[2] ^= 0xFF
    mix(v)
    mix(v)
    mix(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
