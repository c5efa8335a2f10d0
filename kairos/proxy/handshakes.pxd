cimport cython

from kairos._speedups.cells cimport Cells
from kairos.proxy.downstream cimport Downstream
from kairos.proxy.plane cimport DataPlane


@cython.final
cdef class Handshakes:
    cdef Py_ssize_t _hidden
    cdef DataPlane _plane
    cdef double _silent_until
    cdef readonly set waiting


@cython.final
cdef class Handshake:
    cdef object __weakref__
    cdef Downstream _downstream
    cdef int _fd
    cdef Handshakes _handshakes
    cdef object _identities
    cdef object _peer
    cdef DataPlane _plane
    cdef object _socket
    cdef readonly double begun
    cdef readonly object connection
    cdef public double deadline
    cdef public object server_name

    cpdef wait(self)
    cpdef step(self)
    cpdef _leave(self)

    @cython.locals(row=Cells)
    cpdef _succeed(self)
