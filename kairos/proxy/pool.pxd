cimport cython

from kairos._speedups.selection cimport Loads
from kairos.balancing.latency cimport Latency
from kairos.proxy.generation cimport Snapshot
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.upstream cimport Upstream

cdef double _TRUSTED_SECONDS
cdef Py_ssize_t _REUSES


@cython.final
cdef class Pool:
    cdef object __weakref__
    cdef object _connector
    cdef readonly Py_ssize_t gauge
    cdef list _idle
    cdef Loads _loads
    cdef Py_ssize_t _opened
    cdef DataPlane _plane
    cdef readonly str address
    cdef readonly object backend
    cdef readonly bytes host_line
    cdef readonly bint is_tls
    cdef public Latency latency

    @cython.locals(idle=list, now=double, upstream=Upstream, trusts=bint)
    cpdef Upstream take(self, bint may_be_stale)

    @cython.locals(plane=DataPlane, now=double, snapshot=Snapshot, idle_seconds=double, has_served_enough=bint)
    cpdef give(self, Upstream upstream)

    cpdef remove(self, Upstream upstream)
    cpdef entered(self)
    cpdef left(self)
