"""Documents on their way between processes: files in memory, sealed so that nobody can change what was validated."""

import fcntl
import os

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def seal(data: bytes) -> int:
    """Return the descriptor of a new sealed file that holds `data`."""
    fd = os.memfd_create("kairos-document", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(fd)
        raise
    return fd


def read(fd: int) -> bytes:
    """Return what a sealed file holds; the descriptor stays open. ValueError if the file could still change."""
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise ValueError("the document is not sealed")
    size = os.fstat(fd).st_size
    data = os.pread(fd, size, 0)
    while len(data) < size:  # one read returns at most 2 GiB
        data += os.pread(fd, size - len(data), len(data))
    return data
