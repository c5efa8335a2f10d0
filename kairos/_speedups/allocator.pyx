# cython: language_level=3
"""Tell the C library how much freed memory to keep."""

cdef extern from *:
    """
    #include <stdlib.h>
    #ifdef __GLIBC__
    #include <malloc.h>
    static int keep_freed(int keep, int largest, int step) {
        return mallopt(M_TRIM_THRESHOLD, keep) && mallopt(M_MMAP_THRESHOLD, largest) && mallopt(M_TOP_PAD, step);
    }
    #else
    static int keep_freed(int keep, int largest, int step) { return 0; }
    #endif
    """
    bint keep_freed(int keep, int largest, int step) nogil


def keep_freed_memory(int keep, int largest, int step):
    """Keep up to `keep` bytes that are freed at the end of the heap; False if the C library cannot be told.

    Blocks of up to `largest` bytes come from the heap, which grows by at least `step` bytes at a time.
    """
    return keep_freed(keep, largest, step)
