"""What `openssl s_time` prints is understood."""

import pytest

from benchmarks.load.errors import LoadError
from benchmarks.load.handshakes import parse

PRINTED = """\
Collecting connection statistics for 2 seconds
***
1639 connections in 1.20s; 1365.83 connections/user sec, bytes read 240933
1639 connections in 3 real seconds, {size} bytes read per connection
"""


def test_reads_the_number_of_connections() -> None:
    assert parse(PRINTED.format(size=1300)) == 1639


@pytest.mark.parametrize("printed", ["ERROR\n80DB:error:0A000410:SSL routines", PRINTED.format(size=147)])
def test_a_failure_is_not_passed_over(printed: str) -> None:
    with pytest.raises(LoadError, match=r"s_time failed"):
        parse(printed)
