cimport cython

from kairos.proxy.end cimport End
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.pool cimport Pool


@cython.final
cdef class Tunnel:
    cdef bint _is_closing
    cdef bint _is_counted
    cdef DataPlane _plane
    cdef Pool _pool
    cdef double _stall
    cdef readonly End backend
    cdef readonly End client
    cdef readonly int code
    cdef public double deadline
    cdef public double ends_at
    cdef readonly object group
    cdef readonly bint is_websocket
    cdef readonly double leaves_at
    cdef readonly object settings

    cpdef saw_close(self, int code)
    cpdef bint ended(self, End end) except -1
    cpdef lost(self, End end)
    cpdef close(self, int code)
    cpdef look_again(self)
    cpdef slowed(self, double now)
