cimport cython

from kairos._speedups.sockets cimport send_now

cdef Py_ssize_t _MOST_BYTES


@cython.final
cdef class Writer:
    cdef int _fd
    cdef bint _is_behind
    cdef object _unsent
    cdef object _write

    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t)
    cpdef write(self, bytes data)

    cpdef stop(self)
