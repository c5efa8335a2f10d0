cimport cython


@cython.final
cdef class RequestHead:
    cdef readonly Py_ssize_t body_length
    cdef readonly bytes connection
    cdef readonly bytes host
    cdef readonly bint is_http11
    cdef readonly bint keep_alive
    cdef readonly bytes method
    cdef readonly bytes raw
    cdef readonly bytes target


@cython.final
cdef class ResponseHead:
    cdef readonly Py_ssize_t body_length
    cdef readonly bytes connection
    cdef readonly bint has_date
    cdef readonly bint keep_alive
    cdef readonly bytes raw
    cdef readonly Py_ssize_t status
