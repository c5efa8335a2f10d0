"""Tell the time cheaply."""

from posix.time cimport clock_gettime, timespec

cdef extern from "<time.h>":
    int CLOCK_MONOTONIC_COARSE


cpdef double coarse_time() except? -1:
    """Return CLOCK_MONOTONIC in seconds, as it was at the kernel's last tick: some milliseconds ago."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
    return now.tv_sec + now.tv_nsec * 1e-9
