cimport cython

from kairos._speedups.cells cimport Cells
from kairos.proxy.generation cimport Snapshot


@cython.final
cdef class Reuse:
    cdef Py_ssize_t _ages
    cdef Py_ssize_t _ages_word
    cdef Cells _cells
    cdef Py_ssize_t _counts
    cdef Py_ssize_t _counts_word
    cdef Py_ssize_t _hint_requests
    cdef double _hint_seconds
    cdef object _keep_alive
    cdef Py_ssize_t _learned_requests
    cdef double _learned_seconds
    cdef public bint is_bounded

    cpdef bint learns(self, Snapshot snapshot) except -1
    cpdef double idle_seconds(self, Snapshot snapshot) except -1
    cpdef Py_ssize_t requests(self, Snapshot snapshot) except -1
    cpdef bint has_served_all(self, Py_ssize_t requests) except -1
    cpdef hinted(self, bytes raw)
    cpdef double _unlearned_seconds(self, Snapshot snapshot) except -1
    cpdef double _most_seconds(self, Snapshot snapshot) except -1


cdef Py_ssize_t _least(Py_ssize_t one, Py_ssize_t other) except -1
