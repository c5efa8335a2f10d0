"""The samples of a soak: what counts, what is shown, and what they say."""

from benchmarks.load.proc import MIB, Memory
from benchmarks.load.soak import Sample, thinned, verdict, warm

SAMPLES = [Sample(number * 1000, Memory(rss=40 * MIB + 16 * number, pss=20 * MIB)) for number in range(1, 101)]


def test_the_warm_up_is_a_tenth_of_the_requests() -> None:
    assert warm(SAMPLES, 100_000) == SAMPLES[9:]


def test_growth_is_told_per_thousand_requests() -> None:
    assert "+16 bytes of RSS, +0 bytes of PSS" in verdict(SAMPLES)


def test_two_samples_make_no_slope() -> None:
    assert "too few" in verdict(SAMPLES[:2])


def test_the_table_keeps_the_first_and_the_last_sample() -> None:
    shown = thinned(SAMPLES)

    assert shown[0] is SAMPLES[0]
    assert shown[-1] is SAMPLES[-1]
    assert len(shown) <= 21


def test_few_samples_are_all_shown() -> None:
    assert thinned(SAMPLES[:7]) == SAMPLES[:7]
