cimport cython

from kairos._speedups.matcher cimport Match
from kairos.protocols.http1.head cimport RequestHead
from kairos.proxy.exchange cimport Exchange
from kairos.proxy.generation cimport ProxyRoute, Snapshot


@cython.locals(head=RequestHead, snapshot=Snapshot, match=Match, route=ProxyRoute, https_port=Py_ssize_t)
cpdef bint find_route(Exchange exchange) except -1


@cython.locals(route=ProxyRoute)
cpdef bint pass_filters(Exchange exchange, Py_ssize_t first) except -1


@cython.locals(route=ProxyRoute)
cpdef bint pass_cache(Exchange exchange, double waited_until) except -1


@cython.locals(route=ProxyRoute)
cpdef bint change_request(Exchange exchange) except -1
