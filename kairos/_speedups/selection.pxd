cimport cython

from kairos._speedups.cells cimport Cells


@cython.final
cdef class Loads:
    cdef tuple _columns
    cdef tuple _rows

    @cython.locals(total=Py_ssize_t, column=Py_ssize_t, row=Cells)
    cpdef Py_ssize_t load(self, Py_ssize_t index) except? -1


@cython.final
cdef class Orders:
    cdef Py_ssize_t _count
    cdef tuple _cycle
    cdef tuple _items
    cdef Py_ssize_t _length
    cdef tuple _ready
    cdef tuple _twice

    @cython.locals(start=Py_ssize_t)
    cpdef tuple at(self, Py_ssize_t position)

    @cython.locals(count=Py_ssize_t, start=Py_ssize_t, ranks=list)
    cpdef tuple least_loaded(self, Loads loads, Py_ssize_t position)

    @cython.locals(at=Py_ssize_t, index=Py_ssize_t, seen=bytearray, indexes=list)
    cdef list _indexes(self, Py_ssize_t start)

    cdef tuple _named(self, list indexes)


@cython.locals(total=Py_ssize_t, current=list, cycle=list, best=Py_ssize_t, index=Py_ssize_t)
cpdef tuple spread(list turns)


@cython.locals(order=list, prices=list, end=Py_ssize_t, at=Py_ssize_t, cost=double)
cpdef tuple by_cost(tuple items, tuple turns, list costs)
