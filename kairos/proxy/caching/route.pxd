cimport cython

from kairos._speedups.head cimport FieldSet
from kairos.protocols.http1.fields cimport Copies
from kairos.protocols.http1.head cimport RequestHead, ResponseHead
from kairos.proxy.exchange cimport Exchange
from kairos.traffic.caching.answers cimport Answer, Variants
from kairos.traffic.caching.keys cimport Keys, variant_key

cdef FieldSet FACTS
cdef tuple _NOTHING
cdef Py_ssize_t _CACHE_HITS
cdef bytes _LINES


@cython.final
cdef class RouteCache:
    cdef Keys _keys
    cdef object _store
    cdef FieldSet _tags
    cdef readonly Copies copies
    cdef readonly object desk
    cdef readonly tuple fields
    cdef readonly object own_fields
    cdef readonly object policy
    cdef readonly object purgers

    @cython.locals(head=RequestHead, facts=tuple, primary=bytes, key=bytes, now=double, answer=Answer, is_plain=bint)
    cpdef bint admits(self, Exchange exchange, double waited_until) except -1

    @cython.locals(host=bytes, lines=bytes, told=bytes)
    cpdef bytes key(self, Exchange exchange, bytes target)

    cpdef object opened(self, object entry)

    @cython.locals(head=ResponseHead, offset=Py_ssize_t, size=Py_ssize_t, body=bytes, piece=bytes, now=double)
    cpdef bint serve(self, Exchange exchange, object entry, Answer answer, object asked, bytes status) except -1
