"""Events are told by what they carry."""

from benchmarks.load.events import Listeners, Source, row


def test_delays_of_events_are_measured() -> None:
    with Source() as source, Listeners() as listeners:
        delays = listeners.listen(source.port, "/", streams=2, seconds=1)

    assert len(delays) > 2
    assert delays == sorted(delays)
    assert delays[0] > 0


def test_a_row_has_the_middle_and_the_end() -> None:
    assert row("some", [1_000_000] * 99 + [7_500_000]) == ["some", "100", "1.00", "7.50", "7.50"]
