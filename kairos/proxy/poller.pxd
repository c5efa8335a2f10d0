cimport cython


@cython.final
cdef class Poller:
    cdef object _epoll
    cdef object _loop
    cdef dict _watching

    cpdef watch(self, int fd, watching, events)
    cpdef hand_over(self, int fd, watching)
    cpdef change(self, int fd, events)
    cpdef forget(self, int fd)
    cpdef closes(self, int fd)

    @cython.locals(fd=int, events=int)
    cpdef _look(self)
