cimport cython

from kairos._speedups.rendezvous cimport ranking
from kairos._speedups.selection cimport Loads, Orders
from kairos.protocols.http1.head cimport RequestHead


@cython.final
cdef class ConsistentHash:
    cdef object _by
    cdef tuple _items
    cdef Loads _loads
    cdef object _next_position
    cdef bytes _seeds
    cdef tuple _shares
    cdef Orders _turns
    cdef bytes _weights

    @cython.locals(key=bytes, order=tuple)
    cpdef tuple choices(self, str client, RequestHead head)

    @cython.locals(loads=list, room=list, full=list, total=Py_ssize_t, index=Py_ssize_t, load=Py_ssize_t, share=double)
    cdef tuple _bounded(self, tuple order)
