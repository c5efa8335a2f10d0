cimport cython
from libc.stdint cimport int64_t

from kairos._speedups.cells cimport Cells

cdef int64_t _MOST
cdef int _TIMES_SHIFT, _UNTIL_SHIFT


@cython.final
cdef class Ejection:
    cdef Cells _cells
    cdef Py_ssize_t _index
    cdef int64_t _errors
    cdef int64_t _base
    cdef int64_t _longest

    @cython.locals(word=int64_t)
    cpdef bint is_out(self, double now) except -1

    @cython.locals(word=int64_t)
    cpdef succeeded(self)

    @cython.locals(moment=int64_t, word=int64_t, errors=int64_t, times=int64_t, until=int64_t, new=int64_t, ejects=bint)
    cpdef bint failed(self, double now, bint may_eject) except -1
