# cython: language_level=3, boundscheck=False, wraparound=False
"""Read and copy the header block of an HTTP/1.1 head without building objects per field."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy

cdef extern from "string.h":
    void *memmem(const void *haystack, size_t size, const void *needle, size_t length) nogil

cdef extern from "Python.h":
    PyObject *raw_bytes "PyBytes_FromStringAndSize"(const char *text, Py_ssize_t size)
    int _PyBytes_Resize(PyObject **text, Py_ssize_t size)
    tuple PyTuple_New(Py_ssize_t size)
    Py_ssize_t PyTuple_GET_SIZE(tuple items)
    PyObject *PyTuple_GET_ITEM(tuple items, Py_ssize_t at)
    void PyTuple_SET_ITEM(tuple items, Py_ssize_t at, object item)  # takes over a reference

cdef unsigned char LOWER[256]
for _byte in range(256):
    LOWER[_byte] = _byte | 0x20 if 65 <= _byte <= 90 else _byte


@cython.final
cdef class FieldSet:
    """A fixed set of field names, to look their values up in a head and to leave their lines out of a copy.

    A head is the bytes of a message from its first line to the empty line, already validated by the parser.
    """

    # The names lie sorted into 64 buckets by their length, so that most fields are told apart without a comparison.

    def __cinit__(self, tuple names, bint drops_underscores=False):
        cdef Py_ssize_t at = 0, bucket, i
        self.names = names
        self.drops_underscores = drops_underscores
        self._texts = <const unsigned char **>calloc(len(names) + 1, sizeof(void *))
        self._sizes = <Py_ssize_t *>calloc(len(names) + 1, sizeof(Py_ssize_t))
        self._numbers = <Py_ssize_t *>calloc(len(names) + 1, sizeof(Py_ssize_t))
        if self._texts is NULL or self._sizes is NULL or self._numbers is NULL:
            raise MemoryError
        for name in names:
            if not name or name != name.lower():
                raise ValueError(f"not a lower-case field name: {name!r}")
        for bucket in range(64):
            self._starts[bucket] = at
            for i in range(len(names)):
                if len(names[i]) & 63 == bucket:
                    self._texts[at] = <const unsigned char *>PyBytes_AS_STRING(<bytes>names[i])
                    self._sizes[at] = len(names[i])
                    self._numbers[at] = i
                    at += 1
        self._starts[64] = at

    def __dealloc__(self):
        free(self._texts)
        free(self._sizes)
        free(self._numbers)

    cdef Py_ssize_t _index(self, const unsigned char *name, Py_ssize_t length) noexcept:
        """Return which name of the set this is, or -1."""
        cdef Py_ssize_t i, k
        cdef const unsigned char *known
        for i in range(self._starts[length & 63], self._starts[(length & 63) + 1]):
            if self._sizes[i] == length:
                known = self._texts[i]
                k = 0
                while k < length and LOWER[name[k]] == known[k]:
                    k += 1
                if k == length:
                    return self._numbers[i]
        return -1

    cdef bint _drops(self, const unsigned char *name, Py_ssize_t length) noexcept:
        if self.drops_underscores and memchr(name, 95, length) != NULL:
            return True
        return self._index(name, length) >= 0

    cpdef tuple values(self, bytes head):
        """Return the value of each name in the order of `names`; None where absent, repeated ones joined by ", "."""
        cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = at + PyBytes_GET_SIZE(head)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef Py_ssize_t i, number = PyTuple_GET_SIZE(self.names)
        cdef tuple found = PyTuple_New(number)
        cdef PyObject *earlier
        cdef bytes value
        for i in range(number):
            Py_INCREF(None)
            PyTuple_SET_ITEM(found, i, None)
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
                    earlier = PyTuple_GET_ITEM(found, i)
                    if <object>earlier is not None:
                        value = <bytes><object>earlier + b", " + value
                    Py_INCREF(value)
                    PyTuple_SET_ITEM(found, i, value)
                    Py_DECREF(<object>earlier)
            at = eol
        return found

    cpdef bytes copy_without(self, bytes head, bytes before, bytes after):
        """Return `before`, the field lines of `head` whose names are not in the set, and `after`, joined."""
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = start + PyBytes_GET_SIZE(head)
        cdef const unsigned char *at = <const unsigned char *>memchr(start, 10, end - start)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef const unsigned char *run  # the beginning of the lines that are kept but not yet copied
        cdef Py_ssize_t before_size = PyBytes_GET_SIZE(before), after_size = PyBytes_GET_SIZE(after)
        cdef PyObject *made = raw_bytes(NULL, before_size + (end - start) + after_size)
        if made is NULL:
            raise MemoryError
        cdef char *out = PyBytes_AS_STRING(<object>made)
        memcpy(out, PyBytes_AS_STRING(before), before_size)
        out += before_size
        run = end if at == NULL else at + 1
        while at != NULL and at + 1 < end:
            at += 1
            eol = <const unsigned char *>memchr(at, 10, end - at)
            if eol == NULL:
                break
            colon = <const unsigned char *>memchr(at, 58, eol - at)
            if colon == NULL or self._drops(at, colon - at):
                memcpy(out, run, at - run)
                out += at - run
                run = eol + 1
            at = eol
        if at != NULL and run <= at:
            memcpy(out, run, at + 1 - run)
            out += at + 1 - run
        memcpy(out, PyBytes_AS_STRING(after), after_size)
        if _PyBytes_Resize(&made, out + after_size - PyBytes_AS_STRING(<object>made)) < 0:
            raise MemoryError
        copied = <bytes><object>made
        Py_DECREF(copied)  # the reference that `raw_bytes` made
        return copied


cpdef Py_ssize_t count_lines(bytes head) except -1:
    """Return the number of line ends in a head."""
    cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(head)
    cdef const unsigned char *end = at + PyBytes_GET_SIZE(head)
    cdef Py_ssize_t lines = 0
    while True:
        at = <const unsigned char *>memchr(at, 10, end - at)
        if at == NULL:
            return lines
        lines += 1
        at += 1


cpdef Py_ssize_t head_end(bytes data, Py_ssize_t start) except -2:
    """Return where the head in `data` ends, behind its empty line, looking from `start` on; -1 if it does not."""
    cdef const char *text = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef const char *found = NULL
    if 0 <= start < size:
        found = <const char *>memmem(text + start, size - start, b"\r\n\r\n", 4)
    return -1 if found is NULL else found + 4 - text


cdef bytes stripped(const unsigned char *start, const unsigned char *end):
    """Return the bytes between, without blanks and line end around them (OWS, RFC 9110 section 5.6.3)."""
    while start < end and (start[0] == 32 or start[0] == 9):
        start += 1
    while end > start and ((end - 1)[0] == 32 or (end - 1)[0] == 9 or (end - 1)[0] == 13):
        end -= 1
    return PyBytes_FromStringAndSize(<const char *>start, end - start)
