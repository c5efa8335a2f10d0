"""A client knows when its answer has come."""

import pytest

from benchmarks.load.clients import is_complete


@pytest.mark.parametrize(
    ("answer", "complete"),
    [
        (b"", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX: y\r\n\r\nok", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", True),
    ],
)
def test_an_answer_is_complete_with_its_body(answer: bytes, complete: bool) -> None:
    assert is_complete(answer) is complete
