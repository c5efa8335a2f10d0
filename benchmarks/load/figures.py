"""The arithmetic: medians, ratios round by round, and the slope of a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some figures, and how far they lie apart."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}-{self.high:.2f})"


def spread(figures: Sequence[float]) -> Spread:
    """Return the median, the least and the largest."""
    return Spread(median(figures), min(figures), max(figures))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Divide what was measured in the same round, then look at the quotients.

    What slows the whole machine down for a round or two so cancels, which it would not in a quotient of medians.
    """
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return how much y grows per x, on the line through the points with the least squares."""
    return linear_regression([x for x, _ in points], [y for _, y in points]).slope
