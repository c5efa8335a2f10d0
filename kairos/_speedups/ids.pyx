# cython: language_level=3, boundscheck=False, wraparound=False
"""Write random bytes as a UUID."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

cdef const char *DIGITS = b"0123456789abcdef"


cpdef bytes uuid4(bytes source, Py_ssize_t at):
    """Return the 16 bytes of `source` from `at` on as the text of a random UUID (RFC 9562 section 5.4).

    IndexError if there are not that many.
    """
    if at < 0 or at + 16 > PyBytes_GET_SIZE(source):
        raise IndexError("not enough random bytes")
    cdef const unsigned char *byte = <const unsigned char *>PyBytes_AS_STRING(source) + at
    cdef bytes made = PyBytes_FromStringAndSize(NULL, 36)
    cdef char *out = PyBytes_AS_STRING(made)
    cdef Py_ssize_t i
    cdef unsigned char value
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            out[0] = c"-"
            out += 1
        value = byte[i]
        if i == 6:
            value = value & 0x0F | 0x40
        elif i == 8:
            value = value & 0x3F | 0x80
        out[0] = DIGITS[value >> 4]
        out[1] = DIGITS[value & 0x0F]
        out += 2
    return made
