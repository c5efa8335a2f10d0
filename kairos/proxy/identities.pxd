cimport cython


@cython.final
cdef class Identities:
    cdef dict _by_name
    cdef dict _content
    cdef object _default
    cdef object _trust
    cdef dict _wildcards
    cdef readonly str client_auth
    cdef readonly object context
    cdef readonly object number

    @cython.locals(handle=size_t)
    cpdef tuple begin(self, sock, handshake)

    cpdef of(self, name)
    cpdef _choose(self, handshake, name, _)
