cimport cython

from kairos._speedups.selection cimport Loads
from kairos.balancing.latency cimport Latency
from kairos.protocols.http1.head cimport ResponseHead
from kairos.proxy.generation cimport Snapshot
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.reuse cimport Reuse
from kairos.proxy.upstream cimport Upstream

cdef double _TRUSTED_SECONDS
cdef double _LAG_SECONDS
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
    cdef Reuse _reuse
    cdef list _watched
    cdef readonly str address
    cdef readonly object backend
    cdef readonly bytes host_line
    cdef public bint is_leaving
    cdef readonly bint is_tls
    cdef public Latency latency
    cdef readonly object owned
    cdef readonly object routes

    @cython.locals(idle=list, now=double, most_seconds=double, upstream=Upstream, idle_seconds=double)
    cpdef Upstream take(self, bint may_be_stale, object exchange=*)

    @cython.locals(
        plane=DataPlane, reuse=Reuse, now=double, snapshot=Snapshot, most_requests=Py_ssize_t, has_served_enough=bint
    )
    cpdef give(self, Upstream upstream)

    cpdef retire(self, Upstream upstream)
    cpdef remove(self, Upstream upstream)
    cpdef entered(self)
    cpdef left(self)
    cpdef answered(self, ResponseHead head, object transport)
    cpdef closed(self, Upstream upstream)
    cpdef met_stale(self, Upstream upstream)
