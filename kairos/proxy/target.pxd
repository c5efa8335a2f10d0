cimport cython

from kairos._speedups.selection cimport Loads
from kairos.proxy.pool cimport Pool
from kairos.resilience.breaker cimport Breaker
from kairos.resilience.ejection cimport Ejection

cdef int _REFUSED, _PASSED
cdef double _LEAST_RAMP


@cython.final
cdef class Target:
    cdef readonly Pool pool
    cdef readonly Py_ssize_t weight
    cdef public bytes key
    cdef public bint is_drained
    cdef public bint is_down
    cdef public double came_up_at
    cdef public object checked_as
    cdef public Py_ssize_t health_word
    cdef public Breaker breaker
    cdef public Ejection ejection
    cdef public frozenset counts_status
    cdef public object volume
    cdef public Py_ssize_t minimum
    cdef public double slow_start
    cdef public Loads loads
    cdef public Py_ssize_t number
    cdef public Py_ssize_t most_requests
    cdef public Py_ssize_t most_connections

    @cython.locals(ejection=Ejection)
    cpdef bint is_up(self, double now) except -1

    cpdef bint is_ready(self, double now) except -1

    @cython.locals(breaker=Breaker)
    cpdef int take(self, double now) except -1

    cpdef bint is_full(self) except -1

    cpdef succeeded(self, double now, bint is_probe)
    cpdef abandoned(self)
    cpdef failed(self, double now, bint is_probe, str why)
    cpdef erred(self, double now, bint others_are_well)

    @cython.locals(since=double)
    cdef double _ramp(self, double now) except? -1
