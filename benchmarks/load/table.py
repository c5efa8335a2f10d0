"""Tables in Markdown that read well in a terminal, too."""

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int = 1) -> str:
    """Align the first `labels` columns to the left, and the others, which are figures, to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    rule = ["-" * width if column < labels else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join(_line(row, widths, labels) for row in (header, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int], labels: int) -> str:
    columns = enumerate(zip(cells, widths, strict=True))
    aligned = [cell.ljust(width) if column < labels else cell.rjust(width) for column, (cell, width) in columns]
    return f"| {' | '.join(aligned)} |"
