cimport cython

from kairos.proxy.downstream cimport Downstream
from kairos.proxy.handshakes cimport Handshakes
from kairos.proxy.listener_options cimport ListenerOptions
from kairos.proxy.plane cimport DataPlane


@cython.final
cdef class Listener:
    cdef int _descriptors
    cdef int _family
    cdef Handshakes _handshakes
    cdef object _introductions
    cdef bint _is_closed
    cdef int _kind
    cdef DataPlane _plane
    cdef object _resume
    cdef object _socket
    cdef set _starting
    cdef readonly ListenerOptions options

    cpdef _accept_some(self)

    @cython.locals(fd=int, has_room=bint)
    cpdef bint _accept_one(self) except -1

    cpdef _accepted(self, sock)

    @cython.locals(connection=Downstream)
    cpdef _hand_over(self, sock, peer=*, header=*)
