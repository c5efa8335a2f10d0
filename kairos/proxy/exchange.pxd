cimport cython

from kairos.protocols.http1.head cimport RequestHead, ResponseHead
from kairos.proxy.downstream cimport Downstream
from kairos.proxy.plane cimport DataPlane
from kairos.proxy.upstream cimport Upstream


@cython.final
cdef class Exchange:
    cdef Py_ssize_t _attempts
    cdef object _choices
    cdef object _connecting
    cdef list _held
    cdef bint _keeps_client
    cdef bytes _pending
    cdef bint _rechunks
    cdef bytes _target
    cdef readonly str backend
    cdef readonly object connected
    cdef readonly Downstream downstream
    cdef readonly object first_byte
    cdef readonly RequestHead head
    cdef readonly str reason
    cdef readonly Py_ssize_t request_bytes
    cdef readonly bint request_done
    cdef readonly str request_id
    cdef readonly Py_ssize_t response_bytes
    cdef readonly object route
    cdef readonly object snapshot
    cdef readonly double started
    cdef readonly Py_ssize_t status
    cdef readonly Upstream upstream

    cpdef void begin(self) except *
    cpdef void request_body(self, bytes data, bint done) except *
    cpdef void begin_response(self, ResponseHead head) except *
    cpdef void response_body(self, bytes data) except *
    cpdef void end_response(self, bytes data) except *
    cpdef void _try_next(self) except *
    cpdef void _send(self, Upstream upstream, object pool) except *
    cpdef bytes _with_head(self, bytes data)
    cpdef bytes _connection_line(self)
    cpdef void _end(self) except *
