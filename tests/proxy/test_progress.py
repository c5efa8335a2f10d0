"""Progress: a flow of bytes is stalled, too slow, or fast enough."""

from math import inf

import pytest

from kairos.proxy.progress import Progress


@pytest.fixture
def progress() -> Progress:
    """At least 100 bytes per second over every minute, and something every minute."""
    progress = Progress(60.0, 100.0)
    assert progress.begin(1000.0, 0) == 1060.0
    return progress


def test_a_flow_that_never_begins_is_stalled(progress: Progress) -> None:
    assert progress.look(1060.0) == 0.0


def test_a_flow_that_stops_is_stalled_a_minute_after_its_last_byte(progress: Progress) -> None:
    progress.advanced(1010.0, 1_000_000)

    assert progress.look(1060.0) == 1070.0
    assert progress.look(1070.0) == 0.0


def test_a_flow_that_trickles_is_too_slow(progress: Progress) -> None:
    for second in range(1, 60):
        progress.advanced(1000.0 + second, second * 99)

    assert progress.look(1060.0) == 0.0
    assert progress.measured(1060.0) == pytest.approx(59 * 99 / 60)


def test_a_flow_that_is_just_fast_enough_goes_on(progress: Progress) -> None:
    moved = 0
    for window in range(1, 5):
        moved += 6000
        progress.advanced(1000.0 + window * 60 - 1, moved)
        assert progress.look(1000.0 + window * 60) > 1000.0 + window * 60


def test_a_burst_does_not_pay_for_the_next_minute(progress: Progress) -> None:
    progress.advanced(1059.0, 1_000_000)
    assert progress.look(1060.0) == 1119.0
    progress.advanced(1118.0, 1_000_001)

    assert progress.look(1120.0) == 0.0


def test_the_same_count_again_is_no_progress(progress: Progress) -> None:
    progress.advanced(1010.0, 10)
    progress.advanced(1050.0, 10)

    assert progress.look(1070.0) == 0.0


def test_nothing_is_watched_if_the_config_says_so() -> None:
    assert Progress(0.0, 100.0).begin(1000.0, 0) == inf


def test_a_new_beginning_forgets_the_time_before(progress: Progress) -> None:
    assert progress.begin(2000.0, 500) == 2060.0
    progress.advanced(2030.0, 500 + 6000)

    assert progress.look(2060.0) == 2090.0


def test_an_upload_of_2_gib_at_a_megabyte_per_second_passes_and_a_byte_in_ten_seconds_does_not() -> None:
    upload, trickle = Progress(60.0, 128.0), Progress(60.0, 128.0)
    deadlines = [upload.begin(0.0, 0), trickle.begin(0.0, 0)]
    for second in range(1, 2148):
        upload.advanced(float(second), second * 1_000_000)
        trickle.advanced(float(second), second // 10)
        for index, flow in enumerate((upload, trickle)):
            if deadlines[index] and deadlines[index] <= second:
                deadlines[index] = flow.look(float(second))
                assert index == 1 or deadlines[index]
        if second == 60:
            assert deadlines[1] == 0.0  # cut at the first look
