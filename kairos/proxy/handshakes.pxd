cimport cython

from kairos._speedups.cells cimport Cells
from kairos._speedups.ssl_handles cimport Functions
from kairos.proxy.downstream cimport Downstream
from kairos.proxy.identities cimport Identities
from kairos.proxy.plane cimport DataPlane

cdef Functions _openssl


@cython.final
cdef class Handshakes:
    cdef Py_ssize_t _hidden
    cdef DataPlane _plane
    cdef double _silent_until
    cdef readonly set waiting

    @cython.locals(handshake=Handshake, most=Py_ssize_t)
    cpdef begin(self, sock, peer, Downstream downstream, Identities identities)


@cython.final
cdef class Handshake:
    cdef object __weakref__
    cdef Downstream _downstream
    cdef int _events
    cdef int _fd
    cdef size_t _handle
    cdef Handshakes _handshakes
    cdef Identities _identities
    cdef object _peer
    cdef DataPlane _plane
    cdef object _socket
    cdef readonly double begun
    cdef readonly object connection
    cdef public double deadline
    cdef public object server_name

    cpdef wait(self)
    cpdef ready(self, int events)
    cpdef _await(self, int events)
    cpdef _leave(self)

    @cython.locals(row=Cells, plane=DataPlane)
    cpdef _succeed(self)
