"""Tell the C library how much freed memory to keep: the twin of `allocator.pyx`."""

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h of the GNU C library


def keep_freed_memory(keep: int, largest: int, step: int) -> bool:
    """Keep up to `keep` bytes that are freed at the end of the heap; False if the C library cannot be told.

    Blocks of up to `largest` bytes come from the heap, which grows by at least `step` bytes at a time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = ((_TRIM_THRESHOLD, keep), (_MMAP_THRESHOLD, largest), (_TOP_PAD, step))
    return all(mallopt(name, value) for name, value in settings)
