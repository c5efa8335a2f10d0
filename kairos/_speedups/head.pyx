# cython: language_level=3, boundscheck=False, wraparound=False
"""Read and copy the header block of an HTTP/1.1 head without building objects per field."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcpy


cdef inline unsigned char lower(unsigned char c) noexcept nogil:
    return c | 0x20 if 65 <= c <= 90 else c


cdef class FieldSet:
    """A fixed set of field names, to look their values up in a head and to leave their lines out of a copy.

    A head is the bytes of a message from its first line to the empty line, already validated by the parser.
    """

    cdef readonly tuple names
    cdef bint _drops_underscores
    cdef list _by_length  # for each length: indexes into `names`

    def __init__(self, tuple names, bint drops_underscores=False):
        self.names = names
        self._drops_underscores = drops_underscores
        self._by_length = [[] for _ in range(max(map(len, names), default=0) + 1)]
        for i, name in enumerate(names):
            if not name or name != name.lower():
                raise ValueError(f"not a lower-case field name: {name!r}")
            self._by_length[len(name)].append(i)

    cdef Py_ssize_t _index(self, const unsigned char *name, Py_ssize_t length) except -2:
        """Return which name of the set this is, or -1."""
        cdef Py_ssize_t i, k
        cdef const unsigned char *known
        cdef list candidates
        if length >= len(self._by_length):
            return -1
        candidates = <list>self._by_length[length]
        for i in candidates:
            known = <const unsigned char *>PyBytes_AS_STRING(<bytes>self.names[i])
            k = 0
            while k < length and lower(name[k]) == known[k]:
                k += 1
            if k == length:
                return i
        return -1

    def values(self, bytes head not None):
        """Return the value of each name in the order of `names`; None where absent, repeated ones joined by ", "."""
        cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = at + PyBytes_GET_SIZE(head)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef Py_ssize_t i
        cdef list found = [None] * len(self.names)
        at = <const unsigned char *>memchr(at, 10, end - at)
        while at != NULL and at + 1 < end:
            at += 1
            eol = <const unsigned char *>memchr(at, 10, end - at)
            if eol == NULL:
                break
            colon = <const unsigned char *>memchr(at, 58, eol - at)
            if colon != NULL:
                i = self._index(at, colon - at)
                if i >= 0:
                    value = stripped(colon + 1, eol)
                    found[i] = value if found[i] is None else found[i] + b", " + value
            at = eol
        return tuple(found)

    def copy_without(self, bytes head not None, bytes before not None, bytes after not None):
        """Return `before`, the field lines of `head` whose names are not in the set, and `after`, joined."""
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = start + PyBytes_GET_SIZE(head)
        cdef const unsigned char *at = <const unsigned char *>memchr(start, 10, end - start)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef Py_ssize_t before_size = PyBytes_GET_SIZE(before), after_size = PyBytes_GET_SIZE(after)
        cdef bytes made = PyBytes_FromStringAndSize(NULL, before_size + (end - start) + after_size)
        cdef char *out = PyBytes_AS_STRING(made)
        memcpy(out, PyBytes_AS_STRING(before), before_size)
        out += before_size
        while at != NULL and at + 1 < end:
            at += 1
            eol = <const unsigned char *>memchr(at, 10, end - at)
            if eol == NULL:
                break
            colon = <const unsigned char *>memchr(at, 58, eol - at)
            if colon != NULL and not self._drops(at, colon - at):
                memcpy(out, at, eol + 1 - at)
                out += eol + 1 - at
            at = eol
        memcpy(out, PyBytes_AS_STRING(after), after_size)
        return made[:out + after_size - PyBytes_AS_STRING(made)]

    cdef bint _drops(self, const unsigned char *name, Py_ssize_t length) except -1:
        if self._drops_underscores and memchr(name, 95, length) != NULL:
            return True
        return self._index(name, length) >= 0


cdef bytes stripped(const unsigned char *start, const unsigned char *end):
    """Return the bytes between, without blanks and line end around them (OWS, RFC 9110 section 5.6.3)."""
    while start < end and (start[0] == 32 or start[0] == 9):
        start += 1
    while end > start and ((end - 1)[0] == 32 or (end - 1)[0] == 9 or (end - 1)[0] == 13):
        end -= 1
    return PyBytes_FromStringAndSize(<const char *>start, end - start)
