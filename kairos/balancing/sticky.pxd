cimport cython

from kairos.protocols.http1.cookies cimport cookie
from kairos.protocols.http1.head cimport RequestHead


@cython.final
cdef class StickyCookie:
    cdef bytes _end
    cdef bytes _key
    cdef bytes _name
    cdef dict _tokens

    cpdef bytes named(self, RequestHead head)

    @cython.locals(token=bytes)
    cpdef bytes token(self, str address)

    @cython.locals(token=bytes, secure=bytes)
    cpdef bytes line(self, RequestHead head, str address, bint is_secure)


@cython.final
cdef class Sticky:
    cdef StickyCookie _cookie
    cdef dict _known
    cdef object _spare
    cdef object _strategy

    @cython.locals(named=bytes, found=list, order=tuple, at=Py_ssize_t)
    cpdef tuple choices(self, str client, RequestHead head)


cdef bint is_same(bytes named, bytes token) except -1
