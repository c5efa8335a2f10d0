"""Signed 64-bit cells in shared memory, atomic across processes. Sums wrap around, as the hardware's do."""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint64_t, uintptr_t

cdef extern from *:
    """
    #include <stdint.h>
    #define cell_load(cell) __atomic_load_n(cell, __ATOMIC_ACQUIRE)
    #define cell_store(cell, value) __atomic_store_n(cell, value, __ATOMIC_RELEASE)
    #define cell_peek(cell) __atomic_load_n(cell, __ATOMIC_RELAXED)
    #define cell_poke(cell, value) __atomic_store_n(cell, value, __ATOMIC_RELAXED)
    #define cell_fetch_add(cell, n) __atomic_fetch_add(cell, n, __ATOMIC_SEQ_CST)
    static inline int cell_compare_exchange(int64_t *cell, int64_t expected, int64_t value) {
        return __atomic_compare_exchange_n(cell, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    """
    int64_t cell_load(int64_t *cell) nogil
    void cell_store(int64_t *cell, int64_t value) nogil
    int64_t cell_peek(int64_t *cell) nogil
    void cell_poke(int64_t *cell, int64_t value) nogil
    int64_t cell_fetch_add(int64_t *cell, int64_t n) nogil
    bint cell_compare_exchange(int64_t *cell, int64_t expected, int64_t value) nogil


@cython.final
cdef class Cells:
    """`count` cells of a writable shared mapping from cell `first` on; all that follow if `count` is None.

    A cell is either written by one process (`store`, `add`) or shared by many (`fetch_add`, `compare_exchange`), never
    both at a time. `fd` is the file behind the mapping; only the Python twin needs it, for its locks.
    """

    def __init__(self, buffer: object, fd: int, first: int = 0, count: int | None = None) -> None:
        if self._cells is not NULL:
            raise RuntimeError("cells are set up once")
        cdef Py_ssize_t start = first
        cdef Py_ssize_t length = 0 if count is None else count
        PyObject_GetBuffer(buffer, &self._view, PyBUF_WRITABLE)
        cdef Py_ssize_t available = self._view.len // <Py_ssize_t>sizeof(int64_t) - start
        if count is None:
            length = available
        if start < 0 or not 0 <= length <= available or <uintptr_t>self._view.buf % sizeof(int64_t):
            PyBuffer_Release(&self._view)
            raise ValueError("the buffer does not hold these cells")
        self._cells = <int64_t *>self._view.buf + start
        self._count = length

    def __dealloc__(self) -> None:
        if self._cells is not NULL:
            PyBuffer_Release(&self._view)

    def __len__(self) -> int:
        return self._count

    cdef int64_t *at(self, Py_ssize_t index) except NULL:
        if not 0 <= index < self._count:
            raise IndexError("no such cell")
        return self._cells + index

    cpdef int64_t load(self, Py_ssize_t index) except? -1:
        """Return the value of a cell."""
        return cell_load(self.at(index))

    cpdef store(self, Py_ssize_t index, int64_t value):
        """Set a cell that has one writer."""
        cell_store(self.at(index), value)

    cpdef add(self, Py_ssize_t index, int64_t n):
        """Add to a cell that has one writer; the cheapest way to count."""
        cdef int64_t *cell = self.at(index)
        cell_poke(cell, <int64_t>(<uint64_t>cell_peek(cell) + <uint64_t>n))

    cpdef int64_t fetch_add(self, Py_ssize_t index, int64_t n) except? -1:
        """Add to a cell that has many writers; return the value before."""
        return cell_fetch_add(self.at(index), n)

    cpdef bint compare_exchange(self, Py_ssize_t index, int64_t expected, int64_t value) except -1:
        """Set a cell that has many writers if it still holds `expected`; say whether it did."""
        return cell_compare_exchange(self.at(index), expected, value)
