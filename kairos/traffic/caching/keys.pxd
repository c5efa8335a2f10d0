cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.head cimport RequestHead
from kairos.traffic.caching.answers cimport Variants


@cython.final
cdef class Keys:
    cdef bint _by_host
    cdef bytes _http
    cdef bytes _https
    cdef object _query

    @cython.locals(scheme=bytes)
    cpdef bytes key(self, bytes host, bytes target, bint is_secure)


@cython.locals(fields=FieldSet, name=bytes, value=bytes, text=bytes)
cpdef bytes variant_key(Variants variants, RequestHead request)
