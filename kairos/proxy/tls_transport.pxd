cimport cython

from kairos.proxy.poller cimport Poller

cdef Py_ssize_t _RECORD_BYTES
cdef Py_ssize_t _OPEN, _ENDS, _ENDED, _CLOSES
cdef int _IN, _OUT, _OVER
cdef bytearray _BUFFER


@cython.final
cdef class TlsTransport:
    cdef Py_ssize_t _end
    cdef int _events
    cdef int _fd
    cdef Py_ssize_t _high
    cdef bint _is_deaf
    cdef bint _is_full
    cdef bint _is_lost
    cdef bint _is_over
    cdef bint _is_reading
    cdef object _loop
    cdef Py_ssize_t _low
    cdef object _peer
    cdef Poller _poller
    cdef object _protocol
    cdef object _read
    cdef bint _read_waits
    cdef object _received
    cdef object _socket
    cdef object _ssl
    cdef list _waiting
    cdef Py_ssize_t _waiting_bytes
    cdef object _write

    cpdef ready(self, int events)
    cdef _watch(self, int events)

    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t)
    cpdef write(self, data)

    @cython.locals(buffer="const char*", size=Py_ssize_t)
    cpdef _readable(self)

    @cython.locals(sent=Py_ssize_t)
    cpdef Py_ssize_t _send(self, data, Py_ssize_t size) except -1

    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t)
    cpdef _writable(self)
