cimport cython
from libc.stdint cimport int64_t

from kairos._speedups.cells cimport Cells

cdef int64_t _CLOSED, _OPEN, _HALF_OPEN
cdef int _REFUSED, _PASSED, _PROBE
cdef int64_t _MOST, _STATE
cdef int _COUNT_SHIFT, _MOMENT_SHIFT


@cython.final
cdef class Breaker:
    cdef Cells _cells
    cdef Py_ssize_t _index
    cdef int64_t _opens_at
    cdef int64_t _closes_at
    cdef int64_t _milliseconds

    @cython.locals(word=int64_t)
    cpdef int look(self, double now) except -1

    @cython.locals(word=int64_t, probes=int64_t)
    cpdef int take(self, double now) except -1

    @cython.locals(word=int64_t, new=int64_t, count=int64_t)
    cpdef succeeded(self, bint is_probe)

    @cython.locals(word=int64_t, state=int64_t, new=int64_t, count=int64_t, opens=bint)
    cpdef bint failed(self, double now, bint is_probe, bint may_open=*) except -1

    @cython.locals(word=int64_t, count=int64_t)
    cpdef abandoned(self)

    @cython.locals(moment=int64_t)
    cdef int _verdict(self, int64_t word, double now) except -1


cdef int64_t _word(int64_t state, int64_t count, int64_t moment) except? -1
cdef int64_t _moment(double now) except? -1
