cimport cython


@cython.final
cdef class Client:
    cdef bytes _certificate
    cdef object _forwarding
    cdef bytes _host
    cdef bytes _lines
    cdef bytes _scheme
    cdef readonly str address
    cdef readonly bint is_trusted

    cpdef bytes lines(self, bytes host)
