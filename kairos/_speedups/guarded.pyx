"""Signed 64-bit cells in shared memory that processes change under locks; a killed process leaves none behind."""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t

cdef extern from *:
    """
    #include <errno.h>
    #include <pthread.h>
    #include <stdint.h>
    #include <string.h>
    #define GUARD_BYTES 64
    #define GUARDS 256
    _Static_assert(sizeof(pthread_mutex_t) <= GUARD_BYTES, "a guard does not fit its place");
    static inline pthread_mutex_t *guard_at(char *guards, Py_ssize_t stripe) {
        return (pthread_mutex_t *)(guards + stripe * GUARD_BYTES);
    }
    static int guards_init(char *guards) {
        pthread_mutexattr_t kind;
        int code = pthread_mutexattr_init(&kind);
        if (!code) code = pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
        if (!code) code = pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
        for (Py_ssize_t stripe = 0; !code && stripe < GUARDS; stripe++)
            code = pthread_mutex_init(guard_at(guards, stripe), &kind);
        return code;
    }
    static inline int guard_lock(char *guards, Py_ssize_t stripe) {
        int code = pthread_mutex_lock(guard_at(guards, stripe));
        return code == EOWNERDEAD ? pthread_mutex_consistent(guard_at(guards, stripe)) : code;
    }
    static inline int guard_unlock(char *guards, Py_ssize_t stripe) {
        return pthread_mutex_unlock(guard_at(guards, stripe));
    }
    /* In the order of the program, because a process may be killed between any two. */
    static inline void ordered_store(int64_t *cell, int64_t value) { *(volatile int64_t *)cell = value; }
    static inline void ordered_move(int64_t *to, int64_t *from, Py_ssize_t count) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        memmove(to, from, (size_t)count * sizeof(int64_t));
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    """
    const int GUARD_BYTES
    const int GUARDS
    int guards_init(char *guards) nogil
    int guard_lock(char *guards, Py_ssize_t stripe) nogil
    int guard_unlock(char *guards, Py_ssize_t stripe) nogil
    void ordered_store(int64_t *cell, int64_t value) nogil
    void ordered_move(int64_t *to, int64_t *start, Py_ssize_t count) nogil

STRIPES = GUARDS
GUARD_CELLS = GUARDS * GUARD_BYTES // 8


@cython.final
cdef class GuardedCells:
    """`count` cells of a writable shared mapping from cell `first` on, of which GUARD_CELLS are taken by the locks.

    It is made once, over zeros, before the processes that share it are forked. A cell is read and written by whoever
    holds the lock of its stripe; which that is, is agreed on among the callers. `fd` is the file behind the mapping;
    only the Python twin needs it, for its locks.
    """

    def __init__(self, buffer: object, fd: int, first: int = 0, count: int | None = None) -> None:
        if self._guards is not NULL:
            raise RuntimeError("cells are set up once")
        cdef Py_ssize_t start = first
        cdef Py_ssize_t length = 0 if count is None else count
        PyObject_GetBuffer(buffer, &self._view, PyBUF_WRITABLE)
        cdef Py_ssize_t available = self._view.len // <Py_ssize_t>sizeof(int64_t) - start
        if count is None:
            length = available
        if start < 0 or not GUARD_CELLS <= length <= available or <uintptr_t>self._view.buf % sizeof(int64_t):
            PyBuffer_Release(&self._view)
            raise ValueError("the buffer does not hold these cells")
        self._guards = <char *>(<int64_t *>self._view.buf + start)
        self._cells = <int64_t *>self._guards + <Py_ssize_t>GUARD_CELLS
        self._count = length - <Py_ssize_t>GUARD_CELLS
        if guards_init(self._guards):
            raise OSError("no locks can be shared between processes here")

    def __dealloc__(self) -> None:
        if self._guards is not NULL:
            PyBuffer_Release(&self._view)

    def __len__(self) -> int:
        return self._count

    cdef int64_t *at(self, Py_ssize_t index, Py_ssize_t count) except NULL:
        if not 0 <= index <= self._count - count or count < 0:
            raise IndexError("no such cell")
        return self._cells + index

    cdef int stripe_at(self, Py_ssize_t stripe) except -1:
        if not 0 <= stripe < GUARDS:
            raise IndexError("no such stripe")
        return 0

    cpdef lock(self, Py_ssize_t stripe):
        """Wait for the lock of a stripe. Who needs several takes them in rising order, and none twice."""
        self.stripe_at(stripe)
        if guard_lock(self._guards, stripe):
            raise OSError("a lock is broken")

    cpdef unlock(self, Py_ssize_t stripe):
        """Let the next one have a lock."""
        self.stripe_at(stripe)
        guard_unlock(self._guards, stripe)

    cpdef int64_t load(self, Py_ssize_t index) except? -1:
        """Return the value of a cell."""
        return self.at(index, 1)[0]

    cpdef store(self, Py_ssize_t index, int64_t value):
        """Set a cell."""
        ordered_store(self.at(index, 1), value)

    cpdef move(self, Py_ssize_t to, Py_ssize_t start, Py_ssize_t count):
        """Copy the cells from `start` on to `to`; the two may overlap."""
        ordered_move(self.at(to, count), self.at(start, count), count)

    cpdef Py_ssize_t find(self, Py_ssize_t start, Py_ssize_t end, int64_t low, int64_t high) except -2:
        """Return where, among records that begin with two halves of a name and their size, one is; else -1."""
        cdef Py_ssize_t index = start
        if not 0 <= start <= end <= self._count:
            raise IndexError("no such cell")
        while index < end - 2:
            if self._cells[index] == low and self._cells[index + 1] == high:
                return index
            if not 0 < self._cells[index + 2] <= end - index:
                break
            index += self._cells[index + 2]
        return -1
