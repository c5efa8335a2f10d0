cimport cython

from kairos._speedups.selection cimport Loads, Orders
from kairos.protocols.http1.head cimport RequestHead


@cython.final
cdef class Only:
    cdef tuple _backends

    cpdef tuple choices(self, str client, RequestHead head)


@cython.final
cdef class Turns:
    cdef object _next_position
    cdef Orders _orders

    cpdef tuple choices(self, str client, RequestHead head)


@cython.final
cdef class LeastConnections:
    cdef Loads _loads
    cdef object _next_position
    cdef Orders _orders

    cpdef tuple choices(self, str client, RequestHead head)


@cython.final
cdef class Random:
    cdef Py_ssize_t _count
    cdef object _draw
    cdef Orders _orders

    cpdef tuple choices(self, str client, RequestHead head)


@cython.final
cdef class IpHash:
    cdef Py_ssize_t _count
    cdef Orders _orders

    cpdef tuple choices(self, str client, RequestHead head)
