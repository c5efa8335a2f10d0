cimport cython


@cython.final
cdef class ListenerOptions:
    cdef readonly object identities
    cdef readonly bint proxy_protocol
    cdef readonly Py_ssize_t redirect
    cdef readonly object tls

    cpdef follow(self, listener)
