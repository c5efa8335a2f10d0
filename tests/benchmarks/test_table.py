"""Tables are Markdown, and aligned."""

from benchmarks.load.table import markdown


def test_labels_stand_left_and_figures_right() -> None:
    assert markdown(["proxy", "req/s"], [["kairos", "1"], ["nginx", "12,345"]]) == (
        "| proxy  |  req/s |\n"
        "| ------ | -----: |\n"
        "| kairos |      1 |\n"
        "| nginx  | 12,345 |"
    )


def test_several_columns_may_be_labels() -> None:
    assert markdown(["a", "b", "c"], [["1", "22", "333"]], labels=2).splitlines()[1] == "| - | -- | --: |"
