cimport cython


@cython.final
cdef class FieldSet:
    cdef readonly tuple names
    cdef readonly bint drops_underscores
    cdef const unsigned char **_texts
    cdef Py_ssize_t *_sizes
    cdef Py_ssize_t *_numbers
    cdef Py_ssize_t _starts[65]

    cdef Py_ssize_t _index(self, const unsigned char *name, Py_ssize_t length) noexcept
    cdef bint _drops(self, const unsigned char *name, Py_ssize_t length) noexcept
    cdef tuple nothing(self)
    cpdef tuple values(self, bytes head)
    cpdef bytes copy_without(self, bytes head, tuple before, tuple after)


cpdef Py_ssize_t count_lines(bytes head) except -1
cpdef Py_ssize_t head_end(bytes data, Py_ssize_t start) except -2
cpdef tuple plain_request(bytes head, FieldSet facts)
cpdef tuple plain_response(bytes head, FieldSet facts)
