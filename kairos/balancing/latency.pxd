cimport cython
from libc.stdint cimport int64_t

from kairos._speedups.cells cimport Cells

cdef double _DECAY_SECONDS, _PENALTY_SECONDS, _MOST_SECONDS, _UNIT
cdef int64_t _BITS, _UNITS, _MOMENTS


@cython.final
cdef class Latency:
    cdef Cells _cells
    cdef Py_ssize_t _word

    @cython.locals(word=int64_t)
    cpdef double seconds(self, double now) except -1

    @cython.locals(word=int64_t, held=double)
    cpdef answered(self, double seconds, double now)

    @cython.locals(word=int64_t)
    cpdef failed(self, double seconds, double now)


cdef int64_t _charged(int64_t word, double seconds, double now) except -1
cdef double _held(int64_t word) except -1


@cython.locals(moment=int64_t, age=int64_t, left=double)
cdef double _left(int64_t word, double now) except -1


@cython.locals(units=int64_t, moment=int64_t)
cdef int64_t _packed(double seconds, double now) except -1
