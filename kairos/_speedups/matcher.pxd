cimport cython

cdef char _PERCENT, _SLASH
cdef Py_ssize_t _NO_TAIL


@cython.final
cdef class Template:
    cdef tuple _gaps
    cdef tuple _parts

    @cython.locals(parts=list, position=Py_ssize_t, gap=Py_ssize_t)
    cpdef bytes filled(self, list values)


@cython.final
cdef class Endpoint:
    cdef bytes _fixed
    cdef bint _keeps_path
    cdef bint _may_climb
    cdef Template _path
    cdef Template _query
    cdef readonly object destination
    cdef readonly object entry
    cdef readonly Py_ssize_t rank
    cdef readonly bint refuses_empty

    @cython.locals(internal=bytes, text="const char*", size=Py_ssize_t)
    cpdef bytes upstream_target(self, bytes target, bytes path, list captured)


@cython.final
cdef class Match:
    cdef readonly Endpoint endpoint
    cdef readonly tuple params
    cdef readonly bytes upstream_target


@cython.final
cdef class Leaf:
    cdef readonly str allow
    cdef dict _by_method
    cdef Endpoint _first
    cdef readonly tuple endpoints

    @cython.locals(index=Py_ssize_t)
    cdef Endpoint endpoint(self, bytes method)


@cython.final
cdef class Mixed:
    cdef readonly Node node
    cdef readonly tuple pieces

    cdef tuple _between
    cdef bytes _first
    cdef bytes _last

    @cython.locals(piece=bytes, values=list, start=Py_ssize_t, end=Py_ssize_t, at=Py_ssize_t)
    cpdef list values(self, bytes segment)


@cython.final
cdef class Node:
    cdef public Leaf leaf
    cdef public dict literals
    cdef public tuple mixed
    cdef public object owner
    cdef public Node parameter
    cdef public Leaf tail

    cdef bytes _literal
    cdef Node _only

    @cython.locals(leaf=Leaf)
    cdef Leaf find(self, bytes path, Py_ssize_t start, list captured)

    @cython.locals(end=Py_ssize_t, segment=bytes, node=Node)
    cdef Leaf _find_literal(self, bytes path, Py_ssize_t start, list captured)

    @cython.locals(after=Py_ssize_t, segment=bytes, leaf=Leaf, mixed=Mixed, values=list)
    cdef Leaf _find_parameter(self, bytes path, Py_ssize_t start, list captured)


@cython.final
cdef class Group:
    cdef public dict literals
    cdef public object owner
    cdef public Node root

    @cython.locals(leaf=Leaf)
    cdef Leaf find(self, bytes path, bint is_builtin, list captured)


@cython.final
cdef class Matcher:
    cdef object _normalize
    cdef public Group any_host
    cdef public dict builtins
    cdef public dict exact
    cdef public dict wildcards

    @cython.locals(received=bytes, path=bytes, captured=list, leaf=Leaf, endpoint=Endpoint, match=Match)
    cpdef Match match(self, bytes method, bytes host, bytes target)

    @cython.locals(leaf=Leaf, builtin=Leaf)
    cdef Leaf _find(self, bytes host, bytes path, list captured)

    @cython.locals(leaf=Leaf, group=Group, name=bytes, dot=Py_ssize_t)
    cdef Leaf _find_on_host(self, bytes host, bytes path, bint is_builtin, list captured)


cpdef bytes host_name(bytes host)


@cython.locals(text="const char*", end=Py_ssize_t)
cdef bytes segment_at(bytes path, Py_ssize_t start)


cdef bint cuts_escape(bytes text, Py_ssize_t at) except -1
