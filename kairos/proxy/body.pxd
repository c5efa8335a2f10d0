cimport cython


@cython.final
cdef class RequestBody:
    cdef object _change
    cdef object _chunks
    cdef bytes _connection
    cdef Py_ssize_t _left
    cdef Py_ssize_t _most
    cdef readonly bint is_complete
    cdef readonly Py_ssize_t received

    cpdef tuple feed(self, bytes data)
