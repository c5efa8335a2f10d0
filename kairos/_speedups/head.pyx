# cython: language_level=3, boundscheck=False, wraparound=False
"""Judge, read and copy the header block of an HTTP/1.1 head without building objects per field."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy

cdef extern from "Python.h":
    PyObject *raw_bytes "PyBytes_FromStringAndSize"(const char *text, Py_ssize_t size)
    int _PyBytes_Resize(PyObject **text, Py_ssize_t size)
    tuple PyTuple_New(Py_ssize_t size)
    Py_ssize_t PyTuple_GET_SIZE(tuple items)
    PyObject *PyTuple_GET_ITEM(tuple items, Py_ssize_t at)
    void PyTuple_SET_ITEM(tuple items, Py_ssize_t at, object item)  # takes over a reference

cdef enum:
    TAB = 9
    LF = 10
    CR = 13
    SPACE = 32
    SLASH = 47
    ZERO = 48
    TWO = 50
    FIVE = 53
    NINE = 57
    COLON = 58
    DEL = 127
    MOST_DIGITS = 18  # fewer than overflow anything
    BLOCK = 128  # so many at most are counted in one byte, which makes vectors of the loop
    SMALL = 4096  # a head up to this size is made on the stack

cdef unsigned char LOWER[256]
for _byte in range(256):
    LOWER[_byte] = _byte | 0x20 if 65 <= _byte <= 90 else _byte

# What a byte is worth as part of a name (RFC 9110 section 5.6.2), in lower case, and of a target (RFC 3986 section
# 3.3 and 3.4); 0 if it is none. The NUL behind every bytes object therefore ends every loop over them.
cdef unsigned char NAME[256]
cdef unsigned char TARGET[256]
for _byte in range(256):
    NAME[_byte] = TARGET[_byte] = 0
for _byte in bytearray(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    NAME[_byte] = _byte | 0x20 if 65 <= _byte <= 90 else _byte
for _byte in bytearray(b"-._~%!$&'()*+,;=:@/?0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"):
    TARGET[_byte] = _byte


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

    cdef tuple nothing(self):
        """Return what `values` returns of a head that has none of the names; `add_value` may write in it."""
        cdef Py_ssize_t i, number = PyTuple_GET_SIZE(self.names)
        cdef tuple found = PyTuple_New(number)
        for i in range(number):
            Py_INCREF(None)
            PyTuple_SET_ITEM(found, i, None)
        return found

    cpdef tuple values(self, bytes head):
        """Return the value of each name in the order of `names`; None where absent, repeated ones joined by ", "."""
        cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = at + PyBytes_GET_SIZE(head)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef Py_ssize_t i
        cdef tuple found = self.nothing()
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
                    add_value(found, i, stripped(colon + 1, eol))
            at = eol
        return found

    cpdef bytes copy_without(self, bytes head, tuple before, tuple after):
        """Return `before`, the field lines of `head` whose names are not in the set, and `after`, joined.

        `before` and `after` are tuples of bytes.
        """
        cdef const unsigned char *start = <const unsigned char *>PyBytes_AS_STRING(head)
        cdef const unsigned char *end = start + PyBytes_GET_SIZE(head)
        cdef const unsigned char *at = <const unsigned char *>memchr(start, 10, end - start)
        cdef const unsigned char *eol
        cdef const unsigned char *colon
        cdef const unsigned char *run  # the beginning of the lines that are kept but not yet copied
        cdef char small[SMALL]  # nearly every head is made here, and copied when its size is known
        cdef Py_ssize_t most = size_of(before) + (end - start) + size_of(after)
        cdef PyObject *made = NULL
        cdef char *out = small
        if most > SMALL:
            made = raw_bytes(NULL, most)
            if made is NULL:
                raise MemoryError
            out = PyBytes_AS_STRING(<object>made)
        out = put(before, out)
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
        out = put(after, out)
        if made is NULL:
            return PyBytes_FromStringAndSize(small, out - small)
        if _PyBytes_Resize(&made, out - PyBytes_AS_STRING(<object>made)) < 0:
            raise MemoryError
        copied = <bytes><object>made
        Py_DECREF(copied)  # the reference that `raw_bytes` made
        return copied


cdef Py_ssize_t size_of(tuple pieces) except -1:
    cdef Py_ssize_t i, size = 0
    for i in range(PyTuple_GET_SIZE(pieces)):
        size += PyBytes_GET_SIZE(<bytes?><object>PyTuple_GET_ITEM(pieces, i))
    return size


cdef char *put(tuple pieces, char *out) noexcept:
    """Copy all pieces to `out`; return what is behind them. They are bytes: `size_of` has seen them."""
    cdef Py_ssize_t i, size
    cdef PyObject *piece
    for i in range(PyTuple_GET_SIZE(pieces)):
        piece = PyTuple_GET_ITEM(pieces, i)
        size = PyBytes_GET_SIZE(<object>piece)
        memcpy(out, PyBytes_AS_STRING(<object>piece), size)
        out += size
    return out


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
    cdef const char *end = text + PyBytes_GET_SIZE(data)
    cdef const char *at = text + start
    if start < 0:
        return -1
    while end - at >= 4:  # a line at a time: lines are short, and memchr is faster than memmem
        at = <const char *>memchr(at + 1, 10, end - at - 3)
        if at is NULL:
            return -1
        if at[1] == 13 and at[2] == 10 and (at - 1)[0] == 13:
            return at + 3 - text
    return -1


cdef int add_value(tuple found, Py_ssize_t i, bytes value) except -1:
    """Put a value in its place, behind an earlier one of the same name."""
    cdef PyObject *earlier = PyTuple_GET_ITEM(found, i)
    if <object>earlier is not None:
        value = <bytes><object>earlier + b", " + value
    Py_INCREF(value)
    PyTuple_SET_ITEM(found, i, value)
    Py_DECREF(<object>earlier)
    return 0


cdef bytes stripped(const unsigned char *start, const unsigned char *end):
    """Return the bytes between, without blanks and line end around them (OWS, RFC 9110 section 5.6.3)."""
    while start < end and (start[0] == 32 or start[0] == 9):
        start += 1
    while end > start and ((end - 1)[0] == 32 or (end - 1)[0] == 9 or (end - 1)[0] == 13):
        end -= 1
    return PyBytes_FromStringAndSize(<const char *>start, end - start)


cpdef tuple plain_request(bytes head, FieldSet facts):
    """Return the values of `facts` if this is a plain head of a request, else None: then the parser has to decide.

    Plain means: all of one head and nothing more; HTTP/1.1, a usual method, a target in origin-form of RFC 3986's
    characters; lines that end with CRLF; clean names and values; at most one field that frames a body, and that well.
    """
    cdef const unsigned char *text = <const unsigned char *>PyBytes_AS_STRING(head)
    cdef const unsigned char *end = text + PyBytes_GET_SIZE(head)
    cdef const unsigned char *at = text
    while NAME[at[0]]:
        at += 1
    if not is_usual_method(text, at - text) or at[0] != SPACE or at[1] != SLASH:
        return None
    at += 2
    while TARGET[at[0]]:
        at += 1
    if end - at < 11 or memcmp(at, b" HTTP/1.1\r\n", 11) != 0:
        return None
    return plain_values(text, at + 11, end, facts)


cpdef tuple plain_response(bytes head, FieldSet facts):
    """Do the same for the head of a response: HTTP/1.1 and a status from 200 to 599 are plain."""
    cdef const unsigned char *text = <const unsigned char *>PyBytes_AS_STRING(head)
    cdef const unsigned char *end = text + PyBytes_GET_SIZE(head)
    cdef const unsigned char *at
    if end - text < 17 or memcmp(text, b"HTTP/1.1 ", 9) != 0 or not TWO <= text[9] <= FIVE:
        return None
    if not ZERO <= text[10] <= NINE or not ZERO <= text[11] <= NINE or text[12] != SPACE:
        return None
    at = <const unsigned char *>memchr(text, LF, end - text)
    if at is NULL or (at - 1)[0] != CR:
        return None
    return plain_values(text, at + 1, end, facts)


cdef bint is_usual_method(const unsigned char *method, Py_ssize_t size) noexcept:
    if size == 3:
        return memcmp(method, b"GET", 3) == 0 or memcmp(method, b"PUT", 3) == 0
    if size == 4:
        return memcmp(method, b"POST", 4) == 0 or memcmp(method, b"HEAD", 4) == 0
    if size == 5:
        return memcmp(method, b"PATCH", 5) == 0
    if size == 6:
        return memcmp(method, b"DELETE", 6) == 0
    return size == 7 and memcmp(method, b"OPTIONS", 7) == 0


cdef tuple plain_values(const unsigned char *text, const unsigned char *at, const unsigned char *end, FieldSet facts):
    """Read the lines from `at` to the empty one; `text` is where the first line begins."""
    cdef const unsigned char *name
    cdef const unsigned char *eol
    cdef Py_ssize_t i, size, lines = 2, framing = 0  # with the first line and the empty one
    cdef tuple found = facts.nothing()
    while at < end and at[0] != CR:
        name = at
        while NAME[at[0]]:
            at += 1
        size = at - name
        if size == 0 or at[0] != COLON:
            return None
        at += 1
        eol = <const unsigned char *>memchr(at, LF, end - at)
        if eol is NULL or (eol - 1)[0] != CR:
            return None
        i = facts._index(name, size)
        if i >= 0:
            add_value(found, i, stripped(at, eol))
        if size == 14 and is_named(name, b"content-length", 14):
            framing += 1
            if not is_length(at, eol - 1):
                return None
        elif size == 17 and is_named(name, b"transfer-encoding", 17):
            framing += 1
            if not is_chunked(at, eol - 1):
                return None
        lines += 1
        at = eol + 1
    if framing > 1 or end - at != 2 or at[1] != LF:
        return None
    return found if controls(text, end - text) == 2 * lines else None  # each line ends with two, and these are all


cdef bint is_named(const unsigned char *name, const char *known, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if NAME[name[i]] != <unsigned char>known[i]:
            return False
    return True


cdef bint is_length(const unsigned char *at, const unsigned char *end) noexcept:
    cdef const unsigned char *start
    while at < end and (at[0] == SPACE or at[0] == TAB):
        at += 1
    start = at
    while at < end and ZERO <= at[0] <= NINE:
        at += 1
    return at == end and 0 < end - start <= MOST_DIGITS


cdef bint is_chunked(const unsigned char *at, const unsigned char *end) noexcept:
    while at < end and (at[0] == SPACE or at[0] == TAB):
        at += 1
    return end - at == 7 and memcmp(at, b"chunked", 7) == 0


cdef Py_ssize_t controls(const unsigned char *at, Py_ssize_t size) noexcept:
    """Count the control characters but tabs (RFC 9110 section 5.5)."""
    cdef Py_ssize_t i, stop, count = 0
    cdef unsigned char some
    while size > 0:
        stop = size if size < BLOCK else BLOCK
        some = 0
        for i in range(stop):
            some += ((at[i] < SPACE) & (at[i] != TAB)) | (at[i] == DEL)
        count += some
        at += stop
        size -= stop
    return count
