cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.cookies cimport cookie
from kairos.protocols.http1.head cimport RequestHead


@cython.final
cdef class ByClient:
    cpdef bytes key(self, str client, RequestHead head)


@cython.final
cdef class ByField:
    cdef FieldSet _fields

    cpdef bytes key(self, str client, RequestHead head)


@cython.final
cdef class ByCookie:
    cdef bytes _name

    cpdef bytes key(self, str client, RequestHead head)


@cython.final
cdef class ByPath:
    cpdef bytes key(self, str client, RequestHead head)
