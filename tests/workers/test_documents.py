"""Documents: what was sealed arrives unchanged and cannot be changed."""

import mmap
import os

import pytest

from kairos.workers import documents


@pytest.mark.parametrize("data", [b"", b"{}\n", os.urandom(3_000_000)], ids=["empty", "small", "large"])
def test_what_was_sealed_is_read(data: bytes) -> None:
    fd = documents.seal(data)

    assert documents.read(fd) == data
    assert documents.read(fd) == data  # reading leaves nothing behind, so that many may read
    os.close(fd)


def test_a_sealed_document_cannot_be_changed() -> None:
    fd = documents.seal(b"abc")

    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    with pytest.raises(PermissionError):
        mmap.mmap(fd, 3)
    os.close(fd)


def test_what_could_still_change_is_refused() -> None:
    fd = os.memfd_create("open", os.MFD_ALLOW_SEALING)

    with pytest.raises(ValueError, match="not sealed"):
        documents.read(fd)
    os.close(fd)
