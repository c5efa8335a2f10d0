cimport cython
from libc.stdint cimport int64_t

from kairos.proxy.target cimport Target

cdef int _PROBE, _REFUSED
cdef int64_t _LAST_BIT
cdef int _READY, _UP, _ANY


@cython.final
@cython.freelist(64)
cdef class Attempts:
    cdef public tuple choices
    cdef public Py_ssize_t count
    cdef public object error
    cdef public Target target
    cdef bint _is_answered
    cdef bint _is_probe
    cdef int64_t _last
    cdef object _recovery
    cdef int64_t _tried

    cpdef Target choose(self, double now)

    @cython.locals(bit=int64_t, verdict=int, state=int, is_fit=bint, target=Target)
    cdef Target _pick(self, double now, int best, int worst)

    @cython.locals(target=Target)
    cpdef answered(self, double now, Py_ssize_t status)

    cpdef accepted(self)
    cpdef end(self, double now)

    @cython.locals(target=Target)
    cdef _settle(self, double now)
