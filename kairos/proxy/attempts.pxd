cimport cython
from libc.stdint cimport int64_t

from kairos.proxy.target cimport Target

cdef int _PROBE, _REFUSED
cdef int64_t _LAST_BIT


@cython.final
@cython.freelist(64)
cdef class Attempts:
    cdef public tuple choices
    cdef public Py_ssize_t count
    cdef public object error
    cdef public Target target
    cdef bint _is_probe
    cdef int64_t _last
    cdef object _recovery
    cdef int64_t _tried

    @cython.locals(bit=int64_t, verdict=int, is_picky=bint, target=Target)
    cpdef Target choose(self, double now)

    @cython.locals(target=Target)
    cpdef answered(self, double now, Py_ssize_t status)

    cpdef end(self)
