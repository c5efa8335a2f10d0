cimport cython

from kairos._speedups.matcher cimport Matcher
from kairos.protocols.http1.fields cimport Copies
from kairos.balancing.sticky cimport StickyCookie


@cython.final
cdef class ProxyRoute:
    cdef object __weakref__
    cdef public object balancer
    cdef public object endpoints
    cdef readonly Py_ssize_t body_bytes
    cdef readonly double body_rate
    cdef readonly double body_stall_seconds
    cdef readonly Py_ssize_t column
    cdef readonly object compressor
    cdef readonly double connect_seconds
    cdef readonly Copies copies
    cdef readonly object cache
    cdef readonly object cors
    cdef readonly object crowd
    cdef readonly double exchange_seconds
    cdef public tuple filters
    cdef readonly bint has_lines
    cdef readonly object head_limits
    cdef readonly bint is_checked
    cdef readonly bytes lines
    cdef readonly str pattern
    cdef readonly bint preserves_host
    cdef readonly object request_change
    cdef readonly object response_change
    cdef readonly double response_head_seconds
    cdef readonly double response_stall_seconds
    cdef readonly object retry
    cdef readonly bytes secure_lines
    cdef public tuple targets
    cdef readonly StickyCookie sticky
    cdef readonly object tunnels
    cdef public bint waits


@cython.final
cdef class Snapshot:
    cdef object __weakref__
    cdef readonly tuple checked
    cdef readonly double client_idle_seconds
    cdef readonly object cors
    cdef readonly dict entries
    cdef readonly Py_ssize_t fields
    cdef readonly object forwarding
    cdef readonly Py_ssize_t generation
    cdef readonly bint has_cache
    cdef readonly Py_ssize_t head_bytes
    cdef readonly bint learns_keep_alive
    cdef readonly bytes lines
    cdef readonly Matcher matcher
    cdef readonly double request_head_seconds
    cdef readonly Py_ssize_t requests
    cdef readonly Py_ssize_t response_head_bytes
    cdef readonly object router
    cdef readonly bytes secure_lines
    cdef readonly object settings
    cdef readonly Py_ssize_t target_bytes
    cdef readonly bytes told
    cdef readonly frozenset tunnels
    cdef readonly double upstream_idle_most
    cdef readonly double upstream_idle_seconds
    cdef readonly double upstream_life_seconds
    cdef readonly Py_ssize_t upstream_requests
    cdef readonly bytes via
